"""Pictures and recordings that are nearly the same: encoded again, resized, lighter, cropped.

Each is told by a coarse grid of levels, of which the two-dimensional DCT is taken as in the
perceptual hash pHash (Zauner, *Implementation and benchmarking of perceptual image hash functions*,
2010), but with its numbers instead of their signs: scaled by their spread in this dataset, so that
what all pictures share (a dark edge, a face in the middle) tells nothing. Two of them are alike if
the cosine between them is greater than that of the best of all pairs would be by chance.

Two unrelated directions in K dimensions have a cosine of c or more with a chance of at most
(1 − c²)^((K − 1) / 2) / 2, the share of a sphere that a cap has. K is counted from the dataset: the
mean square of the cosine of two of its pictures is 1 / K. A picture that rests on a few waves, as a
brick wall does, has fewer: 3 / Σ x⁴ of its direction x, which is about K where all waves are alike.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from evergreen.features.components import NO_PAIRS, Pairs
from evergreen.media.grids import PICTURE_GRID, SIDE, SOUND_GRID

GRIDS: tuple[tuple[tuple[str, ...], bool], ...] = ((PICTURE_GRID, True), (SOUND_GRID, False))
"""Columns of levels, and whether their mirror image is a copy too: of a picture, not of a sound."""

PLAIN = 0.02
"""A grid with a smaller spread of its levels, five shades of grey or 0.6 dB, has nothing to tell:
JPEG of quality 60 moves the mean of a block by up to two shades."""

FALSE_PAIRS = 2.0**-10
"""Pairs that are alike by chance, expected in a whole dataset: as for rows, one in a thousand."""

BANDS = 64
"""Candidates are found by the sides of random planes that they lie on (Charikar, *Similarity
estimation techniques from rounding algorithms*, 2002), in so many bands: of as many planes that a
band has about one row for each combination. Among 10,000 rows, two with a cosine of 0.95 meet but
for one time in a million, two with 0.9 but for 1 in 1,000, two with 0.8 but for 1 in 8."""

NEIGHBOURS = 8
"""In a band, a row is compared with the next few, in the order of one more direction."""

PAIRS_SAMPLED = 100_000
"""Pairs by which the dimensions of a dataset are counted."""

ROUNDING = 1e-9
PAIRS_AT_ONCE = 50_000


def pairs_of_alike(grids: NDArray[np.float32], *, mirrored: bool) -> Pairs:
    """Pairs of rows whose grids are alike; float32 (rows, SIDE * SIDE), NaN where there is none.

    `mirrored`: a row is also alike to one whose columns are in the opposite order.
    """
    there = np.flatnonzero(grids.std(axis=1) >= PLAIN)
    if there.size < 3:  # noqa: PLR2004 - what all share, and two that differ in it
        return NO_PAIRS
    directions, odd = _directions(grids[there].astype(np.float64))
    flip = np.where(odd, -1.0, 1.0) if mirrored else np.ones(len(odd))
    enough = _enough(directions)
    found = [
        pairs[_cosines(directions, pairs, flip) >= enough[pairs].max(axis=1)]
        for pairs in _candidates(directions, flip)
    ]
    alike: Pairs = there[np.unique(np.sort(np.concatenate(found), axis=1), axis=0)]
    return alike


def _directions(grids: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Unit vectors (rows, SIDE² − 1), and which of their numbers change sign in a mirror."""
    order, place = np.indices((SIDE, SIDE))
    cosines = np.cos(np.pi / SIDE * order * (place + 0.5))
    waves = cosines @ grids.reshape(-1, SIDE, SIDE) @ cosines.T
    # Without the first, which is the mean level.
    numbers = _unit(waves.reshape(len(grids), -1)[:, 1:])
    odd = (np.arange(1, SIDE * SIDE) % SIDE) % 2 == 1
    # What changes sign in a mirror is measured from 0, so that a mirror changes nothing else.
    shared = np.where(odd, 0.0, numbers.mean(axis=0))
    spread = np.sqrt(((numbers - shared) ** 2).mean(axis=0))
    # What does not vary is 0 / 1, but for the last digit.
    return _unit((numbers - shared) / np.where(spread > ROUNDING, spread, 1)), odd


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: NDArray[np.float64] = vectors / np.where(lengths > 0, lengths, 1)
    return unit


def _enough(directions: NDArray[np.float64]) -> NDArray[np.float64]:
    """For each row the cosine that no unrelated row has, mirrored or not, but for FALSE_PAIRS."""
    rows, width = directions.shape
    chance = np.random.default_rng(1)
    left = chance.integers(0, rows, PAIRS_SAMPLED)
    right = (left + chance.integers(1, rows, PAIRS_SAMPLED)) % rows
    square = float((np.einsum("ij,ij->i", directions[left], directions[right]) ** 2).mean())
    own = 3 / np.maximum((directions**4).sum(axis=1), 1 / width)
    dimensions = np.minimum(own, 1 / max(square, 1 / width))
    enough: NDArray[np.float64] = np.sqrt(
        1 - (2 * FALSE_PAIRS / rows**2) ** (2 / np.maximum(dimensions - 1, ROUNDING))
    )
    return enough


def _candidates(directions: NDArray[np.float64], flip: NDArray[np.float64]) -> Iterator[Pairs]:
    """Pairs that agree on a band of planes; a row and its mirror image lie on the same sides."""
    rows, width = directions.shape
    planes = int(np.ceil(np.log2(rows)))
    chance = np.random.default_rng(2)
    straight, turned = directions * (flip > 0), directions * (flip < 0)
    for _ in range(BANDS):
        normals = chance.standard_normal((width, planes + 2))
        # The first says which of the two, itself or its mirror image, is looked at.
        image = np.where(turned @ normals[:, :1] < 0, -1.0, 1.0)
        sides = straight @ normals + image * (turned @ normals)
        key = (sides[:, 1:-1] > 0) @ (1 << np.arange(planes, dtype=np.int64))
        order = np.lexsort((sides[:, -1], key)).astype(np.int64)
        for distance in range(1, min(NEIGHBOURS, rows - 1) + 1):
            same = np.flatnonzero(key[order[distance:]] == key[order[:-distance]])
            yield np.column_stack([order[same], order[same + distance]])


def _cosines(
    directions: NDArray[np.float64], pairs: Pairs, flip: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Of the rows of each pair, or of one and the mirror image of the other, the greater."""
    cosines = np.empty(len(pairs))
    for start in range(0, len(pairs), PAIRS_AT_ONCE):
        left, right = pairs[start : start + PAIRS_AT_ONCE].T
        products = directions[left] * directions[right]
        cosines[start : start + PAIRS_AT_ONCE] = np.maximum(products.sum(axis=1), products @ flip)
    return cosines
