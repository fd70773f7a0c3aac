"""How uncertain a model is of each row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Uncertainty:
    """`values`: float64 (rows,), 0 or greater, the most uncertain the greatest.

    `measure` says in words what they are.
    """

    values: NDArray[np.float64]
    measure: str


def margin(probabilities: NDArray[np.float64]) -> Uncertainty:
    """One minus the margin between the two most probable of the classes, from (rows, classes).

    (Scheffer, Decomain and Wrobel 2001, "Active hidden Markov models for information extraction".)
    It orders rows of two classes as entropy does, and of more is not moved by classes that are out
    of the question.
    """
    highest = np.sort(probabilities, axis=1)[:, -2:]
    values = with_unanswered(1 - (highest[:, 1] - highest[:, 0]), probabilities.sum(axis=1))
    return Uncertainty(values, "one minus the margin between the two most probable classes")


def with_unanswered(
    values: NDArray[np.float64], answers: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Values where rows without a finite answer are as uncertain as the most uncertain of all."""
    finite = np.isfinite(answers)
    return np.where(finite, values, np.max(values, initial=1.0, where=finite))
