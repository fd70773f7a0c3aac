"""Whether the exported graph answers as the fitted model does, row by row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

TOLERANCE = 1e-4
"""Largest difference of a probability, or relative one of a value, that 32-bit floats explain."""

BEYOND_COMPARISON = 1e9
"""Said instead of an infinite difference, which JSON cannot hold."""


@dataclass(frozen=True)
class Agreement:
    """The largest difference over the holdout, and whether it is within the tolerance."""

    rows: int
    largest_difference: float
    agrees: bool


def agreement(fitted: NDArray[Any], graph: NDArray[Any]) -> Agreement:
    """Compare the predictions of both for the same rows.

    Probabilities (rows, classes) are compared as they are; values (rows,) relative to the greater
    of their size and their spread, because a float holds seven digits of whatever it holds. A
    prediction that is no number, or one too few, agrees with nothing.
    """
    if fitted.shape != graph.shape:
        return Agreement(len(graph), BEYOND_COMPARISON, agrees=False)
    differences = np.abs(fitted.astype(np.float64) - graph)
    if fitted.ndim == 1 and len(fitted):
        scale = np.maximum(np.abs(fitted), np.std(fitted))
        differences = differences / np.where(scale > 0, scale, 1.0)
    largest = float(np.max(np.nan_to_num(differences, nan=np.inf), initial=0.0))
    largest = min(largest, BEYOND_COMPARISON)
    return Agreement(len(graph), largest, agrees=largest <= TOLERANCE)
