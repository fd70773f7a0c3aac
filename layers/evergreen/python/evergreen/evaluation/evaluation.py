"""The evaluation of a model on its holdout: everything that is judged and shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from numpy.typing import NDArray

from evergreen.evaluation.agreement import Agreement, agreement
from evergreen.evaluation.baseline import null_predictions
from evergreen.evaluation.calibration import Bin, Reliability, reliability
from evergreen.evaluation.intervals import Measured, measure
from evergreen.evaluation.metric_choice import default_metric, metrics_for
from evergreen.evaluation.metrics import METRICS
from evergreen.evaluation.slices import Slice, worst_slices
from evergreen.features.training_set import TrainingSet


@dataclass(frozen=True)
class Evaluation:
    """Measured on the holdout with the exported graph; `metric` is the task's main one."""

    task: str
    rows: int
    metric: str
    metrics: Mapping[str, Measured]
    baseline: Mapping[str, float]
    agreement: Agreement
    reliability: Reliability | None
    slices: tuple[Slice, ...]
    size_bytes: int

    def to_plain(self) -> dict[str, Any]:
        """As JSON values; `from_plain` reads it back."""
        return asdict(self)

    @staticmethod
    def from_plain(plain: Mapping[str, Any]) -> Evaluation:
        """Read what `to_plain` wrote."""
        found = plain["reliability"]
        return Evaluation(
            task=plain["task"],
            rows=plain["rows"],
            metric=plain["metric"],
            metrics={name: Measured(**one) for name, one in plain["metrics"].items()},
            baseline=dict(plain["baseline"]),
            agreement=Agreement(**plain["agreement"]),
            reliability=Reliability(tuple(Bin(**b) for b in found["bins"]), found["expected_error"])
            if found
            else None,
            slices=tuple(Slice(**one) for one in plain["slices"]),
            size_bytes=plain["size_bytes"],
        )


def evaluate(
    training_set: TrainingSet,
    predictions: NDArray[Any],
    fitted: NDArray[Any],
    size_bytes: int,
    seed: int,
) -> Evaluation:
    """Measure the graph's `predictions` for the holdout rows of `training_set`.

    `fitted` are the fitted model's answers for the same rows. Both are (rows, classes)
    probabilities or (rows,) values.
    """
    holdout, signature = training_set.part(holdout=True), training_set.signature
    task, classes = signature.task.value, len(signature.classes)
    learned_from = training_set.part(holdout=False).target
    null = null_predictions(learned_from, classes, len(holdout))
    names, main = metrics_for(task), default_metric(task)
    values = {name: METRICS[name].function(holdout.target, null) for name in names}
    return Evaluation(
        task=task,
        rows=len(holdout),
        metric=main,
        metrics=measure(names, holdout.target, predictions, seed),
        baseline={name: value for name, value in values.items() if value == value},  # noqa: PLR0124
        agreement=agreement(fitted, predictions),
        reliability=reliability(holdout.target, predictions) if classes else None,
        slices=worst_slices(signature, holdout.rows, holdout.target, predictions, main, seed),
        size_bytes=size_bytes,
    )
