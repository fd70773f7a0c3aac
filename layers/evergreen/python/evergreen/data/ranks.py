"""The ranks of values."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def ranks(codes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Ranks from 1 of values given as codes from 0 that rise with them; equal ones share the mean.

    >>> ranks(np.array([2, 0, 1, 1])).tolist()
    [4.0, 1.0, 2.5, 2.5]
    """
    counts = np.bincount(codes)
    mean: NDArray[np.float64] = np.cumsum(counts) - (counts - 1) / 2
    return mean[codes]
