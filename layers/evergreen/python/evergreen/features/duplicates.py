"""Rows that say the same thing twice, and must not be learned from and judged by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evergreen.features import media_likeness, row_likeness, text_likeness
from evergreen.features.columnar import Columnar
from evergreen.features.components import Pairs, components, pairs_of_equal
from evergreen.features.split import row_hashes

CLOUD = 0.05
"""A larger share of rows that are alike one by one are no copies, but a dense cloud of rows."""

SMALL = 20
"""So many rows are no cloud."""


@dataclass(frozen=True)
class Duplicates:
    """Rows that belong together.

    `equal`: uint64 (rows,), the same where rows are equal in all columns. `copies`: int64 (rows,),
    the same where rows are copies of each other, exactly or nearly, and too special to be so by
    chance. `units`: int64 (rows,), the same where rows are equal or copies.
    """

    equal: NDArray[np.uint64]
    copies: NDArray[np.int64]
    units: NDArray[np.int64]
    notes: tuple[str, ...] = ()


def find_duplicates(
    encoded: Columnar, grids: Sequence[tuple[NDArray[np.float32], bool]] = ()
) -> Duplicates:
    """Look at all columns that are encoded, at texts word by word, and at pictures and recordings.

    `grids`: levels of these, (rows, cells), and whether a mirror image is a copy too.
    """
    texts = encoded.text_hashes
    equal = row_hashes(encoded.numbers, texts)
    rows = len(equal)
    notes: tuple[str, ...] = ()
    alike = row_likeness.pairs_of_alike(encoded.numbers, texts)
    largest = int(np.bincount(components(rows, alike), minlength=1).max()) if rows else 0
    if largest > max(SMALL, CLOUD * rows):
        said = (
            f"{largest:,} rows differ from another in one column only: they are no copies of each "
            "other, and are kept together only where they are equal in all"
        )
        notes, alike = (said,), alike[:0]
    found = [
        ("pictures or recordings", media_likeness.pairs_of_alike(levels, mirrored=mirrored))
        for levels, mirrored in grids
    ]
    found += [
        ("texts", text_likeness.pairs_of_alike(each.blocks(), rows)) for each in encoded.documents
    ]
    kept = [alike]
    for what, pairs in found:
        some, clouded = _without_clouds(pairs, rows)
        kept.append(some)
        if clouded:
            said = (
                f"{clouded:,} {what} are alike one by one, too many to be copies of each other: "
                "they are kept together only where rows are equal"
            )
            notes += (said,)
    copies: Pairs = np.concatenate(kept)
    return Duplicates(
        equal,
        components(rows, copies),
        components(rows, np.concatenate([copies, pairs_of_equal(equal)])),
        notes,
    )


def _without_clouds(pairs: Pairs, rows: int) -> tuple[Pairs, int]:
    """The pairs without those of sets that are too large, and how many rows these have."""
    units = components(rows, pairs)
    sizes = np.bincount(units, minlength=1)
    large = sizes > max(SMALL, CLOUD * rows)
    return pairs[~large[units[pairs[:, 0]]]], int(sizes[large].sum())
