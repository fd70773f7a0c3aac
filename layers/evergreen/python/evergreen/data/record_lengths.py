"""How long the records of a delimited text are: beyond some length, engines lose rows in silence.

DuckDB reads pieces of a file at once and looks for a line end to begin each with. Inside of a long
quoted value it takes text for rows, and what follows a quote that is never closed is lost without
a word; so is a line longer than its buffer. So lengths are measured before.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

CHUNK, PIECE = 1 << 23, 1 << 16
FEED, RETURN = ord("\n"), ord("\r")

BLOCK = 1 << 15
PIECES, PIECE_BYTES = 256, 1 << 14
"""So many pieces of a file, anywhere in it, show how many lines are ragged."""


@dataclass(frozen=True)
class Shape:
    """How the values of a record are divided: `width` is how many the first record has."""

    delimiter: str
    quote: str
    width: int


@dataclass(frozen=True)
class Longest:
    """The longest record: its bytes, and where it begins; `is_open`: the last has an open quote.

    `last` is where the last record begins; `ragged` counts records of another width.
    """

    size: int
    start: int
    last: int
    is_open: bool
    ragged: int


def longest_record(path: Path, shape: Shape) -> Longest:
    """Measure records, taking every second quote for a closing one."""
    start = longest = place = offset = inside = ragged = marks = 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            text = np.frombuffer(chunk, dtype=np.uint8)
            quotes = np.flatnonzero(text == ord(shape.quote))
            ends = _outside(text, FEED, quotes, inside) + 1
            found = _outside(text, ord(shape.delimiter), quotes, inside)
            if len(ends):
                sizes = np.diff(ends, prepend=start - offset)
                at = int(sizes.argmax())
                if sizes[at] > longest:
                    longest, place = int(sizes[at]), int(ends[at] - sizes[at]) + offset
                start = int(ends[-1]) + offset
                held = np.searchsorted(found, ends)
                counts = np.diff(held, prepend=0)
                counts[0] += marks
                marks = len(found) - int(held[-1])
                ragged += _ragged(text, ends, sizes, counts, shape)
            else:
                marks += len(found)
            inside = (inside + len(quotes)) % 2
            offset += len(chunk)
    if offset - start > longest:
        longest, place = offset - start, start
    return Longest(longest, place, start, bool(inside), ragged)


def short_records(path: Path, shape: Shape, most: int) -> int | None:
    """About how many records are ragged, if surely none is longer than `most` bytes; else None.

    None, too, if the last has an open quote. Quotes are counted, and one end of a record is looked
    for in each block: what lies between two such ends is as short as that, or shorter. Some blocks,
    drawn anew each time, show how many records are ragged.
    """
    size = path.stat().st_size
    blocks = -(-size // BLOCK)
    shown = frozenset(Random().sample(range(blocks), min(PIECES, blocks)))  # noqa: S311
    last = offset = inside = ragged = looked_at = 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            quotes = np.frombuffer(chunk, dtype=np.uint8) == ord(shape.quote)
            for start in range(0, len(chunk), BLOCK):
                stop = min(start + BLOCK, len(chunk))
                end = _first_end(chunk, quotes, start, stop, inside)
                if end is not None:
                    if offset + end - last > most:
                        return None
                    last = offset + end
                    if (offset + start) // BLOCK in shown:
                        ragged += _ragged_in(chunk[end:stop], shape)
                        looked_at += stop - end
                inside = (inside + int(np.count_nonzero(quotes[start:stop]))) % 2
            offset += len(chunk)
    if inside or offset - last > most:
        return None
    return ragged * size // max(1, looked_at)


def _first_end(
    chunk: bytes, quotes: NDArray[np.bool_], start: int, stop: int, inside: int
) -> int | None:
    """Where a record first ends between two places; `inside`: an odd number of quotes before."""
    place = start
    while (feed := chunk.find(b"\n", place, stop)) >= 0:
        inside += int(np.count_nonzero(quotes[place:feed]))
        if inside % 2 == 0:
            return feed + 1
        place = feed + 1
    return None


def _ragged_in(records: bytes, shape: Shape) -> int:
    """How many of the records that end here are of another width."""
    text = np.frombuffer(records, dtype=np.uint8)
    quotes = np.flatnonzero(text == ord(shape.quote))
    ends = _outside(text, FEED, quotes, 0) + 1
    found = _outside(text, ord(shape.delimiter), quotes, 0)
    counts = np.diff(np.searchsorted(found, ends), prepend=0)
    return _ragged(text, ends, np.diff(ends, prepend=0), counts, shape)


def _ragged(
    text: NDArray[np.uint8],
    ends: NDArray[np.intp],
    sizes: NDArray[np.intp],
    marks: NDArray[np.intp],
    shape: Shape,
) -> int:
    """How many of the records with these ends, sizes and delimiters are of another width."""
    returned = (text[ends - 2] == RETURN) & (sizes == len(b"\r\n"))
    blank = (sizes == 1) | returned
    return int(np.count_nonzero((marks != shape.width - 1) & ~blank))


def _outside(
    text: NDArray[np.uint8], mark: int, quotes: NDArray[np.intp], inside: int
) -> NDArray[np.intp]:
    """Where a mark stands outside of quotes."""
    found: NDArray[np.intp] = np.flatnonzero(text == mark)
    outside: NDArray[np.intp] = found[(np.searchsorted(quotes, found) + inside) % 2 == 0]
    return outside


def ragged_lines(path: Path, shape: Shape) -> int:
    """About how many lines of a file without quotes are of another width, from pieces of it.

    They are drawn anew each time, so that nobody can write a file around them.
    """
    size = path.stat().st_size
    draw = Random()  # noqa: S311
    ragged = 0
    with path.open("rb") as file:
        for _ in range(PIECES):
            file.seek(draw.randrange(max(1, size - PIECE_BYTES)))
            lines = file.read(PIECE_BYTES).split(b"\n")[1:-1]
            mark = shape.delimiter.encode()
            ragged += sum(
                line.count(mark) != shape.width - 1 for line in lines if line.strip(b"\r")
            )
    return ragged * size // (PIECES * PIECE_BYTES)


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
