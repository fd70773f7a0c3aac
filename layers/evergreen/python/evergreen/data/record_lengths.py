"""How long the records of a delimited text are: beyond some length, engines lose rows in silence.

DuckDB reads pieces of a file at once and looks for a line end to begin each with. Inside of a long
quoted value it takes text for rows, and what follows a quote that is never closed is lost without
a word; so is a line longer than its buffer. So lengths are measured before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

CHUNK, PIECE = 1 << 23, 1 << 16
BACKSLASH = "\\"
_ESCAPED = re.compile(rb'\\["\\]')
FEED, RETURN = ord("\n"), ord("\r")

STARTS = 24
"""So many records of each chunk are told where they begin."""

PIECES, PIECE_BYTES = 256, 1 << 14
"""So many pieces of a file, anywhere in it, show how many lines are ragged."""


@dataclass(frozen=True)
class Shape:
    """How the values of a record are divided: `width` is how many a row is written with.

    A quote inside of quotes is written after an `escape`.
    """

    delimiter: str
    quote: str
    width: int
    escape: str = '"'

    @property
    def mark(self) -> int:
        """The delimiter as a byte."""
        return ord(self.delimiter)


@dataclass(frozen=True)
class Longest:
    """The longest record: its bytes, and where it begins; `is_open`: the last has an open quote.

    `last` is where the last record begins; `ragged` counts records of another width, `swallowed`
    those of several lines that have as many delimiters, quoted or not, as so many rows; `broken`
    closing quotes with more of a value behind them, in a text with records of several lines.
    `starts`: where some records begin, all over the file; none are told where a backslash is an
    escape.
    """

    size: int
    start: int
    last: int
    is_open: bool
    ragged: int
    swallowed: int = 0
    broken: int = 0
    starts: tuple[int, ...] = ()


def longest_record(path: Path, shape: Shape, known: Iterator[int] | None = None) -> Longest:
    """Measure records, by the quotes that are `known`, or taking every second one for closing."""
    start = longest = place = offset = inside = ragged = swallowed = marks = lines = every = 0
    starts: list[int] = []
    broken = _Broken(shape)
    escaped = False
    waiting = next(known, None) if known else None
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            if shape.escape == BACKSLASH:
                chunk, escaped = _without_escapes(chunk, escaped)
            text = np.frombuffer(chunk, dtype=np.uint8)
            if known is None:
                quotes = np.flatnonzero(text == ord(shape.quote))
            else:
                here = []
                while waiting is not None and waiting < offset + len(chunk):
                    here.append(waiting - offset)
                    waiting = next(known, None)
                quotes = np.array(here, dtype=np.intp)
            feeds, delimiters = (np.flatnonzero(text == each) for each in (FEED, shape.mark))
            ends = _outside(feeds, quotes, inside) + 1
            broken.add(text, quotes, inside, in_lines=len(ends) == len(feeds))
            found = _outside(delimiters, quotes, inside)
            if len(ends):
                sizes = np.diff(ends, prepend=start - offset)
                at = int(sizes.argmax())
                if sizes[at] > longest:
                    longest, place = int(sizes[at]), int(ends[at] - sizes[at]) + offset
                start = int(ends[-1]) + offset
                starts += (ends[:: max(1, len(ends) // STARTS)] + offset).tolist()
                counts, marks = _up_to(ends, found, marks)
                returned = (text[ends - 2] == RETURN) & (sizes == len(b"\r\n"))
                blank = (sizes == 1) | returned
                ragged += int(np.count_nonzero((counts != shape.width - 1) & ~blank))
                if lines or len(feeds) > len(ends):  # else each line is a record
                    several, lines = _up_to(ends, feeds, lines)
                    totals, every = _up_to(ends, delimiters, every)
                    as_rows = (several > 1) & (totals == several * (shape.width - 1))
                    swallowed += int(np.count_nonzero(as_rows))
                else:
                    every = len(delimiters) - int(np.searchsorted(delimiters, ends[-1]))
            else:
                marks, lines, every = (
                    marks + len(found),
                    lines + len(feeds),
                    every + len(delimiters),
                )
            inside = (inside + len(quotes)) % 2
            offset += len(chunk)
    if offset - start > longest:
        longest, place = offset - start, start
    told = () if shape.escape == BACKSLASH else tuple(starts)
    return Longest(longest, place, start, bool(inside), ragged, swallowed, broken.found, told)


class _Broken:
    """Counts closing quotes that more of the value follows, chunk by chunk."""

    def __init__(self, shape: Shape) -> None:
        self._may_follow = [FEED, RETURN, ord(" "), shape.mark, ord(shape.quote)]
        self._count = 0
        self._in_lines = True
        self._closes = False

    def add(
        self, text: NDArray[np.uint8], quotes: NDArray[np.intp], inside: int, *, in_lines: bool
    ) -> None:
        """A chunk with its quotes; `in_lines`: each of its lines ends outside of quotes."""
        self._in_lines = self._in_lines and in_lines
        closing = quotes[1 - inside :: 2]
        last = len(text) - 1
        follows = text[closing[closing < last] + 1]
        if self._closes:
            follows = np.append(follows, text[0])
        self._closes = len(closing) > 0 and int(closing[-1]) == last
        self._count += int(np.count_nonzero(~np.isin(follows, self._may_follow)))

    @property
    def found(self) -> int:
        """How many there are; none where each line is a record, which is a bad row by itself."""
        return 0 if self._in_lines else self._count


def whole_records(text: bytes, quote: str) -> bytes:
    """A text that begins with a record, up to the end of the last whole one."""
    seen = np.frombuffer(text, dtype=np.uint8)
    feeds = np.flatnonzero(seen == FEED)
    if not len(feeds):
        return b""
    before, _ = _counts_before(seen == ord(quote), feeds)
    ends = feeds[before % 2 == 0]
    return text[: int(ends[-1]) + 1] if len(ends) else b""


def _up_to(
    ends: NDArray[np.intp], found: NDArray[np.intp], before: int
) -> tuple[NDArray[np.intp], int]:
    """How many marks each record has, `before` of the first's being known; those after the last."""
    held = np.searchsorted(found, ends)
    counts = np.diff(held, prepend=0)
    counts[0] += before
    return counts, len(found) - int(held[-1])


