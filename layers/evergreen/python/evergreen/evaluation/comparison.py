"""Candidate against champion on the same rows, with three verdicts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from evergreen.evaluation.intervals import quantiles
from evergreen.evaluation.metric_choice import search_metric
from evergreen.evaluation.metrics import METRICS
from evergreen.evaluation.resampling import resample_weights

RESAMPLES = 1_000
"""More than for an interval: a decision hangs on one tail."""

Verdict = Literal["better", "not_better", "not_enough_evidence"]


@dataclass(frozen=True)
class Comparison:
    """The gain of the candidate (positive: better) with its interval, and the verdict."""

    metric: str
    candidate: float
    champion: float
    gain: float
    lower: float
    upper: float
    confidence: float
    verdict: Verdict


def compare(
    target: NDArray[Any],
    candidate: NDArray[Any],
    champion: NDArray[Any],
    *,
    task: str,
    metric: str | None,
    confidence: float,
    seed: int,
) -> Comparison:
    """Paired bootstrap of the metric's difference (Efron & Tibshirani 1993, ch. 16).

    One-sided at `confidence`: *better* if the gain's lower bound is above 0, *not better* if its
    upper bound is not, else there is not enough evidence. So a candidate that is no better is
    called *better* in at most 1 − `confidence` of all comparisons.
    """
    chosen = METRICS[search_metric(metric, task)]
    sign = 1.0 if chosen.greater_is_better else -1.0
    ours_of, theirs_of = (chosen.prepared(target, each) for each in (candidate, champion))
    drawn = [
        sign * (ours_of(weights) - theirs_of(weights))
        for weights in resample_weights(len(target), seed, RESAMPLES)
    ]
    ours, theirs = (chosen.function(target, each) for each in (candidate, champion))
    # Too few rows of a class to resample: nothing can be said, whatever the values are.
    lower, upper = quantiles(drawn, 1 - confidence) or (-np.inf, np.inf)
    verdict: Verdict = (
        "better" if lower > 0 else "not_better" if upper <= 0 else "not_enough_evidence"
    )
    return Comparison(
        chosen.name,
        ours,
        theirs,
        sign * (ours - theirs),
        lower,
        upper,
        confidence,
        verdict,
    )
