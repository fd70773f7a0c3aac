from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binom
from sklearn.metrics import roc_auc_score

from evergreen.monitoring.performance import PerformanceReport, performance


def world(rows: int, seed: int, noise: float = 1.0) -> tuple[NDArray[Any], NDArray[Any]]:
    """Binary targets and probabilities; more noise is a worse model."""
    draw = np.random.default_rng(seed)
    truth = draw.normal(size=rows)
    risk = 1 / (1 + np.exp(-(truth + draw.normal(0, noise, rows))))
    return (truth > 0).astype(np.int64), np.stack([1 - risk, risk], axis=1)


def judged(window: tuple[Any, Any], holdout: tuple[Any, Any], **options: Any) -> PerformanceReport:
    arguments: dict[str, Any] = {
        "task": "binary",
        "metric": "roc_auc",
        "false_alarm_rate": 0.01,
        "seed": 1,
    }
    return performance(*window, *holdout, **(arguments | options))


HOLDOUT = world(2000, seed=1)


def test_the_value_is_the_metric_and_lies_in_its_interval() -> None:
    window = world(500, seed=2)
    report = judged(window, HOLDOUT)
    assert report.value == pytest.approx(roc_auc_score(window[0], window[1][:, 1]))
    assert report.reference == pytest.approx(roc_auc_score(HOLDOUT[0], HOLDOUT[1][:, 1]))
    assert report.interval is not None
    assert report.interval[0] < report.value < report.interval[1]
    assert not report.dropped
    assert report.sentence.startswith("Performance holds: roc_auc 0.8")


@pytest.mark.parametrize("metric", ["roc_auc", "log_loss", "accuracy", "f1"])
def test_a_worse_window_is_a_drop_in_every_metric(metric: str) -> None:
    report = judged(world(500, seed=3, noise=2.5), HOLDOUT, metric=metric)
    assert report.dropped
    assert report.threshold is not None
    assert report.value is not None
    worse = report.value <= report.threshold
    assert worse == report.greater_is_better
    assert report.sentence.startswith(f"Performance dropped: {metric}")


def test_a_better_window_is_no_drop() -> None:
    assert not judged(world(500, seed=3, noise=0.2), HOLDOUT).dropped


def test_windows_as_good_as_the_holdout_are_called_worse_at_most_as_often_as_declared() -> None:
    rate, windows = 0.1, 80
    dropped = 0
    for seed in range(windows):
        target, answers = world(360, seed=100 + seed)
        report = judged(
            (target[:60], answers[:60]),
            (target[60:], answers[60:]),
            false_alarm_rate=rate,
            seed=seed,
        )
        dropped += report.dropped
    assert binom.ppf(0.001, windows, rate) <= dropped <= binom.ppf(0.999, windows, rate)


def test_a_window_of_one_class_cannot_tell_and_says_so() -> None:
    target, answers = world(300, seed=4)
    report = judged((target[target == 1], answers[target == 1]), HOLDOUT)
    assert (report.value, report.interval, report.dropped) == (None, None, False)
    assert "cannot be measured" in report.sentence


@pytest.mark.parametrize("rows", [0, 1])
def test_hardly_any_rows_are_survived(rows: int) -> None:
    target, answers = world(rows, seed=5)
    report = judged((target, answers), HOLDOUT)
    assert not report.dropped
    assert report.rows == rows


def test_predictions_without_an_answer_are_left_out() -> None:
    target, answers = world(300, seed=6)
    silent = answers.copy()
    silent[::2] = np.nan
    assert judged((target, silent), HOLDOUT).rows == 150


def test_regression_is_measured_by_its_default_and_errors_that_grow_are_a_drop() -> None:
    draw = np.random.default_rng(7)
    target = draw.normal(size=900)
    good, bad = target + draw.normal(0, 1, 900), target + draw.normal(0, 1.5, 900)
    report = judged(
        (target[:300], bad[:300]), (target[300:], good[300:]), task="regression", metric=None
    )
    assert (report.metric, report.dropped) == ("rmse", True)
    assert report.value == pytest.approx(np.sqrt(np.mean((target - bad)[:300] ** 2)))


def test_a_window_that_is_no_worse_than_a_stretch_of_the_ordered_holdout_is_no_drop() -> None:
    bad_days = world(300, seed=8, noise=4)
    rest = world(1700, seed=9, noise=0.5)
    holdout = tuple(np.concatenate(parts) for parts in zip(bad_days, rest, strict=True))
    window = world(300, seed=10, noise=2)
    assert judged(window, holdout).dropped  # type: ignore[arg-type]
    calm = judged(window, holdout, ordered=True)  # type: ignore[arg-type]
    assert not calm.dropped
    assert calm.worst_stretch is not None
    assert calm.value is not None
    assert calm.worst_stretch < calm.value
