"""Rows that are nearly the same: equal in all columns but one, and too special to be so by chance.

Numbers count as equal to DIGITS significant digits. Common values tell little: two passengers of
the same class, sex and port are two people. So each shared value counts by how rare it is, in bits,
less what another column tells of it already; and rows are alike only where they share so many that
not one pair in a thousand such tables would by chance.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from evergreen.features.components import NO_PAIRS, Pairs, pairs_of_equal
from evergreen.features.split import mixed

DIGITS = 4

MARGIN = 10
"""Bits beyond those that the best of all pairs has by chance: one in a thousand."""

SAMPLE = 5_000
ROWS_PER_VALUE = 5
NEAR = 50
"""Columns before a column that are asked what they tell of it."""


def pairs_of_alike(numbers: NDArray[np.float32], texts: NDArray[np.uint64]) -> Pairs:
    """Pairs of rows that are alike. `numbers` (rows, k), NaN where missing; `texts` (rows, m)."""
    rows = len(numbers)
    if rows < 2:  # noqa: PLR2004 - a pair
        return NO_PAIRS
    own = _own_shares(numbers, texts)
    whole = np.zeros(rows, dtype=np.uint64)
    bits = np.zeros(rows)
    for place, column in enumerate(_columns(numbers, texts)):
        whole += _marked(column, place)
        bits += own[place] * _bits(column)
    enough = 2 * np.log2(rows) + MARGIN
    found = [_among(whole, bits >= enough)]
    for place, column in enumerate(_columns(numbers, texts)):
        others = whole - _marked(column, place)
        found.append(_among(others, bits - own[place] * _bits(column) >= enough))
    return np.concatenate(found)


def _columns(
    numbers: NDArray[np.float32], texts: NDArray[np.uint64]
) -> Iterator[NDArray[np.uint64]]:
    """One column after the other as hashes of what counts as equal."""
    for place in range(numbers.shape[1]):
        yield _rounded(numbers[:, place])
    for place in range(texts.shape[1]):
        yield mixed(texts[:, place])


def _rounded(values: NDArray[np.float32]) -> NDArray[np.uint64]:
    """Numbers to so many significant digits, all missing ones equal."""
    wide = values.astype(np.float64)
    there = np.isfinite(wide) & (wide != 0)
    scale = np.ones_like(wide)
    scale[there] = 10.0 ** (DIGITS - 1 - np.floor(np.log10(np.abs(wide[there]))))
    rounded = np.where(np.isnan(wide), np.nan, np.round(wide * scale) / scale + 0.0)
    return mixed(rounded.view(np.uint64))


def _marked(column: NDArray[np.uint64], place: int) -> NDArray[np.uint64]:
    """The column's hashes, made its own: the same value elsewhere is another."""
    return mixed(column ^ mixed(np.array([place + 1], dtype=np.uint64)))


def _bits(column: NDArray[np.uint64]) -> NDArray[np.float64]:
    """How much a row's value tells: −log2 of its share."""
    _, place, counts = np.unique(column, return_inverse=True, return_counts=True)
    bits: NDArray[np.float64] = -np.log2(counts / len(column))[place]
    return bits


def _own_shares(numbers: NDArray[np.float32], texts: NDArray[np.uint64]) -> list[float]:
    """How much of each column's information no column before it has: 1 − I(i; j) / H(j), the least.

    Judged by a sample of rows, and by columns whose values have several rows each: what is
    different in every row would seem to tell everything.
    """
    step = max(len(numbers) // SAMPLE, 1)
    some = np.arange(0, len(numbers), step)
    columns = [
        np.unique(column, return_inverse=True)[1] for column in _columns(numbers[some], texts[some])
    ]
    entropies = [_entropy(column) for column in columns]
    shares = []
    for place, column in enumerate(columns):
        told = 0.0
        for before in range(max(place - NEAR, 0), place):
            other = columns[before]
            if (other.max() + 1) * ROWS_PER_VALUE <= len(some) and entropies[place] > 0:
                both = _entropy(other * (column.max() + 1) + column)
                shared = entropies[place] + entropies[before] - both
                told = max(told, shared / entropies[place])
        shares.append(min(max(1 - told, 0.0), 1.0))
    return shares


def _entropy(codes: NDArray[np.intp]) -> float:
    counts = np.unique(codes, return_counts=True)[1] / len(codes)
    return float(-(counts * np.log2(counts)).sum())


def _among(keys: NDArray[np.uint64], special: NDArray[np.bool_]) -> Pairs:
    places = np.flatnonzero(special).astype(np.int64)
    pairs: Pairs = places[pairs_of_equal(keys[places])]
    return pairs
