"""How long the records of a delimited text are: beyond some length, engines lose rows in silence.

DuckDB reads pieces of a file at once and looks for a line end to begin each with. Inside of a long
quoted value it takes text for rows, and what follows a quote that is never closed is lost without
a word; so is a line longer than its buffer. So lengths are measured before.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

CHUNK, PIECE = 1 << 23, 1 << 16
FEED = ord("\n")


@dataclass(frozen=True)
class Longest:
    """The longest record: its bytes, and where it begins; `is_open`: the last has an open quote.

    `last` is where the last record begins.
    """

    size: int
    start: int
    last: int
    is_open: bool


def longest_record(path: Path, quote: str) -> Longest:
    """Measure records, taking every second quote for a closing one."""
    mark = ord(quote)
    start = longest = place = offset = 0
    inside = 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            text = np.frombuffer(chunk, dtype=np.uint8)
            quotes = np.flatnonzero(text == mark)
            feeds = np.flatnonzero(text == FEED)
            ends = feeds[(np.searchsorted(quotes, feeds) + inside) % 2 == 0] + offset + 1
            if len(ends):
                sizes = np.diff(ends, prepend=start)
                at = int(sizes.argmax())
                if sizes[at] > longest:
                    longest, place = int(sizes[at]), int(ends[at] - sizes[at])
                start = int(ends[-1])
            inside = (inside + len(quotes)) % 2
            offset += len(chunk)
    if offset - start > longest:
        longest, place = offset - start, start
    return Longest(longest, place, start, bool(inside))


def line_beyond(path: Path, most: int) -> int | None:
    """Where a line of more than `most` bytes begins, if there is one; most bytes are not read."""
    size, start = path.stat().st_size, 0
    with path.open("rb") as file:
        while size - start > most:
            end = _last_end(file, start, start + most)
            if end is None:
                return start
            start = end
    return None


def _last_end(file: BinaryIO, start: int, stop: int) -> int | None:
    """The end of the last line that ends between two places, looked for from behind."""
    while stop > start:
        begin = max(start, stop - PIECE)
        file.seek(begin)
        feed = file.read(stop - begin).rfind(b"\n")
        if feed >= 0:
            return begin + feed + 1
        stop = begin
    return None


def line_at(path: Path, place: int) -> int:
    """The number of the line that a place is on, from 1."""
    line = 1
    with path.open("rb") as file:
        while place > 0 and (chunk := file.read(min(place, CHUNK))):
            line += chunk.count(b"\n")
            place -= len(chunk)
    return line
