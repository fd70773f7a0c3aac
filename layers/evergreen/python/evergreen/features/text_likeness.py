"""Texts that are nearly the same: MinHash over pairs of neighbouring words, found by banding.

The share of HASHES on which two texts agree estimates the share of word pairs that they have in
common (Broder, *On the resemblance and containment of documents*, 1997). Texts that agree on a
whole band are compared; texts alike by 0.7 meet in one of the bands but for two in a million.
"""

from __future__ import annotations

from collections.abc import Iterable
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from evergreen.features.components import NO_PAIRS, Pairs
from evergreen.features.split import mixed
from evergreen.features.text import words_of

ALIKE = 0.5
"""Share of common word pairs from which texts count as one. Of 5,000 reviews of fine foods, all
pairs are either above 0.8 or below 0.4."""

BANDS, PER_BAND = 32, 3

HASHES = BANDS * PER_BAND

FEWEST_WORDS = 6
"""Shorter texts are phrases, which people repeat without copying."""

MOST_WORDS = 400
"""Words of a text that are looked at."""

NEIGHBOURS = 8
"""In a band, a text is compared with the next few that agree on it, and with the first."""

_MULTIPLIERS, _ADDENDS = (
    mixed(np.arange(start, start + HASHES, dtype=np.uint64)) | np.uint64(odd)
    for start, odd in ((1, 1), (1_000, 0))
)


def pairs_of_alike(blocks: Iterable[tuple[int, list[str | None]]], rows: int) -> Pairs:
    """Pairs of rows whose texts are alike, in a memory of 400 bytes for each row.

    `blocks`: texts one after the other, with the row number of the first of each block.
    """
    signatures = np.zeros((rows, HASHES), dtype=np.uint32)
    signed = np.zeros(rows, dtype=bool)
    for first, texts in blocks:
        for row, text in enumerate(texts, start=first):
            shingles = _shingles(text or "")
            if shingles is not None:
                signatures[row] = _signature(shingles)
                signed[row] = True
    there = np.flatnonzero(signed)
    if there.size < 2:  # noqa: PLR2004 - a pair
        return NO_PAIRS
    found = [_in_band(signatures, there, band) for band in range(BANDS)]
    return np.unique(np.concatenate(found), axis=0)


def _shingles(text: str) -> NDArray[np.uint64] | None:
    """Hashes of the pairs of neighbouring words."""
    words = words_of(text)[:MOST_WORDS]
    if len(words) < FEWEST_WORDS:
        return None
    hashes = np.fromiter((crc32(word.encode()) for word in words), np.uint64, len(words))
    return mixed(hashes[:-1] * np.uint64(0x100000001) ^ (hashes[1:] << np.uint64(16)))


def _signature(shingles: NDArray[np.uint64]) -> NDArray[np.uint32]:
    """The least of each hash function over the shingles: multiply, add, keep the upper bits."""
    with np.errstate(over="ignore"):
        hashed = shingles[:, None] * _MULTIPLIERS + _ADDENDS
    least: NDArray[np.uint32] = (hashed >> np.uint64(32)).astype(np.uint32).min(axis=0)
    return least


def _in_band(signatures: NDArray[np.uint32], there: NDArray[np.intp], band: int) -> Pairs:
    """Alike texts among those that agree on a band."""
    part = signatures[there, band * PER_BAND : (band + 1) * PER_BAND].astype(np.uint64)
    key = mixed(mixed(mixed(part[:, 0]) ^ part[:, 1]) ^ part[:, 2])
    order = np.argsort(key, kind="stable")
    key, rows = key[order], there[order].astype(np.int64)
    starts = np.flatnonzero(np.append(True, key[1:] != key[:-1]))
    firsts = np.repeat(starts, np.diff(np.append(starts, len(key))))
    candidates = [np.column_stack([rows[firsts], rows])[firsts != np.arange(len(rows))]]
    for distance in range(1, min(NEIGHBOURS, len(key) - 1) + 1):
        same = np.flatnonzero(key[distance:] == key[:-distance])
        candidates.append(np.column_stack([rows[same], rows[same + distance]]))
    pairs = np.concatenate(candidates)
    agreed = np.empty(len(pairs), dtype=bool)
    for start in range(0, len(pairs), 100_000):
        some = slice(start, start + 100_000)
        left, right = pairs[some].T
        agreed[some] = (signatures[left] == signatures[right]).mean(axis=1) >= ALIKE
    return np.sort(pairs[agreed], axis=1)
