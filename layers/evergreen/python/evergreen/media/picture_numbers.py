"""A picture as named numbers: its light, colours, edges and texture. NumPy only, nothing fitted."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from evergreen.media.grids import PICTURE_GRID, SIDE
from evergreen.media.pictures import SQUARE_SIDE, Picture, open_picture

COLOUR_BINS = 8
CELLS = 4
"""Edges are counted in so many rows and columns of cells."""

ORIENTATIONS = 9
TEXTURE_BINS = 10
SCALES = (1, 2)
"""Texture is looked at as it is, and at half the size."""

DIGITS = 6
"""Decimals that are kept: what is stored, sent and captured is the same number."""

NAMES: tuple[str, ...] = (
    "image.brightness",
    "image.contrast",
    "image.edges",
    *PICTURE_GRID,
    *(f"image.{name}_{i}" for name in ("red", "green", "blue") for i in range(COLOUR_BINS)),
    *(
        f"image.edge_r{r}c{c}_{180 * o // ORIENTATIONS}"
        for r in range(CELLS)
        for c in range(CELLS)
        for o in range(ORIENTATIONS)
    ),
    *(f"image.texture{scale}_{i}" for scale in SCALES for i in range(TEXTURE_BINS)),
)
"""What the numbers are called, in order."""


def describe_picture(file: BinaryIO, pixels: int) -> dict[str, float]:
    """Open a picture of at most so many pixels and describe it; raises MediaRefusedError."""
    values = numbers_of(open_picture(file, pixels))
    return {name: round(float(v), DIGITS) for name, v in zip(NAMES, values, strict=True)}


def numbers_of(picture: Picture) -> NDArray[np.float64]:
    """The numbers in the order of NAMES; float64 (names,)."""
    grey = picture.grey.astype(np.float64)
    square = picture.square.astype(np.float64)
    down, right = (np.asarray(np.gradient(square, axis=axis)) for axis in (0, 1))
    return np.concatenate(
        [
            [grey.mean(), grey.std(), np.hypot(down, right).mean()],
            _light(picture.square),
            *(_histogram(picture.rgb[:, :, channel]) for channel in range(3)),
            _edges(down, right),
            *(_texture(grey[::scale, ::scale]) for scale in SCALES),
        ]
    )


def _light(square: NDArray[np.float32]) -> NDArray[np.float64]:
    side = SQUARE_SIDE // SIDE
    blocks = square.astype(np.float64).reshape(SIDE, side, SIDE, side)
    light: NDArray[np.float64] = blocks.mean(axis=(1, 3)).ravel()
    return light


def _histogram(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Shares of pixels in equal ranges of a colour (Swain and Ballard, *Color Indexing*, 1991)."""
    places = np.minimum((values * COLOUR_BINS).astype(np.int64), COLOUR_BINS - 1)
    counts = np.bincount(places.ravel(), minlength=COLOUR_BINS)
    shares: NDArray[np.float64] = counts / places.size
    return shares


def _edges(down: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """Histograms of oriented gradients (Dalal and Triggs 2005), one per cell.

    A gradient counts by its size, divided between the two nearest of the unsigned orientations. A
    cell is divided by the length of all histograms of the cells around it, and cut at 0.2 (the
    paper's L2-Hys, with one block per cell instead of overlapping ones).
    """
    side = SQUARE_SIDE // CELLS
    size = np.hypot(down, right)
    angle = (np.arctan2(down, right) % np.pi) * (ORIENTATIONS / np.pi)
    lower = np.floor(angle).astype(np.int64)
    upper_share = angle - lower
    rows, columns = np.indices(size.shape) // side
    cells = np.zeros((CELLS, CELLS, ORIENTATIONS))
    np.add.at(cells, (rows, columns, lower % ORIENTATIONS), size * (1 - upper_share))
    np.add.at(cells, (rows, columns, (lower + 1) % ORIENTATIONS), size * upper_share)
    energy = np.pad((cells**2).sum(axis=2), 1)
    around = sum(energy[r : r + CELLS, c : c + CELLS] for r in range(3) for c in range(3))
    normal = np.minimum(cells / np.sqrt(np.asarray(around) + 1e-6)[:, :, np.newaxis], 0.2)
    return normal.ravel()


def _texture(grey: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shares of local binary patterns, uniform and independent of rotation (Ojala et al. 2002).

    A pixel's pattern says which of its eight neighbours are at least as light. Patterns of at most
    two changes around the circle are told by how many neighbours are; all others are one kind.
    """
    if min(grey.shape) < 3:  # noqa: PLR2004 - no pixel has all its neighbours
        return np.zeros(TEXTURE_BINS)
    middle = grey[1:-1, 1:-1]
    height, width = grey.shape
    circle = ((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))
    lighter = np.stack(
        [grey[r : height - 2 + r, c : width - 2 + c] >= middle for r, c in circle]
    ).astype(np.int64)
    changes = np.abs(lighter - np.roll(lighter, 1, axis=0)).sum(axis=0)
    pattern = np.where(changes <= 2, lighter.sum(axis=0), TEXTURE_BINS - 1)  # noqa: PLR2004
    counts = np.bincount(pattern.ravel(), minlength=TEXTURE_BINS)
    shares: NDArray[np.float64] = counts / pattern.size
    return shares
