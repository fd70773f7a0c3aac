"""How far a model's answers may be from the truth, told from known values of rows like them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evergreen.features.encoding import Encoded
from evergreen.labelling.dissimilarity import Dissimilarity
from evergreen.labelling.uncertainty import Uncertainty, with_unanswered

NEIGHBOURS = 10
"""So many of the most similar rows with a known value are compared with."""

MOST_KNOWN = 5_000
"""Of more rows with a known value, so many are drawn at random and compared with."""

SHUFFLED = 500
"""Rows by which the influence of columns is measured."""

MOST_COLUMNS = 50
"""Of more columns, those with the most influence say which rows are alike."""

AT_ONCE = 250
"""Rows that are compared at once, which bounds the memory."""

Answers = Callable[[Encoded], NDArray[np.float64]]
"""What a regression model answers for rows, (rows,)."""


@dataclass(frozen=True)
class Known:
    """Rows whose value is known; `values` float64 (rows,), all finite."""

    rows: Encoded
    values: NDArray[np.float64]


def off_known_values(answers: Answers, asked: Encoded, known: Known, seed: int) -> Uncertainty:
    """Uncertainty of a regression model: the mean distance of its answer from NEIGHBOURS values.

    Those are the known values of the rows that are most like the asked one; the measure is in
    units of the target. It is large where values scatter, where the model is off what is known
    nearby, and where nothing known is near. Like the local error that normalises conformal
    intervals (Papadopoulos, Vovk and Gammerman 2011, "Regression conformal prediction with nearest
    neighbours"; Lei, G'Sell, Rinaldo, Tibshirani and Wasserman 2018, "Distribution-free predictive
    inference for regression", section 5.2) it asks the neighbours, but takes the distance of their
    values from this row's answer, not their residuals: so the rows that the model learned from,
    which are most of the known ones, can be asked as well.

    Rows are alike by Gower's dissimilarity, where the answer itself weighs as much as all columns
    together. Of a column's weight one half is the same for all, because what an answer does not
    depend on may still say how far off it is; the other half is by its influence on the answers.
    """
    said = _in_parts(answers, asked)
    nearest = min(NEIGHBOURS, len(known.values))
    if not nearest:
        nothing = "none: no value is known that the answers could be compared with"
        return Uncertainty(with_unanswered(np.zeros(len(asked)), said), nothing)
    some = np.random.default_rng(seed).permutation(len(known.values))[:SHUFFLED]
    shares = _shares(influences(answers, known.rows.take(some), seed))
    reference = _with_answers(known.rows, _in_parts(answers, known.rows))
    found = np.empty(len(asked))
    for part in _parts(len(asked)):
        both = _joined(_with_answers(asked.take(part), said[part]), reference)
        here, there = slice(len(part)), slice(len(part), None)
        apart = Dissimilarity.of(both, reference).between(here, there, shares)
        places = np.argpartition(apart, nearest - 1, axis=1)[:, :nearest]
        found[part] = np.abs(known.values[places] - said[part, None]).mean(axis=1)
    return Uncertainty(
        with_unanswered(found, said),
        f"mean distance of the answer from the known values of the {nearest} rows most like it, in "
        "units of the target",
    )


def _parts(rows: int) -> Iterator[NDArray[np.int64]]:
    for first in range(0, rows, AT_ONCE):
        yield np.arange(first, min(first + AT_ONCE, rows))


def _in_parts(answers: Answers, rows: Encoded) -> NDArray[np.float64]:
    return np.concatenate([np.empty(0), *(answers(rows.take(part)) for part in _parts(len(rows)))])


def influences(answers: Answers, rows: Encoded, seed: int) -> NDArray[np.float64]:
    """How much the answers change, on average, when a column is shuffled; (columns,).

    As permutation importance (Breiman 2001, "Random forests"), of the answers instead of a score.
    """
    before = answers(rows)
    order = np.random.default_rng(seed).permutation(len(rows))
    changes = [np.abs(answers(each) - before) for each in _each_shuffled(rows, order)]
    finite = [each[np.isfinite(each)] for each in changes]
    return np.array([float(each.mean()) if each.size else 0.0 for each in finite])


def _each_shuffled(rows: Encoded, order: NDArray[np.int64]) -> Iterator[Encoded]:
    """The rows with one column in another order: each number, each category, all texts as one."""
    plain = rows.numbers.shape[1] - rows.terms
    texts = [slice(plain, None)] * bool(rows.terms)
    for column in (slice(place, place + 1) for place in range(plain)):
        yield replace(rows, numbers=_shuffled(rows.numbers, column, order))
    for column in (slice(place, place + 1) for place in range(rows.categories.shape[1])):
        yield replace(rows, categories=_shuffled(rows.categories, column, order))
    for column in texts:
        yield replace(rows, numbers=_shuffled(rows.numbers, column, order))


def _shuffled(values: NDArray[Any], column: slice, order: NDArray[np.int64]) -> NDArray[Any]:
    changed = values.copy()
    changed[:, column] = values[order, column]
    return changed


def _shares(influence: NDArray[np.float64]) -> NDArray[np.float64]:
    """What the answer, which stands first, and the columns weigh in how alike rows are."""
    most = np.argsort(-influence, kind="stable")[:MOST_COLUMNS]
    total = influence[most].sum()
    kept = np.zeros_like(influence)
    kept[most] = 1 / max(len(most), 1)
    if total > 0:
        kept[most] = (kept[most] + influence[most] / total) / 2
    return np.append(1.0, kept) / 2


def _with_answers(rows: Encoded, answers: NDArray[np.float64]) -> Encoded:
    """The rows with the model's answers as their first number."""
    numbers = np.column_stack([np.where(np.isfinite(answers), answers, np.nan), rows.numbers])
    return replace(rows, numbers=numbers.astype(np.float32))


def _joined(rows: Encoded, others: Encoded) -> Encoded:
    return Encoded(
        np.concatenate([rows.numbers, others.numbers]),
        np.concatenate([rows.categories, others.categories]),
        rows.terms,
    )
