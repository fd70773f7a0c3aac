"""Which columns no model can learn from, and why: said before any model is tried."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evergreen.features.encoding import MISSING_CATEGORY
from evergreen.features.signature import MOMENT_PARTS, Kind, Signature
from evergreen.features.training_set import TrainingSet

MOST_DISTINCT = 0.9
"""Above this share of distinct texts, a category column names its rows and describes none."""

LEAST_ROWS = 50
"""With fewer known values, being distinct says nothing yet."""


def feature_choice(training_set: TrainingSet) -> dict[str, str]:
    """Columns to leave aside, with the reason of each; judged on the rows to learn from."""
    rows = training_set.part(holdout=False)
    signature, reasons = rows.signature, {}
    places = column_places(signature)
    for column in signature.columns:
        if column.kind is Kind.CATEGORY:
            reason = _of_texts(rows.rows.categories[:, places[column.name][0]])
        else:
            reason = _of_numbers(rows.rows.numbers[:, places[column.name]])
        if reason:
            reasons[column.name] = reason
    return reasons


def column_places(signature: Signature) -> dict[str, list[int]]:
    """Where each column stands in `Encoded.categories`, or in `Encoded.numbers`."""
    numbers = [column.name for column in signature.columns if column.kind is Kind.NUMBER]
    moments = [column.name for column in signature.columns if column.kind is Kind.MOMENT]
    parts = len(MOMENT_PARTS)
    starts = {name: len(numbers) + i * parts for i, name in enumerate(moments)}
    terms, start = {}, len(numbers) + len(moments) * parts
    for text in signature.texts:
        terms[text.name] = list(range(start, start + len(text.terms)))
        start += len(text.terms)
    return {
        **terms,
        **{name: [place] for place, name in enumerate(signature.category_names)},
        **{name: [place] for place, name in enumerate(numbers)},
        **{name: list(range(start, start + parts)) for name, start in starts.items()},
    }


def _of_numbers(values: NDArray[np.float32]) -> str | None:
    """`values` (rows, parts): one number, the parts of one moment, or the terms of one text."""
    missing = np.isnan(values)
    if missing.all():
        return "it is missing in every row to learn from"
    if missing.any():
        # Being missing is something that a model can learn from.
        return None
    return "it has one value only" if (values == values[:1]).all() else None


def _of_texts(texts: NDArray[np.object_]) -> str | None:
    known = texts[texts != MISSING_CATEGORY]
    if not known.size:
        return "it is missing in every row to learn from"
    distinct = np.unique(known.astype(str)).size
    if distinct == 1 and known.size == texts.size:
        return "it has one value only"
    if known.size >= LEAST_ROWS and distinct / known.size > MOST_DISTINCT:
        return "nearly every row has a value of its own: it names rows, and no new row has it"
    return None
