"""Two versions differ by parts, columns, rows, and by how far their values moved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import ks_2samp

from evergreen.data.profile import profile
from evergreen.data.version_diff import VersionDiff, compare_versions
from tests.unit.data.uploads import write_parquet

RECORD = {
    "version": "a",
    "rows": 3,
    "parts": {"k": {"digest": "1"}, "l": {"digest": "2"}},
    "schema": [{"name": "x", "type": "integer"}, {"name": "y", "type": "text"}],
}


def moved(tmp_path: Path, before: str, after: str) -> VersionDiff:
    profiles = [
        profile([write_parquet(tmp_path / f"{n}.parquet", query)]).to_plain()
        for n, query in enumerate((before, after))
    ]
    return compare_versions(RECORD, RECORD, (profiles[0], profiles[1]))


def test_parts_columns_and_rows() -> None:
    after = {
        "version": "b",
        "rows": 5,
        "parts": {"k": {"digest": "9"}, "m": {"digest": "2"}},
        "schema": [{"name": "X", "type": "number"}, {"name": "z", "type": "text"}],
    }
    diff = compare_versions(RECORD, after)
    assert (diff.parts_added, diff.parts_removed, diff.parts_replaced) == (("m",), ("l",), ("k",))
    assert (diff.columns_added, diff.columns_removed) == (("z",), ("y",))
    assert diff.columns_changed == ("X: integer → number",)
    assert (diff.rows_before, diff.rows_after, diff.moves) == (3, 5, ())


def test_a_version_does_not_differ_from_itself(tmp_path: Path) -> None:
    query = "SELECT i AS x, 'c' || i % 3 AS c, DATE '2026-01-01' + i::INT AS d FROM range(90) r(i)"
    diff = moved(tmp_path, query, query)
    assert [move.distance for move in diff.moves] == [0, 0, 0]


@pytest.mark.parametrize("shift", [0.3, 1.0, 4.0])
def test_the_distance_of_numbers_is_kolmogorovs(tmp_path: Path, shift: float) -> None:
    rng = np.random.default_rng(3)
    one, other = rng.normal(size=4000), rng.normal(shift, 1, size=4000)
    queries = [f"SELECT unnest({list(map(float, each))}) AS x" for each in (one, other)]
    (move,) = moved(tmp_path, *queries).moves
    # Histograms of 20 bins know the distribution functions to about a bin.
    assert move.distance == pytest.approx(ks_2samp(one, other).statistic, abs=0.05)
    assert move.mean_after == pytest.approx(other.mean())


@pytest.mark.parametrize(
    ("before", "after", "distance"),
    [
        (["a"] * 6 + ["b"] * 4, ["a"] * 4 + ["b"] * 6, 0.2),
        (["a"] * 10, ["b"] * 10, 1.0),
        (["a"] * 5 + ["b"] * 5, ["a"] * 5 + ["c"] * 5, 0.5),
    ],
)
def test_the_distance_of_texts_is_the_share_that_moved(
    tmp_path: Path, before: list[str], after: list[str], distance: float
) -> None:
    (move,) = moved(tmp_path, *(f"SELECT unnest({each}) AS c" for each in (before, after))).moves
    assert move.distance == pytest.approx(distance)


def test_gaps_are_compared(tmp_path: Path) -> None:
    (move,) = moved(
        tmp_path, "SELECT unnest([1, 2, NULL, NULL]) AS x", "SELECT unnest([1, 2]) AS x"
    ).moves
    assert (move.nulls_before, move.nulls_after) == (0.5, 0)


def test_the_greatest_move_comes_first_and_other_types_have_none(tmp_path: Path) -> None:
    diff = moved(
        tmp_path,
        "SELECT i AS same, i AS far, i AS other FROM range(50) r(i)",
        "SELECT i AS same, i + 100 AS far, 'a' AS other FROM range(50) r(i)",
    )
    found: list[tuple[str, Any]] = [(move.column, move.distance) for move in diff.moves]
    assert found == [("far", 1.0), ("same", 0.0), ("other", None)]
