"""Which columns are missing together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evergreen.data.described_rows import Values

MOST_PATTERNS = 12
MOST_NAMES = 40
MOST_KINDS = 2
"""Patterns are numbered anew when their numbers are more than so many times the rows."""


@dataclass(frozen=True)
class Pattern:
    """The columns (and `more`) that are missing together, no others, in so many of the rows."""

    columns: tuple[str, ...]
    rows: int
    more: int = 0


@dataclass(frozen=True)
class Gaps:
    """How the rows looked at lack values: the most frequent patterns, complete rows first."""

    rows: int
    complete: int
    patterns: tuple[Pattern, ...]
    others: int
    """Rows with another pattern than those shown."""


def find_gaps(arrays: Sequence[Values]) -> Gaps:
    """Group rows by the set of columns that they lack."""
    rows = len(arrays[0].present) if arrays else 0
    gappy = [each for each in arrays if not each.present.all()]
    if not gappy:
        return Gaps(rows, rows, (), 0)
    lacking = np.zeros(rows, dtype=np.int64)
    kinds = 1
    for each in gappy:
        lacking = 2 * lacking + ~each.present
        kinds *= 2
        if kinds > MOST_KINDS * rows:
            lacking, kinds = _renumbered(lacking, kinds)
    lacking, kinds = _renumbered(lacking, kinds)
    counts = np.bincount(lacking)
    first = np.empty(kinds, dtype=np.int64)
    # Of several rows the last assignment stays: that of the first row.
    first[lacking[::-1]] = np.arange(rows)[::-1]
    complete = 0
    patterns: list[Pattern] = []
    for place in np.lexsort((first, -counts)):
        names = [each.field.column.name for each in gappy if not each.present[first[place]]]
        if not names:
            complete = int(counts[place])
        elif len(patterns) < MOST_PATTERNS:
            more = max(0, len(names) - MOST_NAMES)
            patterns.append(Pattern(tuple(names[:MOST_NAMES]), int(counts[place]), more))
        if len(patterns) == MOST_PATTERNS and complete:
            break
    shown = complete + sum(pattern.rows for pattern in patterns)
    return Gaps(rows, complete, tuple(patterns), rows - shown)


def _renumbered(numbers: NDArray[np.int64], most: int) -> tuple[NDArray[np.int64], int]:
    """The same numbers from 0 without gaps, and how many; all are below `most`."""
    there = np.bincount(numbers, minlength=most) > 0
    found: NDArray[np.int64] = (np.cumsum(there) - 1)[numbers]
    return found, int(there.sum())
