"""Rows that say the same thing twice, and must not be learned from and judged by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evergreen.features import row_likeness, text_likeness
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


def find_duplicates(encoded: Columnar) -> Duplicates:
    """Look at all columns that are encoded, and at texts word by word."""
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
    pairs = [alike]
    pairs += [text_likeness.pairs_of_alike(each.blocks(), rows) for each in encoded.documents]
    found: Pairs = np.concatenate(pairs)
    return Duplicates(
        equal,
        components(rows, found),
        components(rows, np.concatenate([found, pairs_of_equal(equal)])),
        notes,
    )
