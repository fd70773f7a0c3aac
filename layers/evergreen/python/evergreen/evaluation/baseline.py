"""The null model that every model must beat: what is known without looking at any column."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def null_predictions(learned_from: NDArray[Any], classes: int, rows: int) -> NDArray[np.float64]:
    """The shares of the classes (rows, classes), or the mean (rows,), of the rows learned from."""
    if not classes:
        return np.full(rows, float(np.mean(learned_from)))
    shares = np.bincount(learned_from.astype(np.int64), minlength=classes) / len(learned_from)
    return np.tile(shares, (rows, 1))
