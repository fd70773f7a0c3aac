"""Two versions differ by parts, columns, rows, and by how far their values moved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from evergreen.data.profile import profile
from evergreen.data.runs import Runs
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


DRAWS: dict[str, Callable[[np.random.Generator, float], Any]] = {
    "normal": lambda rng, shift: rng.normal(shift, 1, size=3000),
    "a long tail": lambda rng, shift: rng.lognormal(shift, 1.5, size=3000),
    "no mean": lambda rng, shift: rng.standard_cauchy(size=3000) + shift,
    "mostly zero": lambda rng, shift: rng.exponential(size=3000) * (rng.random(3000) < 0.1 + shift),
    "a far value": lambda rng, shift: np.append(rng.uniform(shift, 9, size=2999), 1e9),
    "few values": lambda rng, shift: rng.integers(0, 5, size=3000) + (rng.random(3000) < shift),
}


@pytest.mark.parametrize("shift", [0.0, 0.1, 0.7])
@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS.keys())
def test_the_distance_of_numbers_is_kolmogorovs(
    tmp_path: Path, draw: Callable[[np.random.Generator, float], Any], shift: float
) -> None:
    rng = np.random.default_rng(3)
    one, other = draw(rng, 0.0), draw(rng, shift)
    queries = [f"SELECT unnest({list(map(float, each))}) AS x" for each in (one, other)]
    (move,) = moved(tmp_path, *queries).moves
    assert move.distance is not None
    assert abs(move.distance - ks_2samp(one, other, method="asymp").statistic) <= 0.01 + 1e-6
    assert move.mean_after == pytest.approx(other.mean())


NUMBERS = st.lists(st.integers(-50, 50) | st.floats(-1e9, 1e9), min_size=1, max_size=200)


@settings(max_examples=60, deadline=None)
@given(one=NUMBERS, other=NUMBERS)
def test_hundredths_are_enough_for_a_distance(one: list[float], other: list[float]) -> None:
    columns = [
        {
            "name": "x",
            "type": "number",
            "count": len(values),
            "nulls": 0,
            "hundredths": [float(value) for value in runs_of_values(values).hundredths()],
        }
        for values in (one, other)
    ]
    (move,) = compare_versions(
        RECORD, RECORD, ({"columns": columns[:1]}, {"columns": columns[1:]})
    ).moves
    assert move.distance is not None
    true = max(
        abs(np.mean([x <= at for x in one]) - np.mean([x <= at for x in other]))
        for at in {*one, *other}
    )
    assert abs(move.distance - true) <= 0.01 + 1e-6


def runs_of_values(values: list[float]) -> Runs:
    return Runs(*np.unique(np.array(values, dtype=float), return_counts=True))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("SELECT i AS x FROM range(80) r(i)", "SELECT i + 8.5 AS x FROM range(80) r(i)"),
        (
            "SELECT DATE '2026-01-01' + i::INT AS x FROM range(80) r(i)",
            "SELECT TIMESTAMP '2026-01-09 12:00:00' + to_days(i::INT) AS x FROM range(80) r(i)",
        ),
    ],
)
def test_a_column_whose_type_became_wider_is_still_compared(
    tmp_path: Path, before: str, after: str
) -> None:
    (move,) = moved(tmp_path, before, after).moves
    assert move.distance == pytest.approx(9 / 80, abs=0.01)


def test_times_beyond_all_calendars_are_compared(tmp_path: Path) -> None:
    query = "SELECT make_timestamp(40000 + i, 1, 1, 0, 0, 0) AS x FROM range({}, {}) r(i)"
    (move,) = moved(tmp_path, query.format(0, 80), query.format(40, 120)).moves
    assert move.distance == pytest.approx(0.5, abs=0.01)


@given(
    one=st.lists(st.sampled_from("abcdefghijklmnopqrst"), min_size=1, max_size=60),
    other=st.lists(st.sampled_from("abcdefghijklmnopqrst"), min_size=1, max_size=60),
)
def test_the_distance_of_texts_is_never_more_than_it_is(one: list[str], other: list[str]) -> None:
    columns = [
        {
            "name": "x",
            "type": "text",
            "count": len(values),
            "nulls": 0,
            "top": Counter(values).most_common(10),
        }
        for values in (one, other)
    ]
    (move,) = compare_versions(
        RECORD, RECORD, ({"columns": columns[:1]}, {"columns": columns[1:]})
    ).moves
    shares = [Counter(values) for values in (one, other)]
    true = (
        sum(
            abs(shares[0][each] / len(one) - shares[1][each] / len(other))
            for each in {*one, *other}
        )
        / 2
    )
    assert move.distance is not None
    assert move.distance <= true + 1e-6
    if len(shares[0]) <= 10 and len(shares[1]) <= 10:
        assert move.distance == pytest.approx(true, abs=1e-6)


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
