"""How uncertain a model is of each row, from what its serving graph answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evergreen.features.signature import Signature

NO_ANSWER = 1.0
"""Of a row that the model has no finite answer for."""


@dataclass(frozen=True)
class Uncertainty:
    """`values`: float64 (rows,) from 0 (certain) to 1; `measure` says in words what they are."""

    values: NDArray[np.float64]
    measure: str


def uncertainty(
    predictions: NDArray[np.float64], notes: Sequence[Sequence[str]], signature: Signature
) -> Uncertainty:
    """Of probabilities (rows, classes), or of values (rows,) with the notes on each row.

    Classes: one minus the margin between the two most probable (Scheffer, Decomain and Wrobel 2001,
    "Active hidden Markov models for information extraction"), which orders rows of two classes as
    entropy does, and of more is not moved by classes that are out of the question. A regression
    graph answers one number and no interval; what is known instead is how many of a row's values
    lie outside of what the model has seen in training, the notes that `predict` answers with.
    """
    if signature.classes:
        highest = np.sort(predictions, axis=1)[:, -2:]
        values = 1 - (highest[:, 1] - highest[:, 0])
        measure = "one minus the margin between the two most probable classes"
    else:
        values = np.array([len(each) for each in notes]) / max(len(signature.columns), 1)
        measure = (
            "share of the row's values that training never saw: the model answers one number and "
            "no interval"
        )
    finite = np.isfinite(predictions if predictions.ndim == 1 else predictions.sum(axis=1))
    return Uncertainty(np.where(finite, values, NO_ANSWER).astype(np.float64), measure)
