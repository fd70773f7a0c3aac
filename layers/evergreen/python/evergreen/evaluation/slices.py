"""Where a model is worse than on the whole: its metric on parts of the rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evergreen.evaluation.intervals import measure
from evergreen.evaluation.metrics import METRICS
from evergreen.features.encoding import Encoded
from evergreen.features.signature import Signature

LEAST_ROWS = 30
MOST_SLICES = 10
_COMMON = 8
"""Categories per column that are looked at, the most frequent ones."""


@dataclass(frozen=True)
class Slice:
    """The rows with one category, or in one quarter of a number's range; with the metric there."""

    name: str
    rows: int
    value: float
    lower: float
    upper: float


def worst_slices(
    signature: Signature,
    rows: Encoded,
    target: NDArray[Any],
    predictions: NDArray[Any],
    metric: str,
    seed: int,
) -> tuple[Slice, ...]:
    """The slices with the worst metric, the worst first; small ones and the whole are left out."""
    measured = METRICS[metric]
    found = [
        (name, chosen, measured.function(target[chosen], predictions[chosen]))
        for name, chosen in _candidates(signature, rows)
        if LEAST_ROWS <= chosen.sum() < len(target)
    ]
    found = [each for each in found if np.isfinite(each[2])]
    found.sort(key=lambda each: each[2], reverse=not measured.greater_is_better)
    slices = []
    for name, chosen, value in found[:MOST_SLICES]:
        interval = measure([metric], target[chosen], predictions[chosen], seed).get(metric)
        if interval:
            slices.append(Slice(name, int(chosen.sum()), value, interval.lower, interval.upper))
    return tuple(slices)


def _candidates(signature: Signature, rows: Encoded) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    for index, name in enumerate(signature.category_names):
        values, counts = np.unique(rows.categories[:, index].astype(str), return_counts=True)
        for value in values[np.lexsort((values, -counts))][:_COMMON]:
            yield f"{name} = {value or '(missing)'}", rows.categories[:, index] == value
    # A single word of a text makes no part of the rows that its owner thinks in.
    plain = len(signature.number_names) - len(signature.term_names)
    for index, name in enumerate(signature.number_names[:plain]):
        column = rows.numbers[:, index]
        known = column[~np.isnan(column)]
        edges = np.unique(np.quantile(known, [0, 0.25, 0.5, 0.75, 1])) if known.size else known
        for low, high in pairwise(edges):
            last = high == edges[-1]
            inside = (column >= low) & ((column <= high) if last else (column < high))
            yield f"{name} from {low:g} to {high:g}", inside
        if known.size < column.size:
            yield f"{name} missing", np.isnan(column)
