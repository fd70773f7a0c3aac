"""Krippendorff's alpha is the published one, and its interval holds what it says."""

from __future__ import annotations

from collections import Counter
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evergreen.labelling.krippendorff import OverallAgreement, krippendorffs_alpha
from evergreen.labelling.krippendorff import overall_agreement as overall
from evergreen.labelling.rater_agreement import FEWEST_ROWS, NORMAL_95

ROWS = st.lists(
    st.lists(st.sampled_from("abc"), min_size=2, max_size=5), min_size=FEWEST_ROWS, max_size=40
)


def compared(rows: list[list[str]]) -> OverallAgreement:
    """Of rows as the labels that each was given."""
    return overall(5, Counter(tuple(sorted(row)) for row in rows if len(row) > 1))


@pytest.mark.parametrize(
    ("labellers", "published"),
    [
        # Krippendorff 2011, "Computing Krippendorff's alpha-reliability", examples A, B and C.
        (("0100000010", "1110010000"), 0.095),
        (("aabbdcccedda", "babbbccceddd"), 0.692),
        (("123321412...", "1233224125..", ".33323422513", "12332441251."), 0.743),
        # The example of Wikipedia's "Krippendorff's alpha", with values by one of three only.
        ((".....34121133.3", "1.213343.......", "..21344.21133.4"), 0.691),
    ],
)
def test_alpha_is_the_published_one(labellers: tuple[str, ...], published: float) -> None:
    rows = [[vote for vote in votes if vote != "."] for votes in zip(*labellers, strict=True)]
    votes = np.array([[row.count(label) for label in "abcde012345"] for row in rows if row[1:]])
    found = krippendorffs_alpha(votes.astype(np.float64), np.ones(len(votes)))
    assert found is not None
    assert found[0] == pytest.approx(published, abs=5e-4)


def test_with_as_many_votes_for_each_row_it_is_nearly_fleiss_kappa() -> None:
    """The table of Wikipedia's "Fleiss' kappa", 14 labellers of 10 rows, kappa 0.210.

    Alpha is greater by (1 - kappa) / votes: it takes the votes as a sample.
    """
    table = "0000e 02642 00356 03920 22811 77000 32630 25322 65210 02237"  # hexadecimal digits
    votes = np.array([[int(digit, 16) for digit in row] for row in table.split()], dtype=float)
    assert votes.sum(axis=1).tolist() == [14] * 10
    found = krippendorffs_alpha(votes, np.ones(10))
    assert found is not None
    assert found[0] == pytest.approx(0.210 + (1 - 0.210) / 140, abs=5e-4)


@given(ROWS)
def test_alpha_is_what_counting_every_pair_of_votes_gives(rows: list[list[str]]) -> None:
    within = sum(
        sum(one != other for one, other in permutations(row, 2)) / (len(row) - 1) for row in rows
    )
    votes = [vote for row in rows for vote in row]
    among = sum(one != other for one, other in permutations(votes, 2)) / (len(votes) - 1)
    found = compared(rows)
    assert found.rows == len(rows)
    if among == 0:
        assert found.alpha is None
        return
    assert found.alpha == pytest.approx(1 - within / among)
    assert found.lower is not None
    assert found.upper is not None
    assert max(found.lower, -1) <= found.alpha <= found.upper


def test_the_interval_holds_the_true_alpha_in_95_of_100_samples() -> None:
    draw = np.random.default_rng(0)

    def sample(count: int) -> tuple[float, float]:
        """Rows of three classes, with two to four votes, each right in 7 of 10 cases or by luck."""
        truth = draw.choice(3, count, p=[0.5, 0.3, 0.2])
        said = np.where(
            draw.random((count, 4)) < 0.7, truth[:, None], draw.integers(0, 3, (count, 4))
        )
        voted = np.arange(4) < draw.integers(2, 5, count)[:, None]
        votes = np.stack([((said == label) & voted).sum(axis=1) for label in range(3)], axis=1)
        found = krippendorffs_alpha(votes.astype(np.float64), np.ones(count))
        assert found is not None
        return found

    true, _ = sample(1_000_000)
    found = np.array([sample(200) for _ in range(1_000)])
    held = np.abs(found[:, 0] - true) <= NORMAL_95 * found[:, 1]
    assert 0.93 <= held.mean() <= 0.97


def test_labellers_who_guess_have_an_alpha_around_zero() -> None:
    draw = np.random.default_rng(1)
    found = compared([list(row) for row in draw.choice(list("ab"), (5_000, 3), p=[0.8, 0.2])])
    assert found.lower is not None
    assert found.upper is not None
    assert found.lower < 0 < found.upper < 0.03


def test_few_rows_get_no_alpha_and_the_sentence_says_so() -> None:
    found = overall(3, {("a", "b"): FEWEST_ROWS - 1})
    assert (found.rows, found.alpha) == (FEWEST_ROWS - 1, None)
    assert found.sentence == (
        "3 labellers have 9 rows with two or more labels: too few, or too much alike, to say how "
        "far they agree"
    )


def test_one_and_the_same_label_says_nothing_beyond_chance() -> None:
    assert overall(3, {("a", "a"): 50, ("a", "a", "a"): 5}).alpha is None
