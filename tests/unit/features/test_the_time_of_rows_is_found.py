"""Where the project does not say how rows are divided, the data do, and the notes say so."""

from pathlib import Path

import numpy as np
import pytest

from evergreen.contracts.project_reading import read_project_file
from evergreen.data.ingestion import ingest
from evergreen.features.preparation import Prepared, prepare
from tests.unit.features.workshop import Workshop, hundred, reasons

SHUFFLED = "TIMESTAMP '2024-01-01' + to_hours(CAST((i * 37) % 100 AS BIGINT))"


def by(made: Prepared) -> str:
    return made.holdout.by


def said(made: Prepared, text: str) -> bool:
    return any(text in note for note in made.notes)


def test_a_time_in_every_row_divides_them(workshop: Workshop) -> None:
    made = workshop.prepare(hundred(f"i % 7 AS x, {SHUFFLED} AS seen_at"))
    assert by(made) == "time"
    assert made.training_set.ordered
    assert made.split.startswith("by time: the newest 20 of 100 rows (20%), from 'seen_at' 2024-01")
    assert said(made, "the newest rows are held out, by 'seen_at', which stands in every row")
    assert said(made, "declare 'time: seen_at' to keep it so, or 'time: false' to divide otherwise")


def test_the_owner_can_switch_it_off(workshop: Workshop) -> None:
    made = workshop.prepare(hundred(f"i % 7 AS x, {SHUFFLED} AS seen_at"), time=False)
    assert by(made) == "random"
    assert not said(made, "seen_at")


@pytest.mark.parametrize(
    ("column", "why"),
    [
        (f"{SHUFFLED} AS birth_date", "it is named like a date that describes what a row is about"),
        (f"{SHUFFLED} AS expires_on", "it is named like a date that describes what a row is about"),
        ("DATE '1930-01-01' + (i * 37 % 100 * 300)::INT AS d", "it spans 81 years"),
        (f"CASE WHEN i % 10 > 0 THEN {SHUFFLED} END AS paid", "it is missing in 10% of the rows"),
        ("DATE '2024-01-01' + (i % 3)::INT AS d", "it has 3 different values only"),
        (
            "DATE '2024-01-01' + (CASE WHEN i < 92 THEN 0 ELSE i END)::INT AS d",
            "no change of it is near the newest 20% of the rows",
        ),
    ],
)
def test_what_is_no_time_of_rows_is_said_with_the_reason(
    workshop: Workshop, column: str, why: str
) -> None:
    made = workshop.prepare(hundred(f"i % 7 AS x, {column}"))
    assert by(made) == "random"
    assert said(made, why)
    assert said(made, "declare preparation.time")


def test_a_cut_that_leaves_one_class_on_a_side_is_not_made(workshop: Workshop) -> None:
    made = workshop.prepare(
        "SELECT i % 7 AS x, DATE '2024-01-01' + i::INT AS d, i < 85 AS y FROM range(100) r(i)"
    )
    assert by(made) == "random"
    assert said(made, "before or after the cut there is one value of 'y' only")


def test_a_time_that_steps_look_back_from_wins(workshop: Workshop) -> None:
    made = workshop.prepare(
        hundred(f"i % 7 AS x, i % 4 AS k, {SHUFFLED} AS born, DATE '2024-01-01' + i::INT AS d"),
        {"window": {"by": ["k"], "time": "born", "columns": {"before": "count"}}},
    )
    assert by(made) == "time"
    assert said(made, "by 'born', which is what steps look back from")


def test_of_several_times_the_one_that_rows_are_in_order_of_wins(workshop: Workshop) -> None:
    made = workshop.prepare(
        hundred(
            f"i % 7 AS x, {SHUFFLED} + INTERVAL 900 DAYS AS later, "
            "DATE '2024-01-01' + i::INT AS made_on"
        )
    )
    assert said(made, "by 'made_on', which stands in every row, and the rows are in its order")


def test_of_several_times_without_order_the_latest_wins(workshop: Workshop) -> None:
    made = workshop.prepare(
        hundred(f"i % 7 AS x, {SHUFFLED} AS joined, {SHUFFLED} + INTERVAL 900 DAYS AS ordered")
    )
    assert said(made, "by 'ordered'")


