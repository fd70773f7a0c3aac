"""Bootstrap resamples of the same rows, as weights that metrics take."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 500

CELLS_AT_ONCE = 250_000
"""Weights made at a time: 2 MB, which the cache of a small function's core still holds."""


def resample_weights(
    rows: int, seed: int, resamples: int = RESAMPLES
) -> Iterator[NDArray[np.float64]]:
    """Weights (some resamples, rows): how often each row was drawn (Efron 1979).

    Equal for equal arguments, so that two models are compared resample by resample. Nothing
    without rows.
    """
    if not rows:
        return
    chance = np.random.default_rng(seed)
    block = max(1, CELLS_AT_ONCE // rows)
    for start in range(0, resamples, block):
        size = min(block, resamples - start)
        drawn = chance.integers(0, rows, size=(size, rows))
        drawn += np.arange(size)[:, None] * rows
        counts = np.bincount(drawn.ravel(), minlength=size * rows)
        yield counts.reshape(size, rows).astype(np.float64)
