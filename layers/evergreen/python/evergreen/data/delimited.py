"""How delimited text is divided: at which mark, with which quote, with a header line or without."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evergreen.data.column_names import column_names
from evergreen.data.files import DelimitedFile
from evergreen.data.limits import Limits
from evergreen.data.record_lengths import (
    Shape,
    line_at,
    line_beyond,
    longest_record,
    ragged_lines,
    short_records,
)
from evergreen.data.refusal import Reason, UploadRefusedError, shortened
from evergreen.data.text_encoding import lines_of

DELIMITERS = (",", ";", "\t", "|")
QUOTES = ('"', "'")
HEAD_BYTES = 1 << 18
SAMPLED_RECORDS = 200
FEWEST_WORDS_OF_PROSE = 4
SHAPED_SHARE = 0.1
"""Text without columns of which so many lines are blank or indented is set in some way."""

LONGEST_RECORD = 4
"""A file with a record of so many times the longest value is refused whole."""

SHORT_RECORD = 1 << 16
"""Bytes. Only a file of shorter records is read in several pieces at once."""

MOST_RAGGED = 1_000_000
LARGE = 4 << 20
"""Of so many ragged rows in files of so many bytes the engine keeps more than its memory."""

SWALLOWED = 8_000
"""Bytes after an open quote that are given back as bad rows."""

TABLE_SHARE = 0.8
"""Text that is divided differently in more than a fifth of its records is no table."""

_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|\.\d+)([eE][+-]?\d+)?")
_MOMENT = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ T]\d{1,2}:\d{2}.*)?")
_YEAR = re.compile(r"(19|20)\d\d")


@dataclass(frozen=True)
class Head:
    """The beginning of a text; `whole`: it is all of it."""

    text: str
    whole: bool

    @staticmethod
    def of(path: Path) -> Head:
        """The beginning of a file in UTF-8."""
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            return Head(file.read(HEAD_BYTES), not file.read(1))

    def lines(self, name: str, limits: Limits) -> list[str]:
        """Its whole lines; raises UploadRefusedError if not even the first ends in it."""
        lines = lines_of(self.text)
        if self.whole:
            return lines
        if len(lines) > 1:
            return lines[:-1]
        width = max(self.text.count(mark) for mark in DELIMITERS)
        if width > limits.columns:
            raise limits.refuse("columns", f"'{name}' has more than {width:,} columns", 1)
        what = f"'{name}' has no header: its first line is longer than {HEAD_BYTES:,} characters"
        raise UploadRefusedError([Reason("too_long", what, line=1)])


@dataclass(frozen=True)
class Division:
    """How lines are divided best, and which share of the records has as many values as the first.

    `records` are the first ones, the header or not.
    """

    delimiter: str
    quote: str
    records: tuple[list[str], ...]
    agreement: float


def is_prose(lines: Sequence[str], division: Division) -> bool:
    """Whether this is running text, which no delimiter divides.

    Its lines are sentences; or it is not divided at all, and is set in paragraphs or indented.
    """
    first, records = division.records[0], division.records
    words = sum(len(value.split()) for record in records for value in record)
    sentences = words >= FEWEST_WORDS_OF_PROSE * len(records)
    if len(first) == 1 and len(lines) > 1:
        shaped = sum(not line.strip() or line[0] in " \t" for line in lines[1:])
        if shaped >= SHAPED_SHARE * len(lines) and (sentences or shaped >= len(lines) // 3):
            return True
    if max(len(value.split()) for value in first) < FEWEST_WORDS_OF_PROSE:
        return False
    divided = len(first) > 1 and len(records) > 1 and division.agreement >= TABLE_SHARE
    return sentences and not divided


def divide(lines: Sequence[str]) -> Division:
    """The delimiter and the quote that divide most records as they divide the first."""
    best, score = Division(",", '"', ([lines[0].strip()],), 0.0), (0.0, 0, 0)
    # The usual quote anywhere means that the other one is an apostrophe.
    for quote in QUOTES[:1] if any('"' in line for line in lines) else QUOTES:
        for delimiter in DELIMITERS:
            try:
                records = _records(lines, delimiter, quote)
            except csv.Error:
                continue
            width = len(records[0])
            agreement = sum(len(record) == width for record in records) / len(records)
            # Divided at the wrong mark, or by the wrong quote, quotes are left around values.
            left = sum(_is_quoted(value) for record in records for value in record)
            if width > 1 and (agreement, -left, width) > score:
                score = (agreement, -left, width)
                best = Division(delimiter, quote, records, agreement)
    if best.agreement == 0.0:
        return Division(",", '"', _records(lines, ",", '"'), 0.0)
    return best


def _is_quoted(value: str) -> int:
    quotes = value.count('"')
    return quotes + (len(value) > 1 and value[0] == value[-1] == "'")


def _records(lines: Sequence[str], delimiter: str, quote: str) -> tuple[list[str], ...]:
    csv.field_size_limit(1 << 30)
    reader = csv.reader(lines, delimiter=delimiter, quotechar=quote, skipinitialspace=True)
    records = []
    for record in reader:
        if record:
            records.append(record)
        if len(records) == SAMPLED_RECORDS:
            break
    return tuple(records)


def delimited(
    path: Path,
    name: str,
    skipped: int,
    division: Division,
    limits: Limits,
    quotes: bool = True,  # noqa: FBT001, FBT002
) -> DelimitedFile:
    """A file divided like this after `skipped` blank lines; raises UploadRefusedError.

    `quotes`: it may hold double quotes.
    """
    shape = Shape(division.delimiter, division.quote, len(division.records[0]))
    in_pieces = _refuse_beyond_reading(path, name, shape, limits, quotes)
    line = skipped + 1
    first = division.records[0]
    has_header = not _lacks_header(division.records)
    if has_header:
        names, warnings = column_names(first, name, line, limits)
    else:
        names, _ = column_names([""] * len(first), name, line, limits)
        said = (
            f"line {line} looks like values and not like names ('{shortened(', '.join(first))}'): "
            "the columns are called 'column 1', 'column 2' …; put a header line first"
        )
        warnings = (said,)
    return DelimitedFile(
        path,
        division.delimiter,
        names,
        skipped,
        warnings,
        division.quote,
        has_header,
        in_pieces,
        limits=limits,
    )


def _refuse_beyond_reading(
    path: Path,
    name: str,
    shape: Shape,
    limits: Limits,
    quotes: bool,  # noqa: FBT001
) -> bool:
    """Refuse a file over which the engine would lose rows or memory.

    Gives whether it may be read in pieces. Values somewhat too long, and ragged rows that are not
    millions, are refused by themselves later.
    """
    most = LONGEST_RECORD * limits.cell_bytes
    place = line_beyond(path, most)
    if place is not None:
        what = f"'{name}' has a line of more than {most:,} bytes"
        raise limits.refuse("cell_bytes", what, line_at(path, place))
    size = path.stat().st_size
    if shape.quote == "'" or not quotes:
        if size > LARGE and ragged_lines(path, shape) > MOST_RAGGED:
            raise _ragged(name, shape)
        return shape.quote != "'"
    about = short_records(path, shape, SHORT_RECORD) if size > LARGE else None
    if about is not None:
        if about > MOST_RAGGED:
            raise _ragged(name, shape)
        return True
    found = longest_record(path, shape)
    unclosed = found.is_open and size - found.last > SWALLOWED
    if unclosed or found.size > most:
        line = line_at(path, found.last if unclosed else found.start)
        said = f"line {line} opens a quote that is not closed: what follows cannot be divided"
        raise UploadRefusedError([Reason("broken_quote", said, line=line)])
    if found.ragged > MOST_RAGGED:
        raise _ragged(name, shape)
    return found.size <= SHORT_RECORD


def _ragged(name: str, shape: Shape) -> UploadRefusedError:
    message = (
        f"'{name}' has more than {MOST_RAGGED:,} rows that have not {shape.width} values like the "
        "first; none was taken"
    )
    return UploadRefusedError([Reason("too_many_bad_rows", message)])


def _lacks_header(records: Sequence[Sequence[str]]) -> bool:
    """Whether the first record is one like those below it.

    It is where a column is numbers or moments from the first record on, and no column has words
    above its numbers. Years in their order above numbers are names, as in wide tables.
    """
    first, below = records[0], records[1:]
    if not below:
        return False
    alike = []
    for place, top in enumerate(first):
        values = [record[place].strip() for record in below if len(record) == len(first)]
        values = [value for value in values if value]
        if not values or not all(_NUMBER.fullmatch(v) or _MOMENT.fullmatch(v) for v in values):
            continue
        cell = top.strip()
        if not _NUMBER.fullmatch(cell) and not _MOMENT.fullmatch(cell):
            return False
        alike.append(cell)
    years = all(_YEAR.fullmatch(cell) for cell in alike) and len(set(alike)) == len(alike)
    return bool(alike) and not (years and alike == sorted(alike))
