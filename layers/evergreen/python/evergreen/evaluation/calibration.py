"""Whether probabilities mean what they say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 10


@dataclass(frozen=True)
class Bin:
    """Rows with near confidences: their mean confidence, and the share that was right."""

    rows: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Reliability:
    """The bins, the least confident first, and the expected calibration error.

    The error (Naeini et al. 2015) is the mean distance of said and seen shares, weighted by rows.
    """

    bins: tuple[Bin, ...]
    expected_error: float


def reliability(target: NDArray[Any], probabilities: NDArray[Any]) -> Reliability:
    """Of a binary target the probability of the positive class, else that of the likeliest.

    `target` class indices (rows,), `probabilities` (rows, classes). The bins hold about equally
    many rows: equal widths would leave most of them empty when the event is rare.
    """
    if probabilities.shape[1] == 2:  # noqa: PLR2004 - of two classes one speaks for both
        said, right = probabilities[:, 1], target == 1
    else:
        said, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == target
    if not said.size:
        return Reliability((), 0.0)
    order = np.argsort(said, kind="stable")
    ranked = said[order]
    wanted = np.linspace(0, said.size, min(BINS, said.size) + 1).astype(int)[1:-1]
    # Equal confidences stay together: a cut between them would compare noise with noise.
    cuts = np.unique(np.searchsorted(ranked, ranked[wanted]))
    bins = tuple(
        Bin(part.size, float(said[part].mean()), float(right[part].mean()))
        for part in np.split(order, cuts)
        if part.size
    )
    error = sum(each.rows * abs(each.confidence - each.accuracy) for each in bins) / said.size
    return Reliability(bins, float(error))
