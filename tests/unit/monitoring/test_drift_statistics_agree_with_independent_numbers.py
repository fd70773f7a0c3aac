from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import distance
from scipy.stats import chi2_contingency, ks_2samp, spearmanr

from evergreen.monitoring.joint import greatest_change, scores_of
from evergreen.monitoring.shares import jensen_shannon, shares_of
from evergreen.monitoring.univariate import Statistic, statistics_of
from evergreen.monitoring.variables import Variable

DRAW = np.random.default_rng(7)


def number(reference: Any, window: Any, name: str = "x") -> Variable:
    return Variable(name, "number", np.asarray(reference, float), np.asarray(window, float))


def category(reference: list[str], window: list[str]) -> Variable:
    return Variable("c", "category", np.array(reference, object), np.array(window, object))


def of(variable: Variable) -> dict[str, float]:
    found: list[Statistic] = list(statistics_of([variable], 3, 0))
    return {each.name: float(np.sqrt(each.squares[0] * each.scale)) for each in found}


def cramers_v(table: list[list[int]]) -> float:
    chi_square = chi2_contingency(table, correction=False).statistic
    return float(np.sqrt(chi_square / np.sum(table)))


@pytest.mark.parametrize("window_rows", [40, 150])
def test_numbers_that_are_there_give_the_distance_of_kolmogorov_and_smirnov(
    window_rows: int,
) -> None:
    reference, window = DRAW.normal(size=90), DRAW.normal(0.4, 1, window_rows)
    missing = [np.nan] * 5
    found = of(number([*reference, *missing], window))
    assert found["kolmogorov_smirnov"] == pytest.approx(ks_2samp(reference, window).statistic)
    assert found["missing_share"] == pytest.approx(cramers_v([[90, 5], [window_rows, 0]]))


def test_the_distance_is_all_but_exact_where_values_share_cells() -> None:
    reference, window = DRAW.normal(size=9000), DRAW.normal(0.1, 1, 2000)
    exact = ks_2samp(reference, window).statistic
    assert of(number(reference, window))["kolmogorov_smirnov"] == pytest.approx(exact, abs=1 / 256)


def test_categories_give_the_chi_square_of_their_table() -> None:
    found = of(category(["a"] * 50 + ["b"] * 30 + [""] * 5, ["a"] * 10 + ["b"] * 20 + ["new"] * 4))
    expected = cramers_v([[50, 30, 5, 0], [10, 20, 0, 4]])
    assert found == {"chi_square": pytest.approx(expected)}


@given(
    st.lists(st.integers(0, 20), min_size=3, max_size=3).filter(any),
    st.lists(st.integers(0, 20), min_size=3, max_size=3).filter(any),
)
def test_the_distance_of_shares_is_that_of_jensen_and_shannon(
    first: list[int], second: list[int]
) -> None:
    shares = [np.array(counts) / sum(counts) for counts in (first, second)]
    found = jensen_shannon(shares[0], shares[1])
    assert 0 <= found <= 1
    assert found == jensen_shannon(shares[1], shares[0])
    expected = float(distance.jensenshannon(shares[0], shares[1], base=2))
    assert found == pytest.approx(0 if np.isnan(expected) else expected, abs=1e-7)


def test_shares_are_of_tenths_with_missing_first_and_room_beyond_the_range() -> None:
    shares = shares_of(number([*range(1, 11), np.nan], [100, np.nan, -5]))
    assert shares.labels[:4] == ("missing", "< 1", "≤ 1", "1 – 2")
    assert shares.labels[-2:] == ("9 – 10", "> 10")
    np.testing.assert_allclose(shares.reference, np.array([1, 0, *([1] * 10), 0]) / 11)
    assert np.flatnonzero(shares.window).tolist() == [0, 1, 12]


def test_correlations_are_those_of_ranks() -> None:
    base = DRAW.normal(size=(400, 2))
    reference, window = base[:300], base[300:]
    x = number(np.exp(reference[:, 0]), np.exp(window[:, 0]), "x")
    y = number(reference[:, 0] + reference[:, 1], -window[:, 0] + window[:, 1], "y")
    change = greatest_change(scores_of([x, y]), np.arange(300), np.arange(300, 400))
    assert (change.first, change.second) == ("x", "y")
    # Ranks are of the pooled rows, so they differ a little from ranks within each side.
    assert change.reference == pytest.approx(spearmanr(x.reference, y.reference)[0], abs=0.05)
    assert change.window == pytest.approx(spearmanr(x.window, y.window)[0], abs=0.05)
