"""Stretches: parts of a reference in time order that are as long as the window.

Rows that happened together resemble each other, so a day differs from a year even when nothing
changed. What every such stretch of the reference shows of itself is not worth an alarm.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MOST_STRETCHES = 20


def stretches_of(reference_rows: int, window_rows: int) -> list[NDArray[np.bool_]]:
    """Mark up to 20 stretches, spread evenly; none if the reference is not twice the window."""
    count = min(reference_rows // window_rows, MOST_STRETCHES) if window_rows else 0
    if count <= 1:
        return []
    starts = np.linspace(0, reference_rows - window_rows, count).astype(int)
    places = np.arange(reference_rows)
    return [(places >= start) & (places < start + window_rows) for start in starts]
