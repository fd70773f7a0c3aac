"""Quotes that quote nothing, told from those that do; the records that they spoil are set aside.

Only a quote that begins a value opens one; a mark behind that (5" pipe) is a letter. An opening
quote is *stray* where the one that closes it is followed by more text, or never comes, or comes
after lines that are rows of their own, and if its record, up to the end of its line, would be a row
without it. Then that is one bad row, and the next line a new one.

This reads quote by quote: it is for files in which counting quotes has shown that something is odd.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from evergreen.data.record_lengths import BACKSLASH, FEED, RETURN, Shape
from evergreen.data.refusal import Reason, RejectedRow
from evergreen.data.staging import RAW_BYTES, RAW_CHARACTERS

JUDGED_LINES = 20
"""So many lines after an open quote show whether they are rows."""

ROWS_SHARE = 0.8
FEWEST_ROWS = 10
"""From fewer lines it is not judged; of a quote that is closed, all lines between must be rows."""

SWALLOWED = 8_000
"""Bytes after an open quote, at the end of a file, of which each line is a bad row."""

SPACE = ord(" ")
COPIED = 1 << 23
_LINE_END = re.compile(rb"\r?\n")


class OpenQuoteError(Exception):
    """At a place a quote opens that is not closed, and what follows does not look like rows."""

    def __init__(self, place: int) -> None:
        super().__init__(place)
        self.place = place


@dataclass(frozen=True)
class _Quoted:
    """A text with quotes, and how it is divided."""

    text: mmap.mmap
    shape: Shape
    most: int

    def opens(self, at: int) -> bool:
        """Whether a quote stands where a value begins."""
        at -= 1
        while at >= 0 and self.text[at] == SPACE:
            at -= 1
        return at < 0 or self.text[at] in (ord(self.shape.delimiter), FEED, RETURN)

    def closing(self, at: int) -> int | None:
        """The quote that closes the one that opens at a place, if any does within a value."""
        quote, end = self.shape.quote.encode(), at + self.most
        while (at := self.text.find(quote, at + 1, end)) >= 0:
            if self.shape.escape != BACKSLASH:
                if self.text[at + 1 : at + 2] != quote:
                    return at
                at += 1
            elif self._backslashes(at) % 2 == 0:
                return at
        return None

    def _backslashes(self, at: int) -> int:
        count = 0
        while self.text[at - 1 - count] == ord(BACKSLASH):
            count += 1
        return count

    def ends(self, at: int) -> bool:
        """Whether the value ends behind a closing quote."""
        at += 1
        while self.text[at : at + 1] == b" ":
            at += 1
        return at == len(self.text) or self.text[at] in (
            ord(self.shape.delimiter),
            FEED,
            RETURN,
        )

    def line_of(self, at: int) -> tuple[int, int]:
        """Where the line of a place begins, and where the next one does."""
        end = self.text.find(b"\n", at)
        return self.text.rfind(b"\n", 0, at) + 1, len(self.text) if end < 0 else end + 1

    def is_row(self, line: bytes, stray: int = 0) -> bool:
        """Whether a line has the width of a row, if so many of its quotes quote nothing."""
        marks, width = line.count(self.shape.delimiter.encode()), self.shape.width
        quotes = line.count(self.shape.quote.encode()) - stray
        return marks == width - 1 or (marks >= width and quotes > 0)

    def rows_from(self, start: int, end: int, most: int) -> tuple[int, int]:
        """How many whole lines there are between two places, and how many of them are rows."""
        lines = rows = 0
        while lines < most and (feed := self.text.find(b"\n", start, end)) >= 0:
            if line := self.text[start:feed].strip():
                lines += 1
                rows += self.is_row(line)
            start = feed + 1
        return lines, rows

    def swallows_rows(self, closing: int, after: int) -> bool:
        """Whether a value that ends well is more likely two stray quotes with rows between."""
        lines, rows = self.rows_from(after, closing, self.most)
        last, end = self.line_of(closing)
        return rows == lines >= FEWEST_ROWS and self.is_row(self.text[last:end], 1)

    def spoils_one_line(self, after: int) -> bool:
        """Whether the lines behind an open quote are rows."""
        lines, rows = self.rows_from(after, len(self.text), JUDGED_LINES)
        return lines >= FEWEST_ROWS and rows >= ROWS_SHARE * lines


@dataclass
class Spoilt:
    """What stray quotes spoil: `lines` of whole records, each from a place to another.

    From `end` on, all lines are spoilt.
    """

    lines: list[tuple[int, int]] = field(default_factory=list)
    end: int | None = None


def structural_quotes(path: Path, shape: Shape, most: int, spoilt: Spoilt) -> Iterator[int]:
    """The places of the quotes that open and close values; what others spoil goes to `spoilt`.

    Raises OpenQuoteError for an open quote, or a value of more than `most` bytes.
    """
    quote = shape.quote.encode()
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
        quoted = _Quoted(text, shape, most)
        record = after = 0
        at = text.find(quote)
        while at >= 0:
            if not quoted.opens(at):
                at = text.find(quote, at + 1)
                continue
            if at >= after:
                record, after = quoted.line_of(at)
            closing = quoted.closing(at)
            whole = closing is not None and quoted.ends(closing)
            here = closing is not None and closing < after
            alone = not here and quoted.is_row(text[record:after], 1)
            swallows = closing is not None and alone and quoted.swallows_rows(closing, after)
            if closing is not None and whole and not swallows:
                yield at
                yield closing
                if not here:  # the line on which it closes goes on with the same record
                    _, after = quoted.line_of(closing)
                at = text.find(quote, closing + 1)
                continue
            known = here or (alone and quoted.spoils_one_line(after)) or whole
            if known and shape.width > 1:  # where a blank line is no row
                spoilt.lines.append((record, after))
                at = text.find(quote, after)
            elif len(text) - at <= SWALLOWED:
                spoilt.end = record
                return
            else:
                raise OpenQuoteError(at)


def set_aside(path: Path, spoilt: Spoilt, target: Path) -> tuple[RejectedRow, ...]:
    """Copy a text with spoilt records blank, and without those at its end; gives them as bad rows.

    Their texts are kept whole up to RAW_BYTES together, else their beginnings.
    """
    rows = []
    size = sum(end - start for start, end in spoilt.lines)
    most = RAW_CHARACTERS if size > RAW_BYTES else None
    with path.open("rb") as file, target.open("wb") as copy:
        line, place = 1, 0
        for start, end in spoilt.lines:
            line += _copied(file, copy, start - place)
            text = file.read(end - start)
            copy.write(b"".join(_LINE_END.findall(text)))
            rows.append(_rejected(line, text, most))
            line += text.count(b"\n")
            place = end
        line += _copied(file, copy, None if spoilt.end is None else spoilt.end - place)
        rows += [
            _rejected(n, text, most) for n, text in enumerate(file, start=line) if text.strip()
        ]
    return tuple(rows)


def _copied(file: BinaryIO, copy: BinaryIO, size: int | None) -> int:
    """Copy so many bytes, or all that are left; how many lines end in them."""
    lines = 0
    while chunk := file.read(COPIED if size is None else min(COPIED, size)):
        copy.write(chunk)
        lines += chunk.count(b"\n")
        size = None if size is None else size - len(chunk)
    return lines


def _rejected(line: int, text: bytes, most: int | None) -> RejectedRow:
    """The record that begins on a line, and is spoilt on its last one."""
    raw = text.rstrip(b"\r\n")
    last = line + raw.count(b"\n")
    said = f"line {last} has a quote that is not closed, or text after a closing quote"
    why = (Reason("broken_quote", said, line=last),)
    return RejectedRow(line, raw.decode("utf-8", "replace")[:most], why)
