"""Which columns are missing together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evergreen.data.described_rows import Values

MOST_PATTERNS = 12
MOST_NAMES = 40


@dataclass(frozen=True)
class Pattern:
    """The columns that are missing together, no others, in so many of the rows looked at."""

    columns: tuple[str, ...]
    rows: int


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
    missing = np.stack([~each.present for each in gappy], axis=1)
    packed = np.ascontiguousarray(np.packbits(missing, axis=1))
    as_one = packed.view(np.dtype((np.void, packed.shape[1]))).ravel()
    _, first, counts = np.unique(as_one, return_index=True, return_counts=True)
    complete = 0
    patterns: list[Pattern] = []
    for place in np.lexsort((first, -counts)):
        names = [
            each.field.column.name
            for each, gone in zip(gappy, missing[first[place]], strict=True)
            if gone
        ]
        if not names:
            complete = int(counts[place])
        elif len(patterns) < MOST_PATTERNS:
            patterns.append(Pattern(tuple(names[:MOST_NAMES]), int(counts[place])))
        if len(patterns) == MOST_PATTERNS and complete:
            break
    shown = complete + sum(pattern.rows for pattern in patterns)
    return Gaps(rows, complete, tuple(patterns), rows - shown)
