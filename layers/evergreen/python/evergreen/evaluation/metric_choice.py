"""Which metrics there are, for which tasks, which way is better, and which one is the default.

Pure Python: a search is planned, and a goal is read, where no NumPy is installed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from evergreen.features.signature import Task

CLASSIFICATION = (Task.BINARY, Task.MULTICLASS)
REGRESSION = (Task.REGRESSION,)


class MetricMismatchError(ValueError):
    """A metric was asked for that is not defined for the task; names the ones that are."""


@dataclass(frozen=True)
class MetricFacts:
    """What is known of a metric without computing it."""

    name: str
    tasks: tuple[Task, ...]
    greater_is_better: bool

    def better(self, one: float, other: float) -> bool:
        """Whether `one` is strictly better than `other`."""
        return one > other if self.greater_is_better else one < other

    def reaches(self, value: float, goal: float) -> bool:
        """Whether `value` is at least as good as `goal`; NaN reaches nothing."""
        return value >= goal if self.greater_is_better else value <= goal


METRIC_FACTS: Mapping[str, MetricFacts] = {
    facts.name: facts
    for facts in (
        MetricFacts("roc_auc", CLASSIFICATION, greater_is_better=True),
        MetricFacts("average_precision", CLASSIFICATION, greater_is_better=True),
        MetricFacts("log_loss", CLASSIFICATION, greater_is_better=False),
        MetricFacts("brier", CLASSIFICATION, greater_is_better=False),
        MetricFacts("accuracy", CLASSIFICATION, greater_is_better=True),
        MetricFacts("balanced_accuracy", CLASSIFICATION, greater_is_better=True),
        MetricFacts("f1", CLASSIFICATION, greater_is_better=True),
        MetricFacts("rmse", REGRESSION, greater_is_better=False),
        MetricFacts("mae", REGRESSION, greater_is_better=False),
        MetricFacts("r2", REGRESSION, greater_is_better=True),
    )
}

_DEFAULTS: Mapping[Task, str] = {
    Task.BINARY: "roc_auc",
    Task.MULTICLASS: "log_loss",
    Task.REGRESSION: "rmse",
}


def default_metric(task: str) -> str:
    """The metric that models of a task are searched and compared by unless the project says."""
    return _DEFAULTS[Task(task)]


def metrics_for(task: str) -> tuple[str, ...]:
    """Every metric that is defined for a task, in the order of the table."""
    return tuple(name for name, facts in METRIC_FACTS.items() if Task(task) in facts.tasks)


def search_metric(declared: str | None, task: str) -> str:
    """The declared metric, or the task's default.

    Raises
    ------
    MetricMismatchError
        If the declared metric is not defined for the task.
    """
    if declared is None:
        return default_metric(task)
    if declared not in metrics_for(task):
        raise MetricMismatchError(
            f"{declared} is no metric for a {task} target; choose one of: "
            + ", ".join(metrics_for(task))
        )
    return declared
