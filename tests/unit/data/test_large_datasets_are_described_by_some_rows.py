"""Of a large dataset every n-th row is described; what is counted is counted over all rows."""

import json
from pathlib import Path

import pytest

from evergreen.data import described_rows, totals
from evergreen.data.profile import Profile, profile
from tests.unit.data.uploads import write_parquet

ROWS = 60_000


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    monkeypatch.setattr(described_rows, "MOST_CELLS", 100_000)
    monkeypatch.setattr(described_rows, "SAMPLED_CELLS", 40_000)
    return [
        write_parquet(
            tmp_path / f"{start}.parquet",
            "SELECT i::BIGINT AS n, 'c' || (i % 3) AS c, CASE WHEN i % 2 = 0 THEN i / 7 END AS x, "
            f"i % 3 = 0 AS target FROM range({start}, {start + ROWS // 2}) r(i)",
        )
        for start in (0, ROWS // 2)
    ]


def column(made: Profile, name: str) -> dict[str, object]:
    return next(each for each in made.to_plain()["columns"] if each["name"] == name)


def test_some_rows_from_everywhere_are_described(parts: list[Path]) -> None:
    made = profile(parts)
    assert (made.rows, made.described_rows) == (ROWS, 10_000)
    counts = column(made, "n")["histogram"]["counts"]  # type: ignore[index]
    assert sum(counts) == 10_000
    assert max(counts) - min(counts) <= 1


def test_counts_extremes_and_means_are_those_of_all_rows(parts: list[Path]) -> None:
    n = column(profile(parts), "n")
    assert (n["count"], n["minimum"], n["maximum"]) == (ROWS, 0, ROWS - 1)
    assert n["mean"] == (ROWS - 1) / 2
    assert column(profile(parts), "x")["nulls"] == ROWS // 2


def test_different_values_are_estimated_over_all_rows(parts: list[Path]) -> None:
    assert column(profile(parts), "n")["distinct"] == pytest.approx(ROWS, rel=0.05)
    assert column(profile(parts), "c")["distinct"] == 3


def test_quantiles_are_near_those_of_all_rows(parts: list[Path]) -> None:
    quantiles = column(profile(parts), "n")["quantiles"]
    for share, value in quantiles.items():  # type: ignore[attr-defined]
        assert value == pytest.approx(float(share) * ROWS, abs=0.01 * ROWS)


def test_the_same_rows_are_described_each_time(parts: list[Path]) -> None:
    first = json.dumps(profile(parts, target="target").to_plain())
    assert json.dumps(profile(parts, target="target").to_plain()) == first


def test_a_column_may_be_called_like_the_readers_row_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(described_rows, "MOST_CELLS", 100_000)
    monkeypatch.setattr(described_rows, "SAMPLED_CELLS", 20_000)
    path = write_parquet(
        tmp_path / "rows.parquet",
        f"SELECT 7::BIGINT AS file_row_number, i::BIGINT AS n FROM range({ROWS}) r(i)",
    )
    assert profile([path]).described_rows == 10_000


def test_columns_that_are_read_a_few_at_a_time_have_the_same_profile(
    parts: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = profile(parts, target="target")
    for module in (described_rows, totals):
        monkeypatch.setattr(module, "COLUMNS_PER_QUERY", 2)
    assert profile(parts, target="target") == whole
