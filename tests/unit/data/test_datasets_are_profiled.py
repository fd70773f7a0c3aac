"""A profile counts and describes all parts together, in JSON, the same each time."""

import json
import math
import statistics
from fractions import Fraction
from pathlib import Path

import pytest

from evergreen.data import described_rows
from evergreen.data.observations import Observed, ObservedColumn
from evergreen.data.profile import Profile, profile
from tests.unit.data.uploads import read, write_parquet


@pytest.fixture
def parts(tmp_path: Path) -> list[Path]:
    return [
        write_parquet(
            tmp_path / f"{start}.parquet",
            "SELECT i::BIGINT AS n, CASE WHEN i % 4 = 0 THEN NULL ELSE i / 10 END AS x, "
            "'c' || (i % 3) AS c, DATE '2020-01-01' + i::INTEGER AS d, NULL::VARCHAR AS gap "
            f"FROM range({start}, {start + 100}) r(i)",
        )
        for start in (0, 100)
    ]


def columns(made: Profile) -> dict[str, dict[str, object]]:
    return {column["name"]: column for column in made.to_plain()["columns"]}


def test_values_are_counted_over_all_parts(parts: list[Path]) -> None:
    made = profile(parts)
    assert made.rows == 200
    assert {name: (each["count"], each["nulls"]) for name, each in columns(made).items()} == {
        "n": (200, 0),
        "x": (150, 50),
        "c": (200, 0),
        "d": (200, 0),
        "gap": (0, 200),
    }


def test_numbers_agree_with_another_computation(parts: list[Path]) -> None:
    n = columns(profile(parts))["n"]
    values = list(range(200))
    assert (n["minimum"], n["maximum"]) == (0, 199)
    assert n["mean"] == pytest.approx(statistics.mean(values))
    assert n["std"] == pytest.approx(statistics.stdev(values))
    assert n["quantiles"]["0.5"] == statistics.median(values)  # type: ignore[index]
    assert sum(n["histogram"]["counts"]) == 200  # type: ignore[index]
    assert len(n["histogram"]["edges"]) == len(n["histogram"]["counts"]) + 1  # type: ignore[index]


def test_texts_show_their_most_frequent_values(parts: list[Path]) -> None:
    assert columns(profile(parts))["c"]["top"] == (("c0", 67), ("c1", 67), ("c2", 66))


def test_dates_show_their_range(parts: list[Path]) -> None:
    d = columns(profile(parts))["d"]
    assert (d["minimum"], d["maximum"]) == ("2020-01-01", "2020-07-18")


def test_a_profile_is_json_and_the_same_each_time(parts: list[Path]) -> None:
    plain = json.dumps(profile(parts).to_plain(), allow_nan=False)
    assert json.dumps(profile(parts).to_plain(), allow_nan=False) == plain


def test_extreme_numbers_do_not_overflow(tmp_path: Path) -> None:
    path = write_parquet(
        tmp_path / "wide.parquet", "SELECT unnest([-1.7e308, 0.0, 1.7e308])::DOUBLE AS x"
    )
    x = columns(profile([path]))["x"]
    assert x["mean"] == 0
    assert math.isfinite(x["std"])  # type: ignore[arg-type]
    assert sum(x["histogram"]["counts"]) == 3  # type: ignore[index]


def test_one_value_has_one_bin(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "same.parquet", "SELECT 7::BIGINT AS x FROM range(5)")
    histogram = columns(profile([path]))["x"]["histogram"]
    assert histogram["counts"] == (5,)  # type: ignore[index]
    assert histogram["edges"] == (6.5, 7.5)  # type: ignore[index]


def test_dates_have_a_histogram_and_quantiles(parts: list[Path]) -> None:
    d = columns(profile(parts))["d"]
    assert d["quantiles"]["0.5"] == "2020-04-09"  # type: ignore[index]
    assert d["histogram"]["edges"][-1] == "2020-07-18"  # type: ignore[index]
    assert sum(d["histogram"]["counts"]) == 200  # type: ignore[index]


def test_texts_have_lengths(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "t.parquet", "SELECT unnest(['a', 'bb', 'ççç', NULL]) AS t")
    assert columns(profile([path]))["t"]["lengths"] == {
        "shortest": 1,
        "median": 2.0,
        "longest": 3,
    }


def test_long_texts_that_begin_alike_are_different_values(tmp_path: Path) -> None:
    path = write_parquet(
        tmp_path / "long.parquet", "SELECT repeat('x', 500) || (i % 4) AS t FROM range(8) r(i)"
    )
    t = columns(profile([path]))["t"]
    assert t["distinct"] == 4
    assert t["top"] == (("x" * 80, 2),) * 4


