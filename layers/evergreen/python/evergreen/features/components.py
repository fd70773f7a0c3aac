"""Which rows belong together, given pairs that do."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Pairs = NDArray[np.int64]
"""int64 (pairs, 2): row numbers that belong together."""

NO_PAIRS: Pairs = np.empty((0, 2), dtype=np.int64)


def components(rows: int, pairs: Pairs) -> NDArray[np.int64]:
    """For each row the least row that it is connected with; int64 (rows,).

    Labels are passed along pairs and shortened to their roots until nothing changes (Shiloach and
    Vishkin 1982), whatever the order of the pairs.
    """
    label = np.arange(rows, dtype=np.int64)
    while True:
        left, right = label[pairs[:, 0]], label[pairs[:, 1]]
        unequal = left != right
        if not unequal.any():
            return label
        pairs, left, right = pairs[unequal], left[unequal], right[unequal]
        np.minimum.at(label, np.maximum(left, right), np.minimum(left, right))
        while (shorter := label[label] != label).any():
            label[shorter] = label[label][shorter]


def pairs_of_equal(values: NDArray[np.uint64]) -> Pairs:
    """Each row with the next one of the same value; enough to connect all rows of a value."""
    order = np.argsort(values, kind="stable").astype(np.int64)
    same = np.flatnonzero(values[order[1:]] == values[order[:-1]])
    return np.column_stack([order[same], order[same + 1]])
