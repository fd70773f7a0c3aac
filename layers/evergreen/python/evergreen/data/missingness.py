"""Which columns are missing together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evergreen.data.described_rows import Values

MOST_PATTERNS = 12
MOST_NAMES = 40
APART = 0x9E3779B97F4A7C15
"""Its powers are spread over all numbers of 64 bits (the golden ratio in binary)."""


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
    # A pattern is the sum of its columns' numbers, which are far apart: two patterns with one sum
    # are as likely as two texts with one hash.
    sums = np.zeros(rows, dtype=np.uint64)
    for place, each in enumerate(gappy, start=1):
        sums[~each.present] += np.uint64(pow(APART, place, 1 << 64))
    _, first, counts = np.unique(sums, return_index=True, return_counts=True)
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
