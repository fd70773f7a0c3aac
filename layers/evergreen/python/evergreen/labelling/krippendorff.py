"""Krippendorff's alpha: how far all labellers together agree beyond what chance would give."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evergreen.labelling.rater_agreement import FEWEST_ROWS, NORMAL_95


@dataclass(frozen=True)
class OverallAgreement:
    """All labellers on the rows that two or more of them labelled.

    `alpha` with its 95 % interval is None where there are too few rows, or where all gave one and
    the same label: chance then explains all.
    """

    labellers: int
    rows: int
    alpha: float | None = None
    lower: float | None = None
    upper: float | None = None

    @property
    def sentence(self) -> str:
        """As a person would say it."""
        said = f"{self.labellers:,} labellers have {self.rows:,} rows with two or more labels"
        if self.alpha is None:
            return f"{said}: too few, or too much alike, to say how far they agree"
        return (
            f"{said}; together they agree with Krippendorff's alpha {self.alpha:.2f} "
            f"(95 % from {self.lower:.2f} to {self.upper:.2f})"
        )

    def to_plain(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


def overall_agreement(labellers: int, patterns: Mapping[tuple[str, ...], int]) -> OverallAgreement:
    """Compare all labellers; `patterns` counts the rows by all the labels that one was given."""
    labels = sorted({label for pattern in patterns for label in pattern})
    place = {label: index for index, label in enumerate(labels)}
    votes = np.zeros((len(patterns), len(labels)))
    for number, pattern in enumerate(patterns):
        for label in pattern:
            votes[number, place[label]] += 1
    rows = np.array(list(patterns.values()), dtype=np.float64)
    found = krippendorffs_alpha(votes, rows) if rows.sum() >= FEWEST_ROWS else None
    if found is None:
        return OverallAgreement(labellers, int(rows.sum()))
    alpha, error = found
    slack = NORMAL_95 * error
    return OverallAgreement(
        labellers, int(rows.sum()), alpha, max(alpha - slack, -1.0), min(alpha + slack, 1.0)
    )


def krippendorffs_alpha(
    votes: NDArray[np.float64], rows: NDArray[np.float64]
) -> tuple[float, float] | None:
    """Nominal alpha and its standard error; None where all votes are for one and the same label.

    `votes` (patterns, labels) says how often each label was given to a row, two or more in all;
    `rows` (patterns,) how many rows were given just these. Alpha is 1 - D_o / D_e, where the
    observed disagreement D_o is the share of pairs of votes within a row that differ, each row
    weighing as much as it has votes, and the expected D_e that of pairs among all votes
    (Krippendorff 2011, "Computing Krippendorff's alpha-reliability"). With `n` votes, `n_c` of
    them for label c, and `n_uc` of the `m_u` of row u,

        alpha = 1 - (n - 1) (n - sum_u sum_c n_uc (n_uc - 1) / (m_u - 1)) / (n^2 - sum_c n_c^2)

    so that rows with few votes, and labellers who skip rows, need no special case. The error is
    that of the infinitesimal jackknife over rows (Efron 1981, "Nonparametric estimates of standard
    error"): alpha is a smooth function of sums over rows. It is 0 for labellers that never
    disagreed, however few their rows.
    """
    sizes = votes.sum(axis=1)
    agreeing = (votes * (votes - 1)).sum(axis=1) / (sizes - 1)
    total, agreed, by_label = rows @ sizes, rows @ agreeing, rows @ votes
    possible = total**2 - by_label @ by_label
    if possible <= 0:
        return None
    differing = total - agreed
    alpha = 1 - (total - 1) * differing / possible
    # What one more row of each pattern changes: the derivative by every sum, times its share.
    steeper = 2 * (total - 1) * differing / possible**2
    per_vote = steeper * total - (differing + total - 1) / possible
    changes = (total - 1) / possible * agreeing + per_vote * sizes - votes @ (steeper * by_label)
    centred = changes - rows @ changes / rows.sum()
    return float(alpha), math.sqrt(float(rows @ centred**2))
