"""Realised performance: whether a window, now that its labels are known, is worse than the holdout.

Rows of holdout and window are pooled, and windows of the real size dealt from the pool: a
permutation test (Good, *Permutation, Parametric and Bootstrap Tests of Hypotheses*, 2005). If the
window's rows come from where the holdout's came from, the probability to call it worse is at most
the declared rate, exactly, for any metric and any number of rows.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evergreen.evaluation.metric_choice import METRIC_FACTS, search_metric
from evergreen.evaluation.metrics import METRICS, Metric
from evergreen.monitoring.resampling import resamples_for
from evergreen.monitoring.shares import short
from evergreen.monitoring.stretches import stretches_of

CONFIDENCE = 0.95
BOOTSTRAPS = 499
AT_ONCE = 100
TIE = 1e-9
MOST_WINDOW_ROWS = 5_000
MOST_HOLDOUT_ROWS = 10_000
"""Larger sides are sampled for test and interval; the values are of all rows."""

Rows = tuple[NDArray[Any], NDArray[Any]]
"""Target and predictions of the same rows."""


@dataclass(frozen=True)
class PerformanceReport:
    """The metric on the window's labelled rows, beside the holdout.

    `interval` is a 95 % percentile bootstrap. `threshold` is the value at which the window counts
    as dropped, `worst_stretch` the worst value of the holdout itself (None unless in time order).
    Numbers are None where the window cannot tell (a single class has no ROC curve).
    """

    metric: str
    greater_is_better: bool
    value: float | None
    interval: tuple[float, float] | None
    reference: float | None
    threshold: float | None
    worst_stretch: float | None
    p_value: float | None
    dropped: bool
    rows: int
    reference_rows: int
    false_alarm_rate: float
    sentence: str

    def to_plain(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


def performance(
    target: NDArray[Any],
    predictions: NDArray[Any],
    holdout_target: NDArray[Any],
    holdout_predictions: NDArray[Any],
    *,
    task: str,
    metric: str | None,
    false_alarm_rate: float,
    seed: int,
    ordered: bool = False,
) -> PerformanceReport:
    """Measure the window by the metric (None: the task's default) and test it against the holdout.

    Targets are class indices (n,) with probabilities (n, classes), or values (n,) with values (n,).
    Rows without an answer are left out. `ordered` says that the holdout is in time order: then
    the window must also be worse than every stretch of the holdout as long as the window.
    """
    chosen = METRICS[search_metric(metric, task)]
    answered = ~np.isnan(predictions)
    if answered.ndim > 1:
        answered = answered.all(axis=1)
    window, holdout = (
        (target[answered], predictions[answered]),
        (holdout_target, holdout_predictions),
    )
    value, reference = chosen.function(*window), chosen.function(*holdout)
    known = math.isfinite(value) and math.isfinite(reference)
    interval, threshold, p_value, worst = None, None, None, None
    if known:
        if ordered:
            worst = _worst_stretch(chosen, holdout, len(window[0]))
        dealer = np.random.default_rng(seed)
        window = _sampled(window, MOST_WINDOW_ROWS, dealer)
        interval = _interval(chosen, window, dealer)
        threshold, p_value = _test(
            chosen, window, _sampled(holdout, MOST_HOLDOUT_ROWS, dealer), false_alarm_rate, dealer
        )
    report = PerformanceReport(
        metric=chosen.name,
        greater_is_better=chosen.greater_is_better,
        value=value if known else None,
        interval=interval,
        reference=reference if math.isfinite(reference) else None,
        threshold=threshold,
        worst_stretch=worst,
        p_value=p_value,
        dropped=p_value is not None
        and p_value <= false_alarm_rate
        and (worst is None or METRIC_FACTS[chosen.name].better(worst, value)),
        rows=int(answered.sum()),
        reference_rows=len(holdout_target),
        false_alarm_rate=false_alarm_rate,
        sentence="",
    )
    return replace(report, sentence=_sentence(report))


def _worst_stretch(metric: Metric, holdout: Rows, rows: int) -> float | None:
    """The worst value among stretches of the holdout as long as the window; None without any."""
    values = [
        metric.function(holdout[0][inside], holdout[1][inside])
        for inside in stretches_of(len(holdout[0]), rows)
    ]
    known = [value for value in values if math.isfinite(value)]
    return (min if metric.greater_is_better else max)(known) if known else None


def _sampled(rows: Rows, most: int, chooser: np.random.Generator) -> Rows:
    size = len(rows[0])
    chosen = chooser.choice(size, min(size, most), replace=False, shuffle=False)
    return rows[0][chosen], rows[1][chosen]


def _interval(
    metric: Metric, rows: Rows, chooser: np.random.Generator
) -> tuple[float, float] | None:
    size = len(rows[0])
    equal = np.full(size, 1 / size)
    values = np.concatenate(
        [
            metric.resampled(*rows, chooser.multinomial(size, equal, count).astype(np.float64))
            for count in _batches(BOOTSTRAPS)
        ]
    )
    values = values[np.isfinite(values)]
    if not values.size:
        return None
    low, high = np.quantile(values, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def _test(
    metric: Metric, window: Rows, holdout: Rows, rate: float, dealer: np.random.Generator
) -> tuple[float, float]:
    """Threshold (reached by the worst windows) and p-value of the window among dealt ones."""
    pool = (np.concatenate([window[0], holdout[0]]), np.concatenate([window[1], holdout[1]]))
    rows, size = len(pool[0]), len(window[0])
    found: list[NDArray[np.float64]] = []
    for count in _batches(resamples_for(rate) + 1):
        weights = np.zeros((count, rows))
        for deal in weights:
            deal[dealer.choice(rows, size, replace=False, shuffle=False)] = 1
        if not found:
            weights[0] = np.arange(rows) < size
        found.append(metric.resampled(*pool, weights))
    sign = 1.0 if metric.greater_is_better else -1.0
    dealt = sign * np.concatenate(found)
    dealt[~np.isfinite(dealt)] = -np.inf  # a deal that cannot tell counts as worse: never alarms
    allowed = max(math.floor(rate * len(dealt) + 1e-9), 1)
    # The real deal is summed in another order than its equals; a tie is a tie.
    p_value = float((dealt <= dealt[0] + TIE * abs(dealt[0])).mean())
    return float(sign * np.sort(dealt)[allowed - 1]), p_value


def _batches(total: int) -> list[int]:
    return [min(AT_ONCE, total - done) for done in range(0, total, AT_ONCE)]


def _sentence(report: PerformanceReport) -> str:
    rows = f"{report.rows:,} labelled rows"
    if report.value is None or report.reference is None:
        return f"{report.metric} cannot be measured on {rows}."
    ends = (
        f" ({short(report.interval[0])} to {short(report.interval[1])})" if report.interval else ""
    )
    measured = (
        f"{report.metric} {short(report.value)}{ends} on {rows},"
        f" {short(report.reference)} on the holdout"
    )
    if not report.dropped:
        return f"Performance holds: {measured}."
    return (
        f"Performance dropped: {measured} (at most {report.false_alarm_rate:.2%} of windows as good"
        " as the holdout are called worse)."
    )
