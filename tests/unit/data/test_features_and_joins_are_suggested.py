"""What a profile suggests: features with a step that works, and joins with measured coverage."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
import yaml

from evergreen.contracts.project_file import Step
from evergreen.data.join_keys import Keys, suggest_joins
from evergreen.data.profile import Profile, profile, profile_with_keys
from evergreen.data.suggestions import Suggestion, suggest_features
from tests.unit.data.uploads import write_parquet


def suggested(made: Profile) -> dict[tuple[str, tuple[str, ...]], Suggestion]:
    return {(each.kind, each.columns): each for each in suggest_features(made)}


@pytest.fixture
def shop(tmp_path: Path) -> Profile:
    path = write_parquet(
        tmp_path / "shop.parquet",
        "SELECT 'order ' || i AS id, 'EUR' AS currency, NULL::DOUBLE AS gone, "
        "CASE WHEN i % 50 = 0 THEN 1 END AS coupon, exp((i * 7919 % 997) / 90) AS income, "
        "TIMESTAMP '2024-01-01 08:00:00' + INTERVAL (i * 37) MINUTE AS \"bought at\", "
        "DATE '2024-06-01' + (i % 90)::INT AS delivered, "
        "'it''s the ' || (i * 31 % 1000) || 'th of many comments about the shoes' AS comment, "
        "'k' || (i % 5) AS code, i % 5 AS number, i % 2 = 0 AS returned, i % 2 AS refunded, "
        "i * 3 % 900 + 1 AS length, (i * 3 % 900 + 1) * (2 + i % 5) AS area "
        "FROM range(1000) r(i)",
    )
    return profile([path], target="returned")


@pytest.mark.parametrize(
    ("kind", "columns"),
    [
        ("leak suspect", ("refunded",)),
        ("constant", ("currency",)),
        ("empty", ("gone",)),
        ("mostly missing", ("coupon",)),
        ("row identifier", ("id",)),
        ("the same twice", ("code", "number")),
        ("date parts", ("bought at",)),
        ("date parts", ("delivered",)),
        ("duration", ("bought at", "delivered")),
        ("logarithm", ("income",)),
        ("ratio", ("area", "length")),
        ("text to vectors", ("comment",)),
    ],
)
def test_what_stands_out_is_suggested(shop: Profile, kind: str, columns: tuple[str, ...]) -> None:
    assert (kind, columns) in suggested(shop)


def test_a_step_can_be_pasted_into_the_project_file(shop: Profile) -> None:
    steps = [each.step for each in suggest_features(shop) if each.step]
    assert len(steps) > 5
    for step in steps:
        Step.model_validate(yaml.safe_load(step))


@pytest.mark.parametrize(
    "values",
    [
        ("New York", "NEW YORK", "new york"),
        ("Catherine's", "Catherines", "catherines"),
        ("new-york", "New York"),
        ("Straße 1", "STRASSE 1", "straße 1."),
    ],
)
def test_one_value_in_several_spellings_gets_a_step_that_writes_it_in_one(
    tmp_path: Path, values: tuple[str, ...]
) -> None:
    listed = ", ".join("'" + each.replace("'", "''") + "'" for each in (*values, "Rome", "Oslo"))
    path = write_parquet(
        tmp_path / "a.parquet", f"SELECT unnest([{listed}]) AS city, i FROM range(40) r(i)"
    )
    found = suggested(profile([path], target="city"))["spellings", ("city",)]
    same = [each for each in values if "STRASSE" not in each]
    assert all(f"'{each}'" in found.why for each in same)
    step = Step.model_validate(yaml.safe_load(found.step))
    with duckdb.connect() as connection:
        written = connection.execute(
            f"SELECT DISTINCT {(step.derive or {})['city']} FROM '{path}' WHERE city IN ({listed})"
        ).fetchall()
    assert len(written) == 2 + 1 + (len(values) - len(same))


def test_different_values_are_no_spellings_of_one(tmp_path: Path) -> None:
    path = write_parquet(
        tmp_path / "a.parquet",
        "SELECT unnest(['a1', 'a2', 'b', '+', '-', 'é', 'e']) AS code, i FROM range(40) r(i)",
    )
    assert ("spellings", ("code",)) not in suggested(profile([path]))


def test_hours_are_suggested_of_times_and_not_of_dates(shop: Profile) -> None:
    found = suggested(shop)
    assert "hour(" in found["date parts", ("bought at",)].step
    assert "hour(" not in found["date parts", ("delivered",)].step


def test_the_target_is_no_feature(shop: Profile) -> None:
    assert all("returned" not in each.columns for each in suggest_features(shop))


def keys(path: Path) -> Keys:
    return profile_with_keys([path])[1]


@pytest.fixture
def flights(tmp_path: Path) -> Keys:
    return keys(
        write_parquet(
            tmp_path / "flights.parquet",
            "SELECT 'A' || (i % 40) AS origin, 'N' || (i % 3000) AS tail, i % 12 AS month, "
            "DATE '2024-01-01' + (i % 100)::INT AS day, i AS id FROM range(20000) r(i)",
        )
    )


def test_the_share_of_rows_that_find_a_key_is_measured(flights: Keys, tmp_path: Path) -> None:
    airports = write_parquet(
        tmp_path / "a.parquet", "SELECT 'A' || i AS code, 'x' AS name FROM range(30) r(i)"
    )
    (join,) = suggest_joins(flights, {"airports": keys(airports)})
    assert (join.dataset, join.on, join.keys) == ("airports", {"origin": "code"}, 40)
    assert join.coverage == 0.75


def test_coverage_of_many_keys_is_measured_on_a_sample(flights: Keys, tmp_path: Path) -> None:
    planes = write_parquet(
        tmp_path / "p.parquet", "SELECT 'N' || i * 2 AS tail FROM range(50000) r(i)"
    )
    (join,) = suggest_joins(flights, {"planes": keys(planes)})
    assert join.on == {"tail": "tail"}
    assert join.coverage == pytest.approx(0.5, abs=0.15)
    assert join.keys < 3000


def test_two_columns_can_be_the_key(flights: Keys, tmp_path: Path) -> None:
    weather = write_parquet(
        tmp_path / "w.parquet",
        "SELECT 'A' || (i % 40) AS origin, DATE '2024-01-01' + (i // 40)::INT AS day, "
        "i % 7 AS wind FROM range(3200) r(i)",
    )
    (join,) = suggest_joins(flights, {"weather": keys(weather)})
    assert join.on == {"origin": "origin", "day": "day"}
    assert join.coverage == 0.8


def test_whole_numbers_that_overlap_by_chance_are_no_join(flights: Keys, tmp_path: Path) -> None:
    other = write_parquet(tmp_path / "o.parquet", "SELECT i AS number FROM range(50) r(i)")
    assert suggest_joins(flights, {"other": keys(other)}) == ()


def test_a_column_with_repetitions_is_no_key(flights: Keys, tmp_path: Path) -> None:
    other = write_parquet(
        tmp_path / "o.parquet", "SELECT 'A' || (i % 40) AS origin FROM range(80) r(i)"
    )
    assert suggest_joins(flights, {"other": keys(other)}) == ()


def test_samples_made_with_another_hash_are_not_compared(flights: Keys) -> None:
    other = Keys("another", flights.samples, flights.pairs)
    assert suggest_joins(flights, {"other": other}) == ()


def test_samples_are_read_as_they_were_written(flights: Keys) -> None:
    assert Keys.from_plain(flights.to_plain()) == flights


def test_of_a_wide_table_the_first_columns_are_sampled(tmp_path: Path) -> None:
    columns = ", ".join(f"'v' || (i * {n + 1}) AS c{n}" for n in range(100))
    path = write_parquet(tmp_path / "wide.parquet", f"SELECT {columns} FROM range(10) r(i)")
    assert [sample.column for sample in keys(path).samples] == [f"c{n}" for n in range(60)]
