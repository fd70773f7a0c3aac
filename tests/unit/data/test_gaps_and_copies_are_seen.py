"""A profile says what is missing together and which columns say the same."""

from pathlib import Path

import pytest

from evergreen.data.missingness import Pattern
from evergreen.data.profile import Profile, profile
from tests.unit.data.uploads import write_parquet


@pytest.fixture
def made(tmp_path: Path) -> Profile:
    path = write_parquet(
        tmp_path / "rows.parquet",
        "SELECT i AS id, 'k' || (i % 5) AS code, (i % 5) * 10 AS number, i % 5 = 1 AS one, "
        "CASE WHEN i % 10 > 0 THEN i END AS a, CASE WHEN i % 10 > 0 THEN -i END AS b, "
        "CASE WHEN i % 10 <> 1 THEN i % 7 END AS c FROM range(200) r(i)",
    )
    return profile([path])


def test_columns_that_are_missing_together_are_told(made: Profile) -> None:
    assert made.gaps.complete == 160
    assert made.gaps.patterns == (Pattern(("a", "b"), 20), Pattern(("c",), 20))
    assert made.gaps.others == 0


def test_rows_without_gaps_have_no_patterns(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "whole.parquet", "SELECT i FROM range(7) r(i)")
    gaps = profile([path]).gaps
    assert (gaps.complete, gaps.patterns) == (7, ())


def test_columns_that_say_the_same_are_told(made: Profile) -> None:
    assert made.likeness.twins == (("code", "number"),)


def test_columns_that_rise_and_fall_together_are_told(made: Profile) -> None:
    correlations = made.likeness.correlations
    assert correlations is not None
    a, b = (correlations.columns.index(name) for name in "ab")
    assert correlations.matrix[a][b] == -1
    assert correlations.matrix[b][a] == -1


def test_a_dataset_without_rows_in_a_column_has_a_profile(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "void.parquet", "SELECT NULL::DOUBLE AS x, NULL::DATE AS d")
    assert profile([path], target="x").target is None
