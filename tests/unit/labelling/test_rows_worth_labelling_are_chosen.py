"""The list for labelling: uncertain rows first, some at random, nothing twice in other words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evergreen.features.encoding import Encoded
from evergreen.labelling.shortlist import shortlist
from evergreen.labelling.uncertainty import margin


def rows(numbers: Any, categories: Any = None) -> Encoded:
    texts = np.array([] if categories is None else list(categories), dtype=object)
    return Encoded(
        np.array(numbers, dtype=np.float32).reshape(len(numbers), 1),
        texts.reshape(len(numbers), 0 if categories is None else 1),
    )


def apart(count: int) -> Encoded:
    """Rows that all differ in their category."""
    return rows(np.zeros(count), [str(i) for i in range(count)])


@pytest.mark.parametrize(
    ("probabilities", "wanted"),
    [([0.5, 0.5, 0.0], 1.0), ([0.4, 0.3, 0.3], 0.9), ([1.0, 0.0, 0.0], 0.0), ([np.nan] * 3, 1.0)],
)
def test_a_class_is_uncertain_when_the_next_is_near(
    probabilities: list[float], wanted: float
) -> None:
    assert margin(np.array([probabilities])).values == pytest.approx([wanted])


def test_two_classes_are_ordered_as_by_entropy() -> None:
    p = np.random.default_rng(0).uniform(0.001, 0.999, 200)
    found = margin(np.stack([1 - p, p], axis=1)).values
    entropy = -(p * np.log(p) + (1 - p) * np.log(1 - p))
    np.testing.assert_array_equal(np.argsort(found), np.argsort(entropy))


def test_the_most_uncertain_come_first() -> None:
    chosen = shortlist(np.arange(50) / 50, apart(50), rows=5, random=0, seed=1)
    assert [each.row for each in chosen] == [49, 48, 47, 46, 45]
    assert {each.chosen_by for each in chosen} == {"uncertainty"}


@given(
    count=st.integers(0, 60),
    wanted=st.integers(1, 40),
    random=st.floats(0, 1),
    seed=st.integers(0, 2**31),
)
def test_a_list_has_its_length_and_its_share_and_no_row_twice(
    count: int, wanted: int, random: float, seed: int
) -> None:
    values = np.random.default_rng(seed).random(count)
    chosen = shortlist(values, apart(count), wanted, random, seed)
    assert len(chosen) == min(count, wanted) == len({each.row for each in chosen})
    drawn = [each for each in chosen if each.chosen_by == "random"]
    assert len(drawn) == round(len(chosen) * random)
    assert chosen == shortlist(values, apart(count), wanted, random, seed)


def test_any_beginning_of_the_list_has_the_share_of_random_rows() -> None:
    chosen = shortlist(np.zeros(200), apart(200), rows=100, random=0.2, seed=3)
    for length in range(5, 100, 5):
        drawn = sum(each.chosen_by == "random" for each in chosen[:length])
        assert drawn == length / 5


def test_rows_are_drawn_with_equal_chance_however_uncertain_they_are() -> None:
    values = np.arange(20) / 20
    drawn = [
        each.row
        for seed in range(500)
        for each in shortlist(values, apart(20), rows=10, random=0.5, seed=seed)
        if each.chosen_by == "random"
    ]
    counts = np.bincount(drawn, minlength=20)
    # 2,500 draws, 125 of each row expected: below 43.8 in 99.9 of 100 cases (chi-squared, df 19).
    assert ((counts - 125) ** 2 / 125).sum() < 43.8


def test_near_identical_rows_are_listed_once() -> None:
    ages = [20, 20, 20.1, 40, 40, 90]
    values = np.array([0.9, 0.9, 0.9, 0.8, 0.8, 0.1])
    chosen = shortlist(values, rows(ages), rows=6, random=0, seed=0)
    assert sorted(ages[each.row] // 10 for each in chosen) == [2, 4, 9]


def test_another_category_or_a_missing_value_is_a_difference() -> None:
    same = rows([[20], [20], [np.nan], [np.nan]], ["a", "b", "a", "a"])
    assert len(shortlist(np.ones(4), same, rows=4, random=0, seed=0)) == 3


def test_texts_differ_by_their_words_however_many_words_there_are() -> None:
    weights = np.zeros((3, 500), dtype=np.float32)
    weights[:2, 1] = weights[2, 2] = 1
    texts = Encoded(
        np.hstack([np.ones((3, 1), dtype=np.float32), weights]), rows([0] * 3).categories, 500
    )
    assert len(shortlist(np.ones(3), texts, rows=3, random=0, seed=0)) == 2


def test_rows_drawn_at_random_are_not_filtered() -> None:
    assert len(shortlist(np.ones(9), rows([1.0] * 9), rows=6, random=0.5, seed=0)) == 3
