"""Cohen's kappa is scikit-learn's, its error the published one, its interval holds what it says."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from evergreen.labelling.rater_agreement import FEWEST_ROWS, agreement, cohens_kappa

WHO = ("anna", "bert")
LABELS = st.sampled_from(["a", "b", "c"])


@given(st.lists(st.tuples(LABELS, LABELS), min_size=FEWEST_ROWS, max_size=60))
def test_kappa_is_that_of_scikit_learn(rows: list[tuple[str, str]]) -> None:
    found = agreement(WHO, Counter(rows))
    assert found.agreed == pytest.approx(np.mean([one == other for one, other in rows]))
    if len({label for row in rows for label in row}) == 1:
        assert found.kappa is None
    else:
        first, second = zip(*rows, strict=True)
        assert found.kappa == pytest.approx(cohen_kappa_score(first, second), abs=1e-9)
        assert found.lower <= found.kappa <= found.upper


def test_the_error_is_the_published_one() -> None:
    """Fleiss, Levin and Paik 2003, table 18.1: kappa 0.68 with a standard error of 0.088."""
    found = cohens_kappa(np.array([[75.0, 1, 4], [5, 4, 1], [0, 0, 10]]))
    assert found == pytest.approx((0.6765, 0.0877), abs=5e-5)


def test_the_interval_holds_the_true_kappa_in_95_of_100_samples() -> None:
    shares = np.array([[0.5, 0.05, 0.05], [0.02, 0.1, 0.03], [0.05, 0.05, 0.15]])
    truth, _ = cohens_kappa(shares * 1e9) or (0.0, 0.0)
    draw = np.random.default_rng(0)
    held = 0
    for _ in range(1_000):
        table = draw.multinomial(200, shares.ravel()).reshape(3, 3)
        pairs = {(str(i), str(j)): int(table[i, j]) for i in range(3) for j in range(3)}
        found = agreement(WHO, pairs)
        held += found.lower <= truth <= found.upper  # type: ignore[operator]
    assert 0.93 <= held / 1_000 <= 0.97


def test_few_rows_in_common_get_no_kappa() -> None:
    found = agreement(WHO, {("a", "a"): 5, ("a", "b"): FEWEST_ROWS - 6})
    assert (found.rows, found.kappa) == (FEWEST_ROWS - 1, None)
    assert found.sentence == "'anna' and 'bert' agree in 56% of 9 rows"


def test_one_and_the_same_label_says_nothing_beyond_chance() -> None:
    assert agreement(WHO, {("a", "a"): 50}).kappa is None
