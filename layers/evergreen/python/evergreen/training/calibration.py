"""Calibration: probabilities bent by one slope and one shift per class, when that helps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

Floats = NDArray[np.float64]

SMALLEST_PROBABILITY = 1e-4
"""Probabilities are lifted to this before their logarithm is taken: below, 32-bit floats differ."""


@dataclass(frozen=True)
class Calibration:
    """p′ = softmax(slope · log p + shifts).

    For two classes this is the sigmoid of Platt (1999) on the log-odds; for several it is
    temperature scaling (Guo et al., 2017) with a shift per class. A rising slope keeps the order.
    """

    slope: float
    shifts: tuple[float, ...]

    def apply(self, probabilities: Floats) -> Floats:
        """Calibrated probabilities, (rows, classes) as they came."""
        scores = self.slope * _log(probabilities) + np.asarray(self.shifts)
        return _softmax(scores)


def fit_calibration(probabilities: Floats, target: NDArray[np.int64]) -> Calibration | None:
    """The calibration of least log loss for rows that the model did not learn from.

    None where the best slope does not rise: then the probabilities carry no order to keep.
    """
    logs = _log(probabilities)
    classes = logs.shape[1]
    truth = np.eye(classes)[target]

    def loss(parameters: Floats) -> tuple[float, Floats]:
        scores = parameters[0] * logs + np.concatenate([[0.0], parameters[1:]])
        shifted = scores - scores.max(axis=1, keepdims=True)
        logs_of_sum = np.log(np.exp(shifted).sum(axis=1))
        value = float(np.mean(logs_of_sum - (shifted * truth).sum(axis=1)))
        error = (_softmax(scores) - truth) / len(truth)
        return value, np.concatenate([[(error * logs).sum()], error.sum(axis=0)[1:]])

    start = np.concatenate([[1.0], np.zeros(classes - 1)])
    bounds = [(0.0, 20.0), *[(-20.0, 20.0)] * (classes - 1)]
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    # Held as 32-bit floats, as the graph holds them.
    slope, *shifts = (float(np.float32(value)) for value in found)
    return Calibration(slope, (0.0, *shifts)) if slope > 0 else None


def helpful_calibration(
    probabilities: Floats, target: NDArray[np.int64], fold: NDArray[np.intp]
) -> Calibration | None:
    """A calibration, if calibrations fitted on other folds lower the log loss on each.

    Parameters
    ----------
    probabilities, target
        Of rows that were predicted out of fold.
    fold
        (rows,) the fold of each row.

    Returns
    -------
    Calibration or None
        Fitted on all rows; None unless the loss falls by more than one standard error of the
        rows' differences.
    """
    falls = np.zeros(len(target))
    for number in np.unique(fold):
        here = fold == number
        elsewhere = fit_calibration(probabilities[~here], target[~here])
        if elsewhere is None:
            return None
        before = _losses(np.maximum(probabilities[here], SMALLEST_PROBABILITY), target[here])
        falls[here] = before - _losses(elsewhere.apply(probabilities[here]), target[here])
    error = falls.std() / np.sqrt(len(falls))
    return fit_calibration(probabilities, target) if falls.mean() > error else None


def _losses(probabilities: Floats, target: NDArray[np.int64]) -> Floats:
    return np.asarray(-np.log(probabilities[np.arange(len(target)), target]))


def _log(probabilities: Floats) -> Floats:
    return np.asarray(np.log(np.maximum(probabilities, SMALLEST_PROBABILITY)))


def _softmax(scores: Floats) -> Floats:
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))
