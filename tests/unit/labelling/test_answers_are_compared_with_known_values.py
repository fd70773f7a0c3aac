"""A number is uncertain where the model's answer is far from the known values of similar rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import spearmanr

from evergreen.features.encoding import Encoded
from evergreen.labelling.dissimilarity import Dissimilarity
from evergreen.labelling.known_values import Known, influences, off_known_values

Floats = NDArray[np.float64]


def rows(numbers: Any, categories: Any = (), terms: int = 0) -> Encoded:
    """Rows from their columns of numbers, and of texts."""
    texts = np.array([list(each) for each in categories], dtype=object)
    values = np.array(numbers, dtype=np.float32).T
    return Encoded(values, texts.T.reshape(len(values), len(categories)), terms)


def first_number(asked: Encoded) -> Floats:
    """A model that answers with the first number of a row."""
    return asked.numbers[:, 0].astype(np.float64)


def test_it_is_the_mean_distance_from_the_values_of_the_ten_most_similar_rows() -> None:
    ages = [*range(10), *range(100, 110)]
    known = Known(rows([ages]), np.array([float(age + 3) for age in ages]))
    found = off_known_values(first_number, rows([[5.0, 104.0]]), known, seed=0)
    wanted = [np.abs(np.arange(10) + 3 - 5).mean(), np.abs(np.arange(100, 110) + 3 - 104).mean()]
    assert found.values == pytest.approx(wanted)
    assert "of the 10 rows most like it, in units of the target" in found.measure


def test_it_orders_rows_by_the_error_that_the_model_makes() -> None:
    """Noise that grows with a column, and a model that knows nothing of another."""
    draw = np.random.default_rng(0)

    def sample(count: int) -> tuple[Encoded, Floats]:
        x = draw.random((3, count))
        town = draw.choice(["Oslo", "Rome"], count)
        truth = 10 * x[0] + draw.normal(size=count) * x[1] * 3 + 5 * (town == "Rome")
        return rows(x, [town]), truth

    def model(asked: Encoded) -> Floats:
        """It sees the second column and the town a little, as a fitted model does."""
        seen = asked.numbers.astype(np.float64)
        return 10 * seen[:, 0] + 0.5 * seen[:, 1] + (asked.categories[:, 0] == "Rome")

    known, (asked, truth) = Known(*sample(2_000)), sample(1_000)
    found = off_known_values(model, asked, known, seed=0)
    rho = spearmanr(found.values, np.abs(truth - model(asked))).statistic
    assert rho > 0.5


def test_a_row_counts_for_itself_whatever_others_are_asked() -> None:
    draw = np.random.default_rng(1)
    known = Known(rows(draw.random((4, 300)), [draw.choice(list("abc"), 300)]), draw.random(300))
    asked = rows(draw.random((4, 600)), [draw.choice(list("abcd"), 600)])
    together = off_known_values(first_number, asked, known, seed=0).values
    for row in (0, 249, 250, 599):
        alone = off_known_values(first_number, asked.take(np.array([row])), known, seed=0).values
        assert together[row] == pytest.approx(alone[0])


def test_a_number_beyond_all_bounds_disturbs_no_other_row() -> None:
    draw = np.random.default_rng(2)
    known = Known(rows(draw.random((2, 100))), draw.random(100))
    asked = rows(draw.random((2, 20)))
    before = off_known_values(first_number, asked, known, seed=0).values
    asked.numbers[3] = [3.4e38, -3.4e38]
    after = off_known_values(first_number, asked, known, seed=0).values
    others = np.arange(20) != 3
    np.testing.assert_array_equal(after[others], before[others])
    assert np.isfinite(after[3])


def test_columns_that_answers_depend_on_say_more_of_which_rows_are_alike() -> None:
    """The answer is the same on both sides of a half, the truth is not; nine columns disturb."""
    draw = np.random.default_rng(3)
    known, asked = rows(draw.random((10, 1_000))), rows(draw.random((10, 200)))
    asked.numbers[:, 0] *= 0.3
    values = np.where(known.numbers[:, 0] > 0.5, 100.0, 0.0)
    found = off_known_values(
        lambda asked: np.abs(first_number(asked) - 0.5), asked, Known(known, values), seed=0
    )
    assert np.median(found.values) < 1


def test_a_column_that_only_governs_the_noise_is_heeded() -> None:
    draw = np.random.default_rng(5)
    x, town = draw.random((1, 600)), draw.choice(["Oslo", "Rome"], 600)
    values = x[0] + draw.normal(size=600) * np.where(town == "Rome", 5, 0.1)
    asked = rows(draw.random((1, 200)), [["Oslo"] * 100 + ["Rome"] * 100])
    found = off_known_values(first_number, asked, Known(rows(x, [town]), values), seed=0).values
    assert found[:100].max() < found[100:].min()


@given(st.integers(-20, 20), st.integers(0, 2**31))
def test_in_other_units_the_measure_is_in_those(power: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    known, values = rows(draw.random((3, 40))), draw.normal(size=40)
    asked, unit = rows(draw.random((3, 10))), 2.0**power
    one = off_known_values(first_number, asked, Known(known, values), seed)
    other = off_known_values(
        lambda rows: unit * first_number(rows), asked, Known(known, unit * values), seed
    )
    np.testing.assert_allclose(other.values, unit * one.values)


def test_a_row_without_a_finite_answer_is_as_uncertain_as_the_most_uncertain() -> None:
    known = Known(rows([[1.0, 2.0, 3.0]]), np.array([10.0, 20.0, 30.0]))
    found = off_known_values(first_number, rows([[1.0, np.nan, 3.0]]), known, seed=0)
    assert found.values == pytest.approx([19.0, 19.0, 17.0])


def test_where_no_value_is_known_nothing_is_said() -> None:
    nobody = Known(rows([[]]), np.empty(0))
    found = off_known_values(first_number, rows([[1.0, 2.0]]), nobody, seed=0)
    assert found.values.tolist() == [0.0, 0.0]
    assert "no value is known" in found.measure


def test_the_influence_of_a_column_is_what_shuffling_it_changes() -> None:
    draw = np.random.default_rng(4)
    town = draw.choice(["Oslo", "Rome"], 400)
    asked = rows(draw.random((4, 400)), [town], terms=2)  # the last two are weights of terms

    def model(asked: Encoded) -> Floats:
        numbers = asked.numbers.astype(np.float64)
        return 2 * numbers[:, 1] + 8 * (asked.categories[:, 0] == "Rome") + numbers[:, 2]

    nothing, number, category, texts = influences(model, asked, seed=0)
    assert nothing == 0
    # Two draws from 0 to 1 are a third from each other, two towns are different in half of cases.
    assert (number, category, texts) == pytest.approx((2 / 3, 4, 1 / 3), rel=0.15)


@given(st.integers(0, 2**31))
def test_column_by_column_rows_differ_as_much_as_row_by_row(seed: int) -> None:
    draw = np.random.default_rng(seed)
    numbers = draw.random((5, 12))
    numbers[draw.random((5, 12)) < 0.2] = np.nan
    numbers[3:] = np.nan_to_num(numbers[3:])
    made = Dissimilarity.of(rows(numbers, [draw.choice(list("ab"), 12)], terms=2))
    shares = np.full(made.columns, 1 / made.columns)
    apart = made.between(slice(0, 4), slice(4, None), shares)
    for row in range(4):
        np.testing.assert_allclose(apart[row], made.of_one(row, list(range(4, 12))), atol=1e-6)
