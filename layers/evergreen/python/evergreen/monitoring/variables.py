"""Variables: one column, or one side of the predictions, of the reference beside the window."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from evergreen.features.encoding import Encoded
from evergreen.features.signature import Kind, Signature, Task

PREDICTION = "prediction"


@dataclass(frozen=True)
class Variable:
    """Values of reference and window: float64 with NaN as missing, or text with '' as missing."""

    name: str
    kind: Literal["number", "category"]
    reference: NDArray[Any]
    window: NDArray[Any]


def columns_of(
    reference: Encoded, window: Encoded, signature: Signature, leave_out: Collection[str]
) -> list[Variable]:
    """Collect the columns to compare; leaving out a moment leaves out all of its parts."""
    moments = {column.name for column in signature.columns if column.kind is Kind.MOMENT}
    found = []
    plain = len(signature.number_names) - len(signature.term_names)
    for j, name in enumerate(signature.number_names[:plain]):
        whole = name.rpartition(".")[0]
        if name not in leave_out and not (whole in moments and whole in leave_out):
            sides = (rows.numbers[:, j].astype(np.float64) for rows in (reference, window))
            found.append(Variable(name, "number", *sides))
    found += [
        Variable(name, "category", reference.categories[:, j], window.categories[:, j])
        for j, name in enumerate(signature.category_names)
        if name not in leave_out
    ]
    for text in signature.texts:
        own = slice(plain, plain + len(text.terms))
        plain += len(text.terms)
        if text.name not in leave_out:
            found += _of_text(text.name, reference.numbers[:, own], window.numbers[:, own])
    return found


def _of_text(
    name: str, reference: NDArray[np.float32], window: NDArray[np.float32]
) -> list[Variable]:
    """What is compared of a text: how many of its terms are known, how usual they are together.

    Usual is the dot product with the mean weights of the reference; of a reference row with those
    of the other rows, because to have shaped the mean is an advantage that no window row has.
    """
    sums = reference.sum(axis=0, dtype=np.float64)
    rows = len(reference)
    itself = np.einsum("ij,ij->i", reference, reference, dtype=np.float64)
    usual = ((reference @ sums) - itself) / max(rows - 1, 1), (window @ sums) / max(rows, 1)
    known = tuple((side > 0).sum(axis=1).astype(np.float64) for side in (reference, window))
    return [
        Variable(f"{name} (known terms)", "number", *known),
        Variable(f"{name} (usual words)", "number", *usual),
    ]


def predictions_of(
    reference: NDArray[Any], window: NDArray[Any], signature: Signature
) -> list[Variable]:
    """Collect what is compared of predictions; rows without an answer are left out.

    Regression: the value. Binary: the probability of the positive class. Multiclass: the class
    answered, and how sure the answer is (its probability).
    """
    if signature.task is Task.REGRESSION:
        sides = [np.asarray(side, dtype=np.float64).ravel() for side in (reference, window)]
        return [Variable(PREDICTION, "number", *(side[~np.isnan(side)] for side in sides))]
    if signature.task is Task.BINARY:
        sides = [_positive(side) for side in (reference, window)]
        return [Variable(PREDICTION, "number", *(side[~np.isnan(side)] for side in sides))]
    answered = [side[~np.isnan(side).any(axis=1)] for side in (reference, window)]
    names = np.array(signature.classes, dtype=object)
    return [
        Variable(PREDICTION, "category", *(names[side.argmax(axis=1)] for side in answered)),
        Variable(f"{PREDICTION}.confidence", "number", *(side.max(axis=1) for side in answered)),
    ]


def _positive(probabilities: NDArray[Any]) -> NDArray[np.float64]:
    plain = np.asarray(probabilities, dtype=np.float64)
    return plain[:, 1] if plain.ndim > 1 else plain
