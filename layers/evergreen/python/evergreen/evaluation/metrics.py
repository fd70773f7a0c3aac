"""The metrics, computed for many reweightings of the same rows at once.

A bootstrap resample is the same rows with whole-number weights. So every metric is made in two
steps: a function of `target` (rows,) (class indices or values) and `predictions` (rows, classes)
(probabilities) or (rows,) (values) does once what concerns the rows, and gives a function from
`weights` (resamples, rows) to one value per resample, NaN where the metric is undefined.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evergreen.evaluation.metric_choice import METRIC_FACTS
from evergreen.features.signature import Task

Floats = NDArray[np.float64]
OfWeights = Callable[[Floats], Floats]

SMALLEST_PROBABILITY = float(np.finfo(np.float32).eps)
"""The log loss does not believe a graph's 32-bit probability to be nearer to 0 or 1 than this."""


@dataclass(frozen=True)
class Metric:
    """A metric: its facts, and how it is computed."""

    name: str
    tasks: tuple[Task, ...]
    greater_is_better: bool
    of_rows: Callable[[NDArray[Any], Floats], OfWeights]

    def prepared(self, target: NDArray[Any], predictions: NDArray[Any]) -> OfWeights:
        """The metric of these rows as a function of weights (resamples, rows)."""
        weighted = self.of_rows(target, predictions.astype(np.float64))

        def of_weights(weights: Floats) -> Floats:
            with np.errstate(divide="ignore", invalid="ignore"):
                return weighted(weights)

        return of_weights

    def resampled(self, target: NDArray[Any], predictions: NDArray[Any], weights: Floats) -> Floats:
        """The metric under each row of `weights` (resamples, rows)."""
        return self.prepared(target, predictions)(weights)

    def function(self, target: NDArray[Any], predictions: NDArray[Any]) -> float:
        """The metric of these rows; NaN where it is undefined."""
        if len(target) == 0:
            return float("nan")
        return float(self.resampled(target, predictions, np.ones((1, len(target))))[0])


def roc_auc(target: NDArray[Any], predictions: Floats) -> OfWeights:
    """Area under the ROC curve: the chance that a positive row scores above a negative one.

    Ties count half (the Mann-Whitney statistic). Several classes: the mean over those that occur,
    one against the rest.
    """

    def of_one(positives: Floats, negatives: Floats) -> Floats:
        below = np.cumsum(negatives, axis=1) - negatives / 2
        pairs = positives.sum(axis=1) * negatives.sum(axis=1)
        return np.asarray(np.einsum("bg,bg->b", positives, below) / pairs)

    return _per_class(of_one, target, predictions)


def average_precision(target: NDArray[Any], predictions: Floats) -> OfWeights:
    """Precision averaged over the positive rows, in falling order of their scores.

    Several classes: the mean over those that occur, one against the rest.
    """

    def of_one(positives: Floats, negatives: Floats) -> Floats:
        found = np.cumsum(positives[:, ::-1], axis=1)
        chosen = found + np.cumsum(negatives[:, ::-1], axis=1)
        precision = np.divide(found, chosen, out=np.zeros_like(found), where=chosen > 0)
        summed = np.einsum("bg,bg->b", positives[:, ::-1], precision)
        return np.asarray(summed / found[:, -1])

    return _per_class(of_one, target, predictions)


def log_loss(target: NDArray[Any], predictions: Floats) -> OfWeights:
    """Mean of −log p(true class)."""
    true = predictions[np.arange(len(target)), target]
    return _mean(-np.log(np.clip(true, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)))


def brier(target: NDArray[Any], predictions: Floats) -> OfWeights:
    """Mean squared error of the probabilities.

    Two classes: of the positive one alone. Several: summed over classes, as Brier (1950) has it.
    """
    truth = target[:, None] == np.arange(predictions.shape[1])[None, :]
    squares = (predictions - truth) ** 2
    return _mean(squares[:, 1] if _has_two_classes(predictions) else squares.sum(axis=1))


def accuracy(target: NDArray[Any], predictions: Floats) -> OfWeights:
    """Share of rows whose most probable class is the true one."""
    return _mean((predictions.argmax(axis=1) == target).astype(np.float64))


def balanced_accuracy(target: NDArray[Any], predictions: Floats) -> OfWeights:
    """Mean over the classes that occur of the share of their rows that is recognised."""
    truth, _, both = _membership(target, predictions)
    return lambda weights: _mean_of_defined((weights @ both) / (weights @ truth))


