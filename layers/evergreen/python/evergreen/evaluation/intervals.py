"""A metric with its bootstrap interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evergreen.evaluation.metrics import METRICS
from evergreen.evaluation.resampling import resample_weights

CONFIDENCE = 0.95

LEAST_DEFINED = 0.5
"""A metric that is undefined in more than this share of the resamples is left out."""


@dataclass(frozen=True)
class Measured:
    """A metric on some rows: its value, and the interval that holds it with 95 % confidence."""

    value: float
    lower: float
    upper: float


def measure(
    names: Sequence[str], target: NDArray[Any], predictions: NDArray[Any], seed: int
) -> dict[str, Measured]:
    """Percentile bootstrap of several metrics on the same resamples.

    `target` (rows,), `predictions` (rows, classes) or (rows,). Metrics that are undefined for
    these rows, or for most resamples of them, are left out.
    """
    of_weights = {name: METRICS[name].prepared(target, predictions) for name in names}
    drawn: dict[str, list[NDArray[np.float64]]] = {name: [] for name in names}
    for weights in resample_weights(len(target), seed):
        for name in names:
            drawn[name].append(of_weights[name](weights))
    found: dict[str, Measured] = {}
    for name in names:
        value = METRICS[name].function(target, predictions)
        bounds = quantiles(drawn[name], (1 - CONFIDENCE) / 2)
        if np.isfinite(value) and bounds:
            found[name] = Measured(value, *bounds)
    return found


def quantiles(drawn: Sequence[NDArray[np.float64]], tail: float) -> tuple[float, float] | None:
    """The resampled values that leave `tail` below and above; None where too few are defined."""
    values = np.concatenate(drawn) if drawn else np.empty(0)
    defined = values[np.isfinite(values)]
    if not defined.size or defined.size < LEAST_DEFINED * values.size:
        return None
    lower, upper = np.quantile(defined, [tail, 1 - tail])
    return float(lower), float(upper)
