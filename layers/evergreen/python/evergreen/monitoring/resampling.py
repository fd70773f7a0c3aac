"""Resampling: how far apart reference and window lie when chance alone deals the rows.

Rows of both are pooled and dealt again at the real sizes, many times. All statistics are taken of
the same deals, so the dependence between columns is kept, and the probability that *any* of them
alarms is what was declared, however they depend on each other: the max-T procedure of Westfall and
Young, *Resampling-Based Multiple Testing* (1993). It controls the family-wise error rate, which
bounds the false discovery rate as well.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LOWEST_RATE = 0.0001
"""A lower false alarm rate would need more resamples than a function has time for."""

LEAST_SPREAD = 1e-12
"""Below it a statistic counts as constant, and cannot alarm."""


@dataclass(frozen=True)
class Verdict:
    """`p_value`: (tests,), adjusted for all tests; `threshold`: (tests,), to be exceeded."""

    p_value: NDArray[np.float64]
    threshold: NDArray[np.float64]


def resamples_for(false_alarm_rate: float) -> int:
    """Tell how many deals give a threshold at this rate: 999, more for rates below 0.2 %."""
    if not LOWEST_RATE <= false_alarm_rate < 1:
        raise ValueError(f"a false alarm rate must be at least {LOWEST_RATE} and less than 1")
    return max(999, math.ceil(2 / false_alarm_rate) - 1)


def deals(
    reference_rows: int, window_rows: int, resamples: int, seed: int
) -> Iterator[NDArray[np.intp]]:
    """Deal the pool [reference, window]: row numbers of the smaller side, the real one first.

    The statistics treat both sides alike, so the larger one need not be gathered.
    """
    total = reference_rows + window_rows
    window_is_smaller = window_rows <= reference_rows
    real = np.arange(reference_rows, total) if window_is_smaller else np.arange(reference_rows)
    yield real
    dealer = np.random.default_rng(seed)
    for _ in range(resamples):
        yield dealer.choice(total, len(real), replace=False, shuffle=False)


def judge(statistics: NDArray[np.float64], false_alarm_rate: float) -> Verdict:
    """Judge tests together; `statistics` is (tests, 1 + resamples), the real deal first.

    Statistics are sums of squares, 0 when both sides are equal. So that those of different spread
    and skewness compete fairly for the maximum, they are compared by their standardised cube root,
    which is close to normal for all of them (Wilson and Hilferty, *PNAS* 17, 1931). The real deal
    takes part in every mean and count like any other: that makes the test exact.
    """
    roots = np.cbrt(statistics)
    centre = roots.mean(axis=1, keepdims=True)
    spread = roots.std(axis=1, keepdims=True)
    varied = spread > LEAST_SPREAD
    scores = np.where(varied, (roots - centre) / np.where(varied, spread, 1), -np.inf)
    highest = scores.max(axis=0)
    p_value = (highest[np.newaxis, :] >= scores[:, :1]).mean(axis=1)
    allowed = math.floor(false_alarm_rate * statistics.shape[1] + 1e-9)
    limit = np.sort(highest)[::-1][allowed] if varied.any() else 0.0
    threshold = np.where(varied, np.maximum(centre + limit * spread, 0), 0)[:, 0] ** 3
    return Verdict(p_value, threshold)