def f1(target: NDArray[Any], predictions: Floats) -> OfWeights:
    """Harmonic mean of precision and recall: of the positive class, or the mean over several."""
    truth, predicted, both = _membership(target, predictions)
    binary = _has_two_classes(predictions)

    def of_weights(weights: Floats) -> Floats:
        per_class = 2 * (weights @ both) / (weights @ (truth + predicted))
        return per_class[:, 1] if binary else _mean_of_defined(per_class)

    return of_weights


def rmse(target: NDArray[Any], predictions: Floats) -> OfWeights:
    """Square root of the mean squared error, in units of the target."""
    mean = _mean((target - predictions) ** 2)
    return lambda weights: np.sqrt(mean(weights))


def mae(target: NDArray[Any], predictions: Floats) -> OfWeights:
    """Mean absolute error, in units of the target."""
    return _mean(np.abs(target - predictions))


def r2(target: NDArray[Any], predictions: Floats) -> OfWeights:
    """Share of the target's variance that is explained; negative if worse than its mean.

    The target is centred first: the difference of two large sums of squares keeps no digits.
    """
    centred = target - target.mean()
    squares, errors = centred**2, (target - predictions) ** 2
    # What rounding leaves of a constant target: then the score is undefined, not huge.
    nothing = 1e-12 * float(np.mean(np.square(target)))

    def of_weights(weights: Floats) -> Floats:
        total = weights.sum(axis=1)
        variance = weights @ squares - (weights @ centred) ** 2 / total
        variance[variance <= nothing * total] = np.nan
        return np.asarray(1 - (weights @ errors) / variance)

    return of_weights


def _has_two_classes(predictions: Floats) -> bool:
    """Of two classes the positive one, which stands last, speaks for both."""
    return bool(predictions.shape[1] == 2)  # noqa: PLR2004


def _mean(values: Floats) -> OfWeights:
    return lambda weights: np.asarray((weights @ values) / weights.sum(axis=1))


def _mean_of_defined(per_class: Floats) -> Floats:
    """Mean over axis 1 without NaN; NaN where nothing is defined."""
    defined = np.isfinite(per_class)
    return np.asarray(np.where(defined, per_class, 0.0).sum(axis=1) / defined.sum(axis=1))


def _per_class(
    of_one: Callable[[Floats, Floats], Floats], target: NDArray[Any], predictions: Floats
) -> OfWeights:
    """A metric of the weights of positive and negative rows per distinct score, scores rising."""
    if _has_two_classes(predictions):
        by_score = _by_score(target == 1, predictions[:, 1])
        return lambda weights: of_one(*by_score(weights))
    every = [_by_score(target == i, predictions[:, i]) for i in range(predictions.shape[1])]
    return lambda weights: _mean_of_defined(
        np.stack([of_one(*by_score(weights)) for by_score in every], axis=1)
    )


def _by_score(
    positive: NDArray[np.bool_], scores: Floats
) -> Callable[[Floats], tuple[Floats, Floats]]:
    distinct, rank = np.unique(scores, return_inverse=True)
    cells = 2 * rank + positive

    def sums(weights: Floats) -> tuple[Floats, Floats]:
        # One pass per resample; sorting the columns of the weights takes several times as long.
        made: Floats = np.stack(
            [np.bincount(cells, each, 2 * distinct.size) for each in weights], dtype=np.float64
        )
        return made[:, 1::2], made[:, ::2]

    return sums


def _membership(target: NDArray[Any], predictions: Floats) -> tuple[Floats, Floats, Floats]:
    """Whether a row truly is of each class, is predicted as it, both; each (rows, classes)."""
    every = np.arange(predictions.shape[1])[None, :]
    truth = (target[:, None] == every).astype(np.float64)
    predicted = (predictions.argmax(axis=1)[:, None] == every).astype(np.float64)
    return truth, predicted, truth * predicted


_FUNCTIONS: Mapping[str, Callable[[NDArray[Any], Floats], OfWeights]] = {
    "roc_auc": roc_auc,
    "average_precision": average_precision,
    "log_loss": log_loss,
    "brier": brier,
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    "f1": f1,
    "rmse": rmse,
    "mae": mae,
    "r2": r2,
}

METRICS: Mapping[str, Metric] = {
    name: Metric(name, facts.tasks, facts.greater_is_better, _FUNCTIONS[name])
    for name, facts in METRIC_FACTS.items()
}
