"""One variable at a time: how far the window's distribution lies from the reference's.

Values are coded into cells of the pooled rows once; of every deal of the rows, counts per cell are
then all that the statistics need. Cells never depend on which side a row came from: otherwise the
real deal would differ from the others by construction (a category is rarely new in a reshuffle).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evergreen.monitoring.resampling import deals
from evergreen.monitoring.variables import Variable

NUMBER_CELLS = 256
CATEGORY_CELLS = 50
CELLS_AT_ONCE = 8192

Counts = NDArray[np.float64]


@dataclass(frozen=True)
class Statistic:
    """One statistic of one variable, for the real deal (first) and every other.

    `scale` turns the squares into what people know: the real statistic is sqrt(square × scale).
    """

    variable: str
    name: str
    squares: NDArray[np.float64]
    scale: float


def statistics_of(variables: list[Variable], resamples: int, seed: int) -> Iterator[Statistic]:
    """Take the statistics of variables of the same rows, on the same deals of them.

    Numbers: Kolmogorov-Smirnov on the values that are there. Categories: chi-square over the
    categories, missing being one. Numbers with missing values: chi-square of the missing share.
    """
    coded = [(variable, *_cells(variable)) for variable in variables]
    while coded:
        taken = 1
        while taken < len(coded) and sum(c[2] for c in coded[: taken + 1]) <= CELLS_AT_ONCE:
            taken += 1
        yield from _of_some(coded[:taken], resamples, seed)
        coded = coded[taken:]


def kolmogorov_smirnov(smaller: Counts, larger: Counts) -> tuple[Counts, Counts]:
    """D² times the effective number of rows, and 1 / that number; counts are (deals, cells).

    D is the greatest distance between the two cumulative shares; cells are in order.
    """
    rows = smaller.sum(axis=1), larger.sum(axis=1)
    below = [
        np.cumsum(side, axis=1) / np.maximum(n, 1)[:, np.newaxis]
        for side, n in zip((smaller, larger), rows, strict=True)
    ]
    distance = np.abs(below[0] - below[1]).max(axis=1, initial=0)
    effective = rows[0] * rows[1] / np.maximum(rows[0] + rows[1], 1)
    return distance**2 * effective, 1 / np.maximum(effective, 1)


def chi_square(smaller: Counts, larger: Counts) -> tuple[Counts, Counts]:
    """Pearson's two-sample chi-square, and 1 / rows: its product's root is Cramér's V."""
    rows = smaller.sum(axis=1), larger.sum(axis=1)
    total = rows[0] + rows[1]
    expected = (smaller + larger) * (rows[0] / total)[:, np.newaxis]
    squares = np.divide(
        (smaller - expected) ** 2, expected, out=np.zeros_like(expected), where=expected > 0
    )
    return squares.sum(axis=1) * total / rows[1], 1 / total


def _cells(variable: Variable) -> tuple[NDArray[np.int64], int]:
    """Cell of each pooled row (0: missing), and how many cells there are."""
    pooled = np.concatenate([variable.reference, variable.window])
    return _number_cells(pooled) if variable.kind == "number" else _category_cells(pooled)


def _number_cells(values: NDArray[Any]) -> tuple[NDArray[np.int64], int]:
    known = ~np.isnan(values)
    different = np.unique(values[known])
    if len(different) > NUMBER_CELLS:
        steps = np.linspace(0, 1, NUMBER_CELLS + 1)[1:]
        different = np.unique(np.quantile(values[known], steps, method="inverted_cdf"))
    codes = np.zeros(len(values), dtype=np.int64)
    codes[known] = 1 + np.searchsorted(different, values[known], side="left")
    return codes, len(different) + 1


def _category_cells(values: NDArray[Any]) -> tuple[NDArray[np.int64], int]:
    counts = Counter(values.tolist())
    counts.pop("", None)
    ranked = sorted(counts, key=lambda name: (-counts[name], name))[:CATEGORY_CELLS]
    cells = {"": 0} | {name: i for i, name in enumerate(ranked, start=1)}
    rest = len(cells)
    codes = np.array([cells.get(name, rest) for name in values.tolist()], dtype=np.int64)
    return codes, rest + 1


def _of_some(
    coded: list[tuple[Variable, NDArray[np.int64], int]], resamples: int, seed: int
) -> Iterator[Statistic]:
    starts = np.cumsum([0, *(size for _, _, size in coded)])
    codes = np.stack([code + start for (_, code, _), start in zip(coded, starts, strict=False)], 1)
    first = coded[0][0]
    smaller = np.empty((resamples + 1, starts[-1]), dtype=np.int32)
    for i, rows in enumerate(deals(len(first.reference), len(first.window), resamples, seed)):
        smaller[i] = np.bincount(codes[rows].ravel(), minlength=starts[-1])
    larger = np.bincount(codes.ravel(), minlength=starts[-1]).astype(np.int32) - smaller
    for (variable, _, size), start in zip(coded, starts, strict=False):
        own = slice(start, start + size)
        yield from _of_one(variable, smaller[:, own], larger[:, own])


def _of_one(
    variable: Variable, smaller: NDArray[np.int32], larger: NDArray[np.int32]
) -> Iterator[Statistic]:
    sides = (smaller.astype(np.float64), larger.astype(np.float64))
    if variable.kind == "category":
        yield _statistic(variable, "chi_square", chi_square, *sides)
        return
    yield _statistic(variable, "kolmogorov_smirnov", kolmogorov_smirnov, *(s[:, 1:] for s in sides))
    if smaller[0, 0] + larger[0, 0]:
        present = [np.stack([s[:, 0], s[:, 1:].sum(axis=1)], axis=1) for s in sides]
        yield _statistic(variable, "missing_share", chi_square, *present)


def _statistic(
    variable: Variable,
    name: str,
    formula: Callable[[Counts, Counts], tuple[Counts, Counts]],
    smaller: Counts,
    larger: Counts,
) -> Statistic:
    squares, scale = formula(smaller, larger)
    return Statistic(variable.name, name, squares, float(scale[0]))
