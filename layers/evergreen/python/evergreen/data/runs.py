"""The values of a column in rising order, equal ones counted: what distributions are read from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evergreen.data.described_rows import Values

SAFE_TO_SQUARE = (1e-100, 1e100)


def scale_of(least: float, greatest: float) -> float:
    """Values are divided by this before they are squared, so that 1e200 does not overflow."""
    size = max(abs(least), abs(greatest))
    smallest, largest = SAFE_TO_SQUARE
    return 1.0 if smallest < size < largest or size == 0 else size


@dataclass(frozen=True)
class Runs:
    """All values of a column in rising order; `distinct` values, each `often` times."""

    ordered: NDArray[Any]
    distinct: NDArray[Any]
    often: NDArray[np.int64]

    @cached_property
    def moments(self) -> tuple[float, float | None, float | None]:
        """Mean, sample standard deviation and skewness of numbers; there must be one.

        None where one value, or values that are all the same, have none.
        """
        scale = scale_of(float(self.ordered[0]), float(self.ordered[-1]))
        values = self.ordered if scale == 1 else self.ordered / scale
        mean = float(values.mean())
        apart = values - mean
        squares = apart * apart
        variance = float(squares.mean())
        if len(values) < 2:  # noqa: PLR2004
            return mean * scale, None, None
        std = math.sqrt(variance * len(values) / (len(values) - 1)) * scale
        skewness = float((squares * apart).mean()) / variance**1.5 if variance > 0 else None
        return mean * scale, std, skewness

    def quantiles(self, shares: tuple[float, ...]) -> NDArray[np.float64]:
        """Quantiles, linear between two values; there must be a value."""
        at = np.array(shares) * (len(self.ordered) - 1)
        low = np.floor(at).astype(np.int64)
        high = np.minimum(low + 1, len(self.ordered) - 1)
        lows, highs = (self.ordered[place].astype(np.float64) for place in (low, high))
        part = at - low
        found: NDArray[np.float64] = lows * (1 - part) + highs * part
        return found

    def hundredths(self) -> NDArray[Any]:
        """The value in the middle of each hundredth of all, as it is there; there must be one.

        Their distribution function is nowhere further than 1/200 from that of all values.
        """
        found: NDArray[Any] = self.ordered[
            (np.arange(0.5, 100) / 100 * len(self.ordered)).astype(int)
        ]
        return found

    def counts_between(self, edges: list[float]) -> NDArray[np.int64]:
        """How many values are up to the first edge, up to each next one, and above the last."""
        places = np.searchsorted(self.ordered, edges, side="right")
        found: NDArray[np.int64] = np.diff([0, *places, len(self.ordered)])
        return found

    def most_frequent(self, most: int) -> list[tuple[Any, int]]:
        """Values with their counts, the most frequent first; of equal ones the least."""
        if len(self.often) > most:
            least = np.partition(self.often, -most)[-most]
            places = np.flatnonzero(self.often >= least)
        else:
            places = np.arange(len(self.often))
        order = places[np.argsort(-self.often[places], kind="stable")][:most]
        return [(self.distinct[place].item(), int(self.often[place])) for place in order]


def runs_of(each: Values) -> Runs:
    """Sort the values that are there."""
    there = each.values if each.present.all() else each.values[each.present]
    ordered = np.sort(there)
    changes = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
    starts = np.concatenate([[0], changes]) if len(ordered) else changes
    often = np.diff(np.append(starts, len(ordered)))
    return Runs(ordered, ordered[starts], often)
