"""Rows as the two arrays that every graph takes: the same code in training and in serving."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evergreen.features.signature import MOMENT_PARTS, Column, Kind, Signature
from evergreen.features.text import weigh

MISSING_CATEGORY = ""
"""A missing category; an empty text counts as missing."""


@dataclass(frozen=True)
class Encoded:
    """`numbers`: float32 (rows, k), NaN where missing; `categories`: object str (rows, m).

    The last `terms` columns of `numbers` are the weights of terms in texts: never missing, mostly
    0, and already on one scale.
    """

    numbers: NDArray[np.float32]
    categories: NDArray[np.object_]
    terms: int = 0

    def __len__(self) -> int:
        return int(self.numbers.shape[0])

    def take(self, rows: NDArray[Any]) -> Encoded:
        """The chosen rows (indices or a mask), in that order."""
        return Encoded(self.numbers[rows], self.categories[rows], self.terms)


def moment_parts(value: date | None) -> tuple[float, ...]:
    """Month (1-12), day (1-31), weekday (Monday 0) and hour (0-23; 0 for a date); NaN if None."""
    if value is None:
        return (float("nan"),) * len(MOMENT_PARTS)
    hour = value.hour if isinstance(value, datetime) else 0
    return (float(value.month), float(value.day), float(value.weekday()), float(hour))


def encode(rows: Sequence[Mapping[str, Any]], signature: Signature) -> Encoded:
    """Encode rows of plain values.

    Values are float/int/bool/None for numbers, str/None for categories and texts,
    date/datetime/None for moments; a column that a row lacks is missing. Nothing is checked here:
    requests are checked before (`evergreen.serving.requests`), datasets are typed
    (`evergreen.data`).
    """
    number_columns = [c.name for c in signature.columns if c.kind is Kind.NUMBER]
    moment_columns = [c.name for c in signature.columns if c.kind is Kind.MOMENT]
    numbers = np.full((len(rows), len(signature.number_names)), np.nan, dtype=np.float32)
    categories = np.full((len(rows), len(signature.category_names)), MISSING_CATEGORY, dtype=object)
    for i, row in enumerate(rows):
        for j, name in enumerate(number_columns):
            value = row.get(name)
            if value is not None:
                numbers[i, j] = value
        for j, name in enumerate(moment_columns):
            start = len(number_columns) + j * len(MOMENT_PARTS)
            numbers[i, start : start + len(MOMENT_PARTS)] = moment_parts(row.get(name))
        for j, name in enumerate(signature.category_names):
            value = row.get(name)
            if value is not None:
                categories[i, j] = value
    texts = len(signature.term_names)
    start = numbers.shape[1] - texts
    for column in signature.texts:
        width = len(column.terms)
        own = (row.get(column.name) for row in rows)
        put_weights(numbers[:, start : start + width], 0, own, column)
        start += width
    return Encoded(numbers, categories, texts)


def put_weights(
    weights: NDArray[np.float32], first: int, texts: Iterable[str | None], column: Column
) -> None:
    """Write the weights of some texts' terms into (rows, terms), from row `first` on.

    A text that is missing has no terms, like one of unknown words: all its weights are 0.
    """
    for i, text in enumerate(texts, start=first):
        weights[i] = 0
        if text:
            found = weigh(text, column.term_places, column.idf)
            weights[i, list(found)] = list(found.values())
