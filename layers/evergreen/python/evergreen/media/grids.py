"""The grids of levels, 0 to 1, by which copies are told, as names of columns in reading order.

Here alone, so that preparation knows them without the libraries that open files.
"""

from __future__ import annotations

SIDE = 8
"""A grid has so many rows and columns."""

_PLACES = tuple((row, column) for row in range(SIDE) for column in range(SIDE))

PICTURE_GRID: tuple[str, ...] = tuple(f"image.light_r{r}c{c}" for r, c in _PLACES)
"""How light a picture is, from its upper left corner on."""

SOUND_GRID: tuple[str, ...] = tuple(f"audio.level_t{t}b{b}" for t, b in _PLACES)
"""How loud a recording is, from its beginning on, in bands from low to high."""