def _without_escapes(chunk: bytes, escaped: bool) -> tuple[bytes, bool]:  # noqa: FBT001
    """A chunk without the marks that a backslash makes letters; whether the next one begins so."""
    plain = _ESCAPED.sub(b"__", b"_" + chunk[1:] if escaped and chunk[:1] in b'"\\' else chunk)
    return plain, plain.endswith(b"\\")


def _outside(found: NDArray[np.intp], quotes: NDArray[np.intp], inside: int) -> NDArray[np.intp]:
    """Of the places of a mark, those outside of quotes."""
    outside: NDArray[np.intp] = found[(np.searchsorted(quotes, found) + inside) % 2 == 0]
    return outside


def ragged_where_lines_are_records(path: Path, shape: Shape, most: int) -> int | None:
    """About how many lines are ragged, if each is a record of at most `most` bytes; else None.

    It is where every line has an even number of quotes, which is found several times faster than
    what the longest record is. Pieces of the file, drawn anew each time, show how many are ragged.
    """
    size = path.stat().st_size
    draw = Random()  # noqa: S311
    per_chunk = -(-PIECES * CHUNK // max(size, 1))
    offset = last = inside = ragged = looked_at = 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            text = np.frombuffer(chunk, dtype=np.uint8)
            feeds = np.flatnonzero(text == FEED)
            before, every = _counts_before(text == ord(shape.quote), feeds)
            if ((before + inside) % 2).any():
                return None
            if len(feeds):
                if int(np.diff(feeds, prepend=last - offset - 1).max()) > most:
                    return None
                last = offset + int(feeds[-1]) + 1
                for _ in range(per_chunk):
                    first = int(feeds[draw.randrange(len(feeds))]) + 1
                    piece = chunk[first : chunk.rfind(b"\n", first, first + PIECE_BYTES) + 1]
                    ragged += _ragged(piece, shape)
                    looked_at += len(piece)
            inside = (inside + every) % 2
            offset += len(chunk)
    if inside or offset - last > most:
        return None
    return ragged * size // max(1, looked_at)


def _counts_before(
    marks: NDArray[np.bool_], places: NDArray[np.intp]
) -> tuple[NDArray[np.int64], int]:
    """How many marks stand before each place, where none is; and how many there are.

    Counted by words of 64 bits, one bit a mark: ten times faster than by adding them up.
    """
    bits = np.packbits(marks, bitorder="little")
    words = np.append(bits, np.zeros(-len(bits) % 8, dtype=np.uint8)).view("<u8")
    ends = np.cumsum(np.bitwise_count(words), dtype=np.int64)
    word, bit = np.divmod(places, 64)
    after = np.bitwise_count(words[word] >> bit.astype(np.uint64))
    return ends[word] - after, int(ends[-1])


def _ragged(lines: bytes, shape: Shape) -> int:
    """How many lines, each of them a record, are of another width."""
    text = np.frombuffer(lines, dtype=np.uint8)
    quotes, feeds, marks = (
        np.flatnonzero(text == each) for each in (ord(shape.quote), FEED, shape.mark)
    )
    counts, _ = _up_to(feeds, _outside(marks, quotes, 0), 0) if len(feeds) else (feeds, 0)
    sizes = np.diff(feeds, prepend=-1)
    blank = (sizes == 1) | ((text[feeds - 1] == RETURN) & (sizes == len(b"\r\n")))
    return int(np.count_nonzero((counts != shape.width - 1) & ~blank))


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
