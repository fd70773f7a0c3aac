"""Which columns of a dataset say the same, or go up and down together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from evergreen.data.ranks import ranks
from evergreen.data.runs import Coded

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


def find_likeness(columns: Sequence[Coded]) -> Likeness:
    """Compare the columns with each other, in the rows that are given."""
    return Likeness(_twins(columns), _correlations(columns))


def _twins(columns: Sequence[Coded]) -> tuple[tuple[str, str], ...]:
    alike: dict[tuple[int, bytes], list[Coded]] = defaultdict(list)
    for each in columns:
        gaps = len(each.codes) - each.runs.count
        kinds = each.missing + (gaps > 0)
        if 1 < kinds <= LARGEST_SHARE_OF_DIFFERENT * len(each.codes):
            alike[gaps, np.sort(each.runs.often).tobytes()].append(each)
    found = []
    for group in alike.values():
        for one, other in combinations(group, 2):
            pairs = np.unique(one.codes * (other.missing + 1) + other.codes)
            if len(pairs) == int(one.codes.max()) + 1:
                found.append((one.values.field.column.name, other.values.field.column.name))
    return tuple(found)


def _correlations(columns: Sequence[Coded]) -> Correlations | None:
    numbers = [each for each in columns if each.values.field.is_number and each.runs.count]
    numbers = numbers[:MOST_COMPARED]
    if len(numbers) < 2:  # noqa: PLR2004
        return None
    matrix = spearman([each.codes for each in numbers], [each.values.present for each in numbers])
    apart = np.where(np.eye(len(numbers), dtype=bool), 0.0, np.nan_to_num(np.abs(matrix)))
    greatest = apart.max(axis=1)
    strongest = np.argsort(-greatest, kind="stable")[:MOST_SHOWN]
    strongest = np.sort(strongest[greatest[strongest] > 0])
    shown = matrix[np.ix_(strongest, strongest)]
    return Correlations(
        tuple(numbers[place].values.field.column.name for place in strongest),
        tuple(
            tuple(None if np.isnan(value) else round(float(value), 4) for value in row)
            for row in shown
        ),
    )


def spearman(
    codes: Sequence[NDArray[np.int64]], present: Sequence[NDArray[np.bool_]]
) -> NDArray[np.float64]:
    """Rank correlations of all pairs, each over the rows that have both; NaN where undefined.

    Of each column a code for every row, from 0 and rising with the values, and which are there.
    Ranks are those within the whole column, so that one sorting per column is enough: with gaps
    the value can differ a little from one that ranks each pair's rows anew.
    """
    there = np.stack(present, axis=1).astype(np.float64)
    ranked = np.zeros_like(there)
    for place, (own, has) in enumerate(zip(codes, present, strict=True)):
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
