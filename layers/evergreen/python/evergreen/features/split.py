"""Which rows are held out: the newest, whole groups, or a stratified draw; equal rows together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ROOM = 1.25
"""So many times its share may be held out, rather than let go what was held out before."""

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
    units: NDArray[np.int64] | NDArray[np.uint64],
    strata: NDArray[np.int64],
    share: float,
    seed: int,
    names: NDArray[np.uint64] | None = None,
) -> NDArray[np.bool_]:
    """A draw of about `share` of each stratum; rows of one unit stay together.

    `units`: (rows,), what must not be divided; `names`: uint64 (rows,), hashes that rows keep when
    others are added (the units, if left out); `strata`: int64 (rows,). A unit belongs to the
    stratum of its first row. Every stratum of two or more units has at least one to learn from.

    The draw is by names and `seed` alone: when rows are added, those that were held out stay held
    out but for a few at the margin, so that no later model learns from them. First names are drawn
    as if each were a unit; then every unit with a drawn name is held out, so that it stays so when
    a row joins it. That is more than the share where units have many names, up to ROOM times it.
    """
    own = units.astype(np.uint64) if names is None else names
    lots = mixed(own ^ np.uint64(seed % 2**64))
    every = np.ones(len(units), dtype=bool)
    held = _first(own, strata, lots, share, 1, every)
    return held if names is None else _first(units, strata, lots, share, ROOM, held)


def _first(
    units: NDArray[np.int64] | NDArray[np.uint64],
    strata: NDArray[np.int64],
    lots: NDArray[np.uint64],
    share: float,
    room: float,
    drawn: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Of the units with a `drawn` row those with the least lots, up to `room` times the share."""
    names, first, place = np.unique(units, return_index=True, return_inverse=True)
    sizes, stratum = np.bincount(place), strata[first]
    lot = np.full(len(names), np.iinfo(np.uint64).max, dtype=np.uint64)
    np.minimum.at(lot, place, lots)
    among = np.zeros(len(names), dtype=bool)
    among[place[drawn]] = True
    total = np.bincount(stratum, weights=sizes)
    several = np.bincount(stratum) > 1
    quota = np.where(several, np.maximum(np.round(share * total), 1), 0)
    # Units too large for the quota come last: they would keep the others from being drawn.
    large = sizes > quota[stratum]
    order = np.lexsort((lot, large, ~among, stratum))
    ordered = stratum[order]
    running = np.cumsum(sizes[order])
    starts = np.flatnonzero(np.diff(ordered, prepend=-1))
    before = np.repeat(running[starts] - sizes[order][starts], np.diff([*starts, len(order)]))
    most = np.where(large, quota[stratum], np.floor(room * quota)[stratum])[order]
    chosen = among[order] & (running - before <= most)
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
