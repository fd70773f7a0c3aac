"""Which rows are held out: the newest, whole groups, or a stratified draw; equal rows together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

STRATA = 10
"""A number to predict is divided into so many strata of equal size."""


def newest(times: NDArray[np.float64], share: float) -> NDArray[np.bool_] | None:
    """The newest rows, about `share` of them; None if all rows have the same time.

    `times`: float64 (rows,), ascending. Rows of the same time stay together, so the boundary is
    the change of time that is nearest to the share.
    """
    changes = np.flatnonzero(times[1:] > times[:-1]) + 1
    if changes.size == 0:
        return None
    wanted = len(times) * (1 - share)
    first = changes[np.argmin(np.abs(changes - wanted))]
    held: NDArray[np.bool_] = np.arange(len(times)) >= first
    return held


def drawn(
    units: NDArray[np.uint64], strata: NDArray[np.int64], share: float, seed: int
) -> NDArray[np.bool_]:
    """A draw of about `share` of each stratum; rows of one unit stay together.

    `units`: uint64 (rows,), hashes of what must not be divided; `strata`: int64 (rows,). A unit
    belongs to the stratum of its first row. Every stratum of two or more units has at least one
    to learn from. The draw is by hash and `seed` alone: when rows are added, those that were held
    out stay held out but for a few at the margin, so that no later model learns from them.
    """
    names, first, place = np.unique(units, return_index=True, return_inverse=True)
    sizes = np.bincount(place)
    stratum = strata[first]
    total = np.bincount(stratum, weights=sizes)
    several = np.bincount(stratum) > 1
    quota = np.where(several, np.maximum(np.round(share * total), 1), 0)
    # Units too large for the quota come last: they would keep the others from being drawn.
    large = sizes > quota[stratum]
    order = np.lexsort((mixed(names ^ np.uint64(seed % 2**64)), large, stratum))
    ordered = stratum[order]
    running = np.cumsum(sizes[order])
    starts = np.flatnonzero(np.diff(ordered, prepend=-1))
    before = np.repeat(running[starts] - sizes[order][starts], np.diff([*starts, len(order)]))
    chosen = running - before <= quota[ordered]
    chosen[np.append(starts[1:], len(order)) - 1] = False
    if not chosen.any() and len(names) > 1:
        chosen[np.argmin(sizes[order])] = True
    held_units = np.zeros(len(names), dtype=bool)
    held_units[order] = chosen
    held: NDArray[np.bool_] = held_units[place]
    return held


def strata_of(target: NDArray[np.float64] | NDArray[np.int64]) -> NDArray[np.int64]:
    """Classes as they are; numbers by tenths of their ranks."""
    if target.dtype == np.int64:
        return target.astype(np.int64)
    edges = np.unique(np.quantile(target, np.linspace(0, 1, STRATA + 1)[1:-1]))
    return np.searchsorted(edges, target, side="right").astype(np.int64)


def row_hashes(numbers: NDArray[np.float32], texts: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Equal hashes for rows that are equal in all columns; (rows,) from (rows, k), (rows, m).

    `texts` are hashes of the texts. Two different rows among a million share a hash with a
    chance of one in thirty million, and would then merely stay on the same side.
    """
    values = np.where(np.isnan(numbers), np.float32(np.nan), numbers + np.float32(0.0))
    hashes = np.zeros(len(numbers), dtype=np.uint64)
    for column in (*np.ascontiguousarray(values).view(np.uint32).T, *texts.T):
        hashes = mixed(hashes ^ column.astype(np.uint64))
    return hashes


def mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Spread 64-bit values evenly (the step of SplitMix64, Steele et al. 2014)."""
    with np.errstate(over="ignore"):
        values = values + np.uint64(0x9E3779B97F4A7C15)
        values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return values ^ (values >> np.uint64(31))
