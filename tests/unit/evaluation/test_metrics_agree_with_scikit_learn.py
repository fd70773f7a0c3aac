"""Every metric against scikit-learn's number for the same rows, plain and weighted."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as independent

from evergreen.contracts.project_file import Metric
from evergreen.evaluation.metric_choice import (
    METRIC_FACTS,
    MetricMismatchError,
    default_metric,
    metrics_for,
    search_metric,
)
from evergreen.evaluation.metrics import METRICS
from evergreen.features.signature import Task

Rows = tuple[np.ndarray, np.ndarray]


def binary(seed: int = 1, rows: int = 300) -> Rows:
    """Scores with many ties."""
    chance = np.random.default_rng(seed)
    target = (chance.random(rows) < 0.3).astype(np.int64)
    positive = np.clip(np.round(chance.random(rows) * 0.6 + target * 0.3, 1), 0.05, 0.95)
    return target, np.column_stack([1 - positive, positive])


def multiclass(seed: int = 2, rows: int = 300) -> Rows:
    chance = np.random.default_rng(seed)
    predictions = chance.dirichlet(np.ones(4), size=rows)
    return np.array([chance.choice(4, p=p) for p in predictions]), predictions


def regression(seed: int = 3, rows: int = 300) -> Rows:
    chance = np.random.default_rng(seed)
    target = chance.normal(50_000, 3, size=rows)
    return target, target + chance.normal(0, 2, size=rows)


def one_hot(target: np.ndarray) -> np.ndarray:
    return np.eye(4)[target]


BINARY: dict[str, Callable[..., float]] = {
    "roc_auc": lambda t, p, **k: independent.roc_auc_score(t, p[:, 1], **k),
    "average_precision": lambda t, p, **k: independent.average_precision_score(t, p[:, 1], **k),
    "log_loss": lambda t, p, **k: independent.log_loss(t, p, **k),
    "brier": lambda t, p, **k: independent.brier_score_loss(t, p[:, 1], **k),
    "accuracy": lambda t, p, **k: independent.accuracy_score(t, p.argmax(1), **k),
    "balanced_accuracy": lambda t, p, **k: independent.balanced_accuracy_score(t, p.argmax(1), **k),
    "f1": lambda t, p, **k: independent.f1_score(t, p.argmax(1), **k),
}
MULTICLASS: dict[str, Callable[..., float]] = {
    "roc_auc": lambda t, p, **k: independent.roc_auc_score(t, p, multi_class="ovr", **k),
    "average_precision": lambda t, p, **k: independent.average_precision_score(one_hot(t), p, **k),
    "log_loss": lambda t, p, **k: independent.log_loss(t, p, **k),
    "brier": lambda t, p, **k: independent.brier_score_loss(t, p, **k),
    "accuracy": lambda t, p, **k: independent.accuracy_score(t, p.argmax(1), **k),
    "balanced_accuracy": lambda t, p, **k: independent.balanced_accuracy_score(t, p.argmax(1), **k),
    "f1": lambda t, p, **k: independent.f1_score(t, p.argmax(1), average="macro", **k),
}
REGRESSION: dict[str, Callable[..., float]] = {
    "rmse": lambda t, p, **k: independent.root_mean_squared_error(t, p, **k),
    "mae": lambda t, p, **k: independent.mean_absolute_error(t, p, **k),
    "r2": lambda t, p, **k: independent.r2_score(t, p, **k),
}
CASES = [
    *(pytest.param(name, binary(), there, id=f"binary {name}") for name, there in BINARY.items()),
    *(
        pytest.param(name, multiclass(), there, id=f"multiclass {name}")
        for name, there in MULTICLASS.items()
    ),
    *(pytest.param(name, regression(), there, id=name) for name, there in REGRESSION.items()),
]


@pytest.mark.parametrize(("name", "rows", "there"), CASES)
def test_a_metric_is_what_scikit_learn_says(
    name: str, rows: Rows, there: Callable[..., float]
) -> None:
    assert METRICS[name].function(*rows) == pytest.approx(there(*rows), rel=1e-9)


@pytest.mark.parametrize(("name", "rows", "there"), CASES)
def test_weights_count_rows_as_often_as_they_say(
    name: str, rows: Rows, there: Callable[..., float]
) -> None:
    weights = np.random.default_rng(5).integers(0, 4, size=(3, len(rows[0]))).astype(np.float64)
    expected = [there(*rows, sample_weight=each) for each in weights]
    assert METRICS[name].resampled(*rows, weights) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("name", "rows", "there"), CASES)
def test_a_repeated_row_weighs_as_much_as_a_row_of_weight_two(
    name: str, rows: Rows, there: Callable[..., float]
) -> None:
    del there
    target, predictions = rows
    weights = np.ones((1, len(target)))
    weights[0, :50] = 2
    doubled = np.concatenate([np.arange(len(target)), np.arange(50)])
    assert METRICS[name].resampled(target, predictions, weights)[0] == pytest.approx(
        METRICS[name].function(target[doubled], predictions[doubled])
    )


def test_every_metric_that_a_project_may_name_is_in_the_table() -> None:
    assert set(METRICS) == set(METRIC_FACTS) == set(get_args(Metric))
    assert {name for task in Task for name in metrics_for(task)} == set(METRICS)
    assert {*BINARY, *REGRESSION} == {*MULTICLASS, *REGRESSION} == set(METRICS)


@pytest.mark.parametrize("task", list(Task))
def test_the_default_metric_is_one_of_its_task(task: Task) -> None:
    assert default_metric(task) in metrics_for(task)
    assert search_metric(None, task) == default_metric(task)


def test_a_metric_of_another_task_is_refused_by_name() -> None:
    with pytest.raises(MetricMismatchError, match="roc_auc is no metric for a regression target"):
        search_metric("roc_auc", "regression")


@pytest.mark.parametrize(
    ("name", "target", "predictions"),
    [
        ("roc_auc", [1, 1], [[0.5, 0.5], [0.2, 0.8]]),
        ("average_precision", [0, 0], [[0.5, 0.5], [0.2, 0.8]]),
        ("f1", [0, 0], [[0.9, 0.1], [0.8, 0.2]]),
        ("r2", [3.1, 3.1, 3.1], [1.0, 2.0, 3.0]),
        ("accuracy", [], np.empty((0, 2))),
    ],
)
def test_what_is_undefined_is_nan_and_raises_nothing(
    name: str, target: Any, predictions: Any
) -> None:
    assert math.isnan(METRICS[name].function(np.array(target), np.array(predictions)))


def test_a_sure_mistake_costs_a_finite_log_loss() -> None:
    assert METRICS["log_loss"].function(np.array([1]), np.array([[1.0, 0.0]])) < 20


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1, width=32)), min_size=1, max_size=40))
@settings(max_examples=60, deadline=None)
def test_reversing_the_scores_mirrors_the_area_under_the_curve(
    rows: list[tuple[bool, float]],
) -> None:
    target = np.array([int(positive) for positive, _ in rows])
    scores = np.array([score for _, score in rows])
    straight, mirrored = (
        METRICS["roc_auc"].function(target, np.column_stack([1 - each, each]))
        for each in (scores, -scores)
    )
    if len(set(target)) < 2:
        assert math.isnan(straight)
    else:
        assert straight + mirrored == pytest.approx(1)
