"""Which columns of a dataset say the same, or go up and down together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evergreen.data.described_rows import Values
from evergreen.data.ranks import ranks

MOST_COMPARED = 80
"""Columns of numbers that are compared with each other; of wider tables the first ones."""

MOST_SHOWN = 24
FEWEST_TOGETHER = 20
LARGEST_SHARE_OF_DIFFERENT = 0.5
"""Columns with more different values than this share of their rows are names, not copies."""


@dataclass(frozen=True)
class Correlations:
    """Spearman's ρ of columns of numbers, over the rows that have both; None where too few have."""

    columns: tuple[str, ...]
    matrix: tuple[tuple[float | None, ...], ...]


@dataclass(frozen=True)
class Likeness:
    """`twins`: pairs of columns of which each value of one goes with one value of the other."""

    twins: tuple[tuple[str, str], ...]
    correlations: Correlations | None


def find_likeness(arrays: Sequence[Values]) -> Likeness:
    """Compare the columns with each other, in the rows that are given."""
    return Likeness(_twins(arrays), _correlations(arrays))


def _twins(arrays: Sequence[Values]) -> tuple[tuple[str, str], ...]:
    alike: dict[Any, list[tuple[str, NDArray[np.int64]]]] = defaultdict(list)
    for each in arrays:
        codes, sizes = _codes(each)
        if len(sizes) > 1 and len(sizes) <= LARGEST_SHARE_OF_DIFFERENT * len(codes):
            shape = (int((~each.present).sum()), np.sort(sizes).tobytes())
            alike[shape].append((each.field.column.name, codes))
    found = []
    for group in alike.values():
        for (one, codes), (other, others) in combinations(group, 2):
            pairs = np.unique(codes * (int(others.max()) + 1) + others)
            if len(pairs) == int(codes.max()) + 1:
                found.append((one, other))
    return tuple(found)


def _codes(each: Values) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """A number from 0 for every value, missing being one of them; how often each is there."""
    codes = np.zeros(len(each.present), dtype=np.int64)
    _, inverse = np.unique(each.values[each.present], return_inverse=True)
    codes[each.present] = inverse
    if not each.present.all():
        codes[~each.present] = inverse.max() + 1 if len(inverse) else 0
    return codes, np.bincount(codes)


def _correlations(arrays: Sequence[Values]) -> Correlations | None:
    numbers = [each for each in arrays if each.field.is_number and each.present.any()]
    numbers = numbers[:MOST_COMPARED]
    if len(numbers) < 2:  # noqa: PLR2004
        return None
    matrix = spearman([each.values for each in numbers], [each.present for each in numbers])
    apart = np.where(np.eye(len(numbers), dtype=bool), 0.0, np.nan_to_num(np.abs(matrix)))
    greatest = apart.max(axis=1)
    strongest = np.argsort(-greatest, kind="stable")[:MOST_SHOWN]
    strongest = np.sort(strongest[greatest[strongest] > 0])
    shown = matrix[np.ix_(strongest, strongest)]
    return Correlations(
        tuple(numbers[place].field.column.name for place in strongest),
        tuple(
            tuple(None if np.isnan(value) else round(float(value), 4) for value in row)
            for row in shown
        ),
    )


def spearman(
    values: Sequence[NDArray[Any]], present: Sequence[NDArray[np.bool_]]
) -> NDArray[np.float64]:
    """Rank correlations of all pairs, each over the rows that have both; NaN where undefined.

    Ranks are those within the whole column, so that one sorting per column is enough: with gaps
    the value can differ a little from one that ranks each pair's rows anew.
    """
    there = np.stack(present, axis=1).astype(np.float64)
    ranked = np.zeros_like(there)
    for place, (own, has) in enumerate(zip(values, present, strict=True)):
        own_ranks = ranks(own[has])
        ranked[has, place] = own_ranks - own_ranks.mean()
    both = there.T @ there
    sums = ranked.T @ there
    squares = (ranked**2).T @ there
    products = ranked.T @ ranked
    with np.errstate(divide="ignore", invalid="ignore"):
        covariance = products - sums * sums.T / both
        spread = squares - sums**2 / both
        found = covariance / np.sqrt(spread * spread.T)
    found[(both < FEWEST_TOGETHER) | ~np.isfinite(found)] = np.nan
    return np.clip(found, -1, 1)