def test_a_number_that_counts_time_divides_rows_that_are_in_its_order(workshop: Workshop) -> None:
    assert by(workshop.prepare(hundred("i // 2 AS day, i % 7 AS x"))) == "time"
    assert by(workshop.prepare(hundred("(i * 37) % 50 AS day, i % 7 AS x"))) == "random"
    assert by(workshop.prepare(hundred("i // 2 AS size, i % 7 AS x"))) == "random"


def test_files_may_be_in_any_order(workshop: Workshop) -> None:
    later, earlier = (hundred(f"{start} + i // 2 AS day, i % 7 AS x") for start in (50, 0))
    assert by(workshop.prepare([later, earlier])) == "time"


def test_rows_of_one_entity_stay_together(workshop: Workshop) -> None:
    made = workshop.prepare(hundred("i % 7 AS x, 'p' || (i * 37 % 30) AS patient_id"))
    assert by(made) == "group"
    assert said(made, "rows of one 'patient_id' stay on one side: its 30 values have 3.3 rows each")
    assert reasons(made)["patient_id"] == "names the group of a row"
    assert (
        by(workshop.prepare(hundred("i % 7 AS x, 'p' || (i * 37 % 30) AS patient_id"), group=False))
        == "random"
    )


def test_a_category_with_the_name_of_an_entity_is_only_pointed_out(workshop: Workshop) -> None:
    made = workshop.prepare(hundred("i % 7 AS x, i % 3 AS store_id", 300))
    assert by(made) == "random"
    assert said(made, "'store_id' may say what a row is about, with 100 rows for each of 3")


def test_a_name_of_each_row_is_no_group(workshop: Workshop) -> None:
    made = workshop.prepare(hundred("(i * 37) % 100 AS x, 'r' || i AS row_id"))
    assert by(made) == "random"


def test_what_is_declared_is_not_looked_for(workshop: Workshop) -> None:
    made = workshop.prepare(hundred(f"i AS x, {SHUFFLED} AS at, i % 9 AS who"), time="x")
    assert "'x'" in made.split
    assert not said(made, "'at'")


@pytest.mark.parametrize("column", ["paid", "Monkey", "humid"])
def test_a_word_that_ends_like_an_identifier_is_none(workshop: Workshop, column: str) -> None:
    made = workshop.prepare(hundred(f"i % 7 AS x, 'p' || (i * 37 % 30) AS {column}"))
    assert by(made) == "random"


EXAMPLES = Path(__file__).parents[3] / "examples"


def example(directory: Path, name: str, datasets: dict[str, Path]) -> Prepared:
    """An example of this repository, ingested and prepared."""
    file = read_project_file((EXAMPLES / name / "project.yaml").read_bytes(), name)
    parts = {}
    for dataset, source in datasets.items():
        parts[dataset] = [directory / f"{dataset}.parquet"]
        ingest(EXAMPLES / name / source, source.name, parts[dataset][0])
    return prepare(file, parts, seed=1, table=directory / "table.parquet")


def test_the_penguins_are_divided_by_the_dates_of_their_eggs(tmp_path: Path) -> None:
    made = example(tmp_path, "penguins", {"penguins": Path("penguins.csv")})
    assert by(made) == "time"
    assert made.split == (
        "by time: the newest 74 of 344 rows (22%), from 'Date Egg' 2009-11-18 00:00:00 on, are "
        "held out"
    )
    assert len(made.training_set) == 344
    assert set(np.unique(made.training_set.target[made.training_set.holdout])) == {0, 1, 2}


def test_the_flights_are_divided_by_the_time_that_their_project_declares(tmp_path: Path) -> None:
    first = min((EXAMPLES / "flights" / "flights").iterdir())
    sources = {
        "flights": first,
        "planes": Path("planes.csv"),
        "airports": Path("airports.csv"),
        "weather": Path("weather.parquet"),
    }
    made = example(tmp_path, "flights", sources)
    assert made.split.startswith("by time: the newest")
    assert "'time_hour'" in made.split
    assert not said(made, "otherwise")
    assert [join.dataset for join in made.joins] == ["planes", "airports", "weather"]
    assert {report.before - report.after for report in made.steps if report.kind == "join"} == {0}
    assert made.holdout.together.left_out == 0


def test_how_rows_are_divided_is_said_where_they_are_drawn_at_random(workshop: Workshop) -> None:
    made = workshop.prepare(hundred("i % 7 AS v"))
    assert made.split.startswith("at random within classes")
    assert made.split in made.notes