def test_dates_beyond_the_calendar_of_python_are_told_by_their_year(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "far.parquet", "SELECT DATE '120000-01-01' AS d")
    assert columns(profile([path]))["d"]["maximum"] == "year 120000"


def test_a_few_far_values_do_not_hide_the_others(tmp_path: Path) -> None:
    path = write_parquet(
        tmp_path / "far.parquet",
        "SELECT i % 100 + 1 AS x FROM range(10000) r(i) UNION ALL SELECT unnest([-1e9, 1e12])",
    )
    histogram = columns(profile([path]))["x"]["histogram"]
    assert (histogram["below"], histogram["above"]) == (1, 1)  # type: ignore[index]
    assert sum(histogram["counts"]) == 10_000  # type: ignore[index]
    assert sum(count > 0 for count in histogram["counts"]) > 10  # type: ignore[index]


def test_a_profile_is_read_as_it_was_written(parts: list[Path]) -> None:
    made = profile(parts, target="x")
    assert Profile.from_plain(json.loads(json.dumps(made.to_plain()))) == made


def test_bins_hold_as_many_whole_numbers_each(tmp_path: Path) -> None:
    path = write_parquet(
        tmp_path / "m.parquet", "SELECT i % 12 + 1 AS month, i % 50 AS n FROM range(600) r(i)"
    )
    made = columns(profile([path]))
    assert made["month"]["histogram"]["counts"] == (50,) * 12  # type: ignore[index]
    assert set(made["n"]["histogram"]["counts"][:-1]) == {36}  # type: ignore[index]


def test_what_was_observed_of_the_only_part_is_not_counted_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evergreen.data.described_rows.MOST_CELLS", 100)
    monkeypatch.setattr("evergreen.data.described_rows.SAMPLED_CELLS", 100)
    part = write_parquet(tmp_path / "part.parquet", "SELECT i % 7 AS a FROM range(30000) AS t(i)")
    seen = Observed(30000, (ObservedColumn("a", "integer", 30000, 0, distinct=6),))

    assert profile([part]).columns[0].distinct == 7
    assert profile([part], observed=seen).columns[0].distinct == 6


@pytest.mark.parametrize(
    "value",
    [
        "1e9 + (i % 10) / 1000",
        "CASE WHEN i = 7 THEN 1e12 ELSE i % 10 END",
        "1e200 * (i % 3)",
        "5.5",
    ],
    ids=["far from zero", "one far away", "too large to square", "all the same"],
)
def test_mean_and_spread_of_all_rows_keep_their_digits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setattr("evergreen.data.described_rows.MOST_CELLS", 100)
    monkeypatch.setattr("evergreen.data.described_rows.SAMPLED_CELLS", 100)
    part = write_parquet(tmp_path / "part.parquet", f"SELECT {value} AS a FROM range(30000) t(i)")
    values = [Fraction(row[0]) for row in read(part)]
    mean = sum(values) / len(values)
    size = max(values)
    variance = sum(((each - mean) / size) ** 2 for each in values) / (len(values) - 1)
    spread = float(size) * math.sqrt(variance)

    (told,) = profile([part]).columns

    assert told.mean == pytest.approx(float(mean), rel=1e-11)
    assert told.std == pytest.approx(spread, rel=1e-9)


def test_long_identifiers_close_together_have_a_histogram(tmp_path: Path) -> None:
    """Of 19 digits float64 knows no neighbours: all of these are one number there."""
    path = write_parquet(
        tmp_path / "ids.parquet", "SELECT 1234567890123456789 + i AS id FROM range(60) r(i)"
    )
    made = columns(profile([path]))["id"]
    assert made["distinct"] == 60
    assert sum(made["histogram"]["counts"]) == 60  # type: ignore[index]


NAMES = ("r", "n", "v", "v0", "n1", "rows", "file_row_number", "filename")


@pytest.mark.parametrize("most", [10_000_000, 100])
def test_columns_may_have_any_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(described_rows, "MOST_CELLS", most)
    monkeypatch.setattr(described_rows, "FEWEST_ROWS", 10)
    monkeypatch.setattr(described_rows, "SAMPLED_CELLS", 80)
    asked = ", ".join(f"'{name}' || (i % 3) AS \"{name}\"" for name in NAMES)
    path = write_parquet(tmp_path / "named.parquet", f"SELECT {asked} FROM range(60) r(i)")
    made = profile([path])
    assert (made.described_rows == 60) == (most > 100)
    for name, column in columns(made).items():
        assert {value[:-1] for value, _ in column["top"]} == {name}  # type: ignore[attr-defined]
