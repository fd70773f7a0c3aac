"""The different values of a column in rising order, counted: what distributions are read from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evergreen.data.described_rows import Values

SAFE_TO_SQUARE = (1e-100, 1e100)

WIDEST_TABLE = 4
"""Whole numbers are counted in a table of at most so many places for each of them."""

LARGEST_WHOLE = 2.0**52
"""From here on, a half is lost between whole numbers."""


def scale_of(least: float, greatest: float) -> float:
    """Values are divided by this before they are squared, so that 1e200 does not overflow."""
    size = max(abs(least), abs(greatest))
    smallest, largest = SAFE_TO_SQUARE
    return 1.0 if smallest < size < largest or size == 0 else size


@dataclass(frozen=True)
class Runs:
    """The `distinct` values of a column in rising order, each there `often` times."""

    distinct: NDArray[Any]
    often: NDArray[np.int64]

    @cached_property
    def ends(self) -> NDArray[np.int64]:
        """How many values there are up to each of the distinct ones, and with it."""
        found: NDArray[np.int64] = np.cumsum(self.often)
        return found

    @property
    def count(self) -> int:
        """How many values there are."""
        return int(self.ends[-1]) if len(self.ends) else 0

    @cached_property
    def moments(self) -> tuple[float, float | None, float | None]:
        """Mean, sample standard deviation and skewness of numbers; there must be one.

        None where one value, or values that are all the same, have none.
        """
        scale = scale_of(float(self.distinct[0]), float(self.distinct[-1]))
        values = self.distinct if scale == 1 else self.distinct / scale
        mean = float((values * self.often).sum() / self.count)
        apart = values - mean
        squares = apart * apart * self.often
        variance = float(squares.sum() / self.count)
        if self.count < 2:  # noqa: PLR2004
            return mean * scale, None, None
        std = math.sqrt(variance * self.count / (self.count - 1)) * scale
        third = float((squares * apart).sum() / self.count)
        return mean * scale, std, third / variance**1.5 if variance > 0 else None

    def quantiles(self, shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """Quantiles, linear between two values; there must be a value."""
        at = shares * (self.count - 1)
        low = np.floor(at).astype(np.int64)
        high = np.minimum(low + 1, self.count - 1)
        lows, highs = (self._at(places).astype(np.float64) for places in (low, high))
        part = at - low
        # What is a value stays that value, to the last bit.
        exact = (lows == highs) | (part == 0)
        between = lows * (1 - part) + np.where(exact, lows, highs) * part
        found: NDArray[np.float64] = np.where(exact, lows, between)
        return found

    def _at(self, places: NDArray[np.int64]) -> NDArray[Any]:
        """The values at these places from 0, were all of them in their order."""
        found: NDArray[Any] = self.distinct[np.searchsorted(self.ends, places, side="right")]
        return found

    def up_to(self, edges: NDArray[Any]) -> NDArray[np.int64]:
        """How many values are not above each of the edges."""
        found: NDArray[np.int64] = np.append(0, self.ends)[
            np.searchsorted(self.distinct, edges, side="right")
        ]
        return found

    def hundredths(self) -> NDArray[Any]:
        """The value in the middle of each hundredth of all, as it is there; there must be one.

        Their distribution function is nowhere further than 1/200 from that of all values.
        """
        return self._at((np.arange(0.5, 100) / 100 * self.count).astype(np.int64))

    def counts_between(self, edges: list[float]) -> NDArray[np.int64]:
        """How many values are up to the first edge, up to each next one, and above the last."""
        found: NDArray[np.int64] = np.diff([0, *self.up_to(np.array(edges)), self.count])
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

    def where(self, kept: NDArray[np.bool_]) -> Runs:
        """Some of the distinct values."""
        return Runs(self.distinct[kept], self.often[kept])


def runs_of(each: Values) -> Runs:
    """Count the values that are there: whole numbers in a table, others by sorting them."""
    there = each.values if each.present.all() else each.values[each.present]
    places = _places(there)
    if places is not None:
        return _runs_in_table(np.bincount(places), there)
    ordered = np.sort(there)
    changes = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
    starts = np.concatenate([[0], changes]) if len(ordered) else changes
    return Runs(ordered[starts], np.diff(np.append(starts, len(ordered))))


@dataclass(frozen=True)
class Coded:
    """The values of a column in some rows as places in `runs.distinct`; missing ones come after."""

    values: Values
    runs: Runs
    codes: NDArray[np.int64]

    @property
    def missing(self) -> int:
        """The code of a value that is missing."""
        return len(self.runs.distinct)


def code(each: Values) -> Coded:
    """Find the place of each row's value among the different ones."""
    whole = each.present.all()
    there = each.values if whole else each.values[each.present]
    places = _places(there)
    if places is not None:
        counts = np.bincount(places)
        runs, found = _runs_in_table(counts, there), (np.cumsum(counts > 0) - 1)[places]
    else:
        distinct, found, often = np.unique(there, return_inverse=True, return_counts=True)
        runs = Runs(distinct, often)
    if whole:
        return Coded(each, runs, found)
    codes = np.full(len(each.present), len(runs.distinct), dtype=np.int64)
    codes[each.present] = found
    return Coded(each, runs, codes)


def _places(values: NDArray[Any]) -> NDArray[np.int64] | None:
    """Places in a table that begins with the least; None unless these are whole numbers, close."""
    if not len(values):
        return None
    least, greatest = float(values.min()), float(values.max())
    if not -LARGEST_WHOLE < least <= greatest < LARGEST_WHOLE:
        return None
    if greatest - least > WIDEST_TABLE * len(values):
        return None
    whole = values.astype(np.int64)
    if values.dtype.kind == "f" and not np.array_equal(whole, values):
        return None
    places: NDArray[np.int64] = whole - int(least)
    return places


def _runs_in_table(counts: NDArray[np.int64], values: NDArray[Any]) -> Runs:
    filled = np.flatnonzero(counts)
    return Runs((filled + int(values.min())).astype(values.dtype), counts[filled])
