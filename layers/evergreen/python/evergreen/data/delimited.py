"""How delimited text is divided: at which mark, with which quote, with a header line or without."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from statistics import mode

from evergreen.data.column_names import column_names
from evergreen.data.files import DelimitedFile
from evergreen.data.limits import Limits
from evergreen.data.record_lengths import (
    BACKSLASH,
    Shape,
    line_at,
    line_beyond,
    longest_record,
    ragged_lines,
    ragged_where_lines_are_records,
)
from evergreen.data.refusal import Reason, RejectedRow, UploadRefusedError, shortened
from evergreen.data.stray_quotes import OpenQuoteError, Spoilt, set_aside, structural_quotes
from evergreen.data.table_top import lacks_names, names_columns, titles_above, without_names
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

MOST_STRAY = 100_000
"""Lines that a stray quote spoils and that are set aside; a file with more is refused."""

TABLE_SHARE = 0.8
"""Text that is divided differently in more than a fifth of its records is no table."""

OTHER_DELIMITERS: Mapping[str | None, str] = {"^": "'^'", "~": "'~'", ":": "':'", None: "space"}
FEWEST_UNDIVIDED = 5

SHOWN_TITLES = 3
COMMENT = "#"
_DECLARED = re.compile(r'\s*"?sep=(?P<mark>[^ \r\n"])"?\s*', re.IGNORECASE)
"""With this first line, a spreadsheet is told the delimiter."""


@dataclass(frozen=True)
class Head:
    """The beginning of a text; `whole`: it is all of it."""

    text: str
    whole: bool

    @staticmethod
    def of(path: Path) -> Head:
        """The beginning of a file in UTF-8; bytes that are not are kept as surrogates."""
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
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

    `records` are the first ones, from the header or the first row on; `width` is how many values a
    row is written with. `skipped` lines stand above them, of which `titles` are not blank. A quote
    inside of quotes is written after an `escape`. `has_own_header`: the first record is a header,
    in one line, that was written with one value fewer or more than the rows.
    """

    delimiter: str
    quote: str
    records: tuple[list[str], ...]
    agreement: float
    width: int = 1
    skipped: int = 0
    titles: tuple[str, ...] = ()
    escape: str = '"'
    has_own_header: bool = False

    @cached_property
    def usual_width(self) -> int:
        """How many values most records below the first have."""
        below = [len(record) for record in self.records[1:]]
        return mode(below) if below else self.width

    @property
    def has_names(self) -> bool:
        """Whether its first record names the columns."""
        return self.has_own_header or not lacks_names(self.records)

    @property
    def is_table(self) -> bool:
        """Whether most records are divided alike, into more than one value."""
        return len(self.records[0]) > 1 and self.agreement >= TABLE_SHARE

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to say of lines above the table."""
        if not self.titles:
            return ()
        shown = "', '".join(shortened(each) for each in self.titles[:SHOWN_TITLES])
        more = " …" if len(self.titles) > SHOWN_TITLES else ""
        count = len(self.titles)
        what = "1 line above the table is" if count == 1 else f"{count} lines above the table are"
        return (f"{what} passed over ('{shown}'{more}); it begins in line {self.skipped + 1}",)


def is_prose(lines: Sequence[str], division: Division) -> bool:
    """Whether this is running text, which no delimiter divides.

    Its lines are sentences; or it is not divided at all, and is set in paragraphs or indented.
    """
    first, records = division.records[0], division.records
    lines = lines[division.skipped :]
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
    """The delimiter and the quote that divide most records as they divide the first.

    Above the table there may be blank lines, a line `sep=;` as Excel knows it, comments that begin
    with '#', and titles.
    """
    start = _next_filled(lines, 0)
    declared = _DECLARED.fullmatch(lines[start])
    if declared and start + 1 < len(lines):
        return _divided(lines, _next_filled(lines, start + 1), (declared["mark"],), start)
    below = next(
        (at for at in range(start, len(lines)) if lines[at].strip() and lines[at][0] != COMMENT),
        start,
    )
    if below > start:
        table = _divided(lines, below, DELIMITERS, start)
        if table.is_table:
            # The last comment may be the header: '#id,name'.
            above = max(at for at in range(start, below) if lines[at].strip())
            header = _records([lines[above]], table.delimiter, table.quote, table.escape)
            fits = bool(header) and len(header[0].cells) == len(table.records[0])
            if fits and not table.has_own_header and not names_columns(table.records):
                return _divided(lines, above, (table.delimiter,), start)
            return table
    return _divided(lines, start, DELIMITERS, start)


def _next_filled(lines: Sequence[str], start: int) -> int:
    return next((at for at in range(start, len(lines)) if lines[at].strip()), start)


def _divided(lines: Sequence[str], start: int, delimiters: Sequence[str], first: int) -> Division:
    """The best division of the lines from `start` on; all from `first` to there are titles."""
    best, score = None, (0.0, 0, 0)
    # The usual quote anywhere means that the other one is an apostrophe.
    quotes = QUOTES[:1] if any('"' in line for line in lines[start:]) else QUOTES
    for quote in quotes:
        for delimiter in delimiters:
            escape = _escape(lines[start:], delimiter, quote)
            try:
                records = _records(lines[start:], delimiter, quote, escape)
            except csv.Error:
                continue
            made = _of_records(records, delimiter, quote, escape)
            # Divided at the wrong mark, or by the wrong quote, quotes are left around values.
            left = sum(_is_quoted(value) for record in made.records for value in record)
            width = len(made.records[0])
            if width > 1 and (made.agreement, -left, width) > score:
                score, best = (made.agreement, -left, width), made
    if best is None:
        records = _records(lines[start:], delimiters[0], '"', '"')
        best = Division(delimiters[0], '"', tuple(each.cells for each in records), 0.0)
    skipped = start + best.skipped
    titles = tuple(line.strip() for line in lines[first:skipped] if line.strip())
    return replace(best, skipped=skipped, titles=titles)


def _of_records(records: Sequence[_Record], delimiter: str, quote: str, escape: str) -> Division:
    """Records divided like this, those above the table left out if that makes a table of them."""
    above = titles_above([record.cells for record in records])
    if above and all(record.lines == 1 for record in records[:above]):
        table = _agreeing(records[above:], delimiter, quote, escape)
        if table.is_table:
            return replace(table, skipped=records[above].line)
    return _agreeing(records, delimiter, quote, escape)


def _agreeing(records: Sequence[_Record], delimiter: str, quote: str, escape: str) -> Division:
    """How many of the records are of one width with the first.

    Where all others have one value more, R has written the names of rows, and nothing above them.
    Or the rows, or the header, end in a delimiter.
    """
    header, below = records[0], records[1:]
    first, width = header.cells, len(header.cells)
    cells = [record.cells for record in records]
    agreement = sum(len(each) == width for each in cells) / len(cells)
    made = Division(delimiter, quote, tuple(cells), agreement, width, escape=escape)
    rows = [record for record in below if len(record.cells) == made.usual_width]
    agreement = (1 + len(rows)) / len(cells)
    if abs(made.usual_width - width) != 1 or agreement < TABLE_SHARE:
        return made
    made = replace(made, agreement=agreement, width=made.usual_width)
    values = [record.cells for record in rows]
    if made.width < width:
        if first[-1].strip() or header.lines > 1:
            return replace(made, agreement=0.0, width=width)
        return replace(made, records=(first[:-1], *values), has_own_header=True)
    if all(not each[-1].strip() for each in values):
        return replace(made, records=(first, *(each[:-1] for each in values)))
    named = delimiter == "\t" or all(record.is_quoted for record in records)
    if named and len(rows) == len(below) and all(first) and header.lines == 1:
        return replace(made, records=(["", *first], *values), has_own_header=True)
    return replace(made, agreement=1 / len(cells), width=width)


def _escape(lines: Sequence[str], delimiter: str, quote: str) -> str:
    r"""What stands before a quote inside of quotes: a quote, or a backslash where it must be one.

    It must be where a letter follows: "say \"hi\"". A path may end in one: "C:\dir\".
    """
    inside = re.compile(
        rf"(^|{re.escape(delimiter)}) *{quote}([^{quote}\\]|\\.)*\\{quote}"
        rf"[^{re.escape(delimiter)}{quote}\s]"
    )
    return "\\" if any("\\" in line and inside.search(line) for line in lines) else quote


def _is_quoted(value: str) -> int:
    quotes = value.count('"')
    return quotes + (len(value) > 1 and value[0] == value[-1] == "'")


@dataclass(frozen=True)
class _Record:
    """A record, and where it begins: so many lines from the first; so many `lines` it takes.

    `is_quoted`: its first value stands between quotes.
    """

    cells: list[str]
    line: int
    lines: int
    is_quoted: bool


def _records(lines: Sequence[str], delimiter: str, quote: str, escape: str) -> tuple[_Record, ...]:
    csv.field_size_limit(1 << 30)
    doubled = escape == quote
    reader = csv.reader(
        lines,
        delimiter=delimiter,
        quotechar=quote,
        skipinitialspace=True,
        doublequote=doubled,
        escapechar=None if doubled else escape,
    )
    records, line = [], 0
    for record in reader:
        if record:
            quoted = lines[line].startswith(quote)
            records.append(_Record(record, line, reader.line_num - line, quoted))
        line = reader.line_num
        if len(records) == SAMPLED_RECORDS:
            break
    return tuple(records)


def delimited(
    path: Path,
    name: str,
    division: Division,
    limits: Limits,
    scratch: Path,
    quotes: bool = True,  # noqa: FBT001, FBT002
) -> DelimitedFile:
    """A file divided like this; raises UploadRefusedError. `quotes`: it may hold double quotes."""
    first, skipped = division.records[0], division.skipped
    shape = Shape(division.delimiter, division.quote, division.width, division.escape)
    readable = _readable(path, name, shape, limits, scratch, quotes)
    line = skipped + 1
    has_header = division.has_names
    header = tuple(each.strip() for each in first) if has_header else ()
    if has_header:
        names, warnings = column_names(first, name, line, limits)
    else:
        names, _ = column_names([""] * len(first), name, line, limits)
        warnings = (without_names(f"line {line}", first),)
    if division.has_own_header:  # the engine would count its values
        has_header, skipped = False, line
    return DelimitedFile(
        readable.path,
        division.delimiter,
        names,
        skipped,
        (*division.warnings, *warnings, *_undivided(division.records)),
        division.quote,
        has_header,
        readable.in_pieces,
        readable.record_starts,
        escape=division.escape,
        rejected=readable.rejected,
        limits=limits,
        header=header,
    )


def _undivided(records: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """What to say of a single column that another mark divides evenly."""
    if len(records[0]) > 1 or len(records) < FEWEST_UNDIVIDED:
        return ()
    for mark, called in OTHER_DELIMITERS.items():
        widths = {len(record[0].split(mark)) for record in records if len(record) == 1}
        if len(widths) == 1 and widths != {1}:
            said = f"the table is read as one column; if {called} divides it, write ',' instead"
            return (said,)
    return ()


@dataclass(frozen=True)
class _Readable:
    """A text that the engine reads without losing rows; what was set aside for that."""

    path: Path
    in_pieces: bool = True
    record_starts: tuple[int, ...] | None = None
    rejected: tuple[RejectedRow, ...] = ()


def _readable(
    path: Path,
    name: str,
    shape: Shape,
    limits: Limits,
    scratch: Path,
    quotes: bool,  # noqa: FBT001
) -> _Readable:
    """Refuse a file over which the engine would lose rows or memory; set stray quotes aside.

    Values somewhat too long, and ragged rows that are not millions, are refused by themselves
    later.
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
        if shape.quote == "'":
            return _Readable(path, in_pieces=False, record_starts=())
        return _Readable(path)
    if size > LARGE and shape.escape != BACKSLASH:
        about = ragged_where_lines_are_records(path, shape, SHORT_RECORD)
        if about is not None and about <= MOST_RAGGED:
            return _Readable(path)
    found = longest_record(path, shape)
    odd = found.is_open or found.swallowed or found.broken
    if odd or found.size > most or found.ragged > MOST_RAGGED:
        return _without_stray_quotes(path, name, shape, most, scratch)
    return _Readable(path, found.size <= SHORT_RECORD, found.starts)


def _without_stray_quotes(
    path: Path, name: str, shape: Shape, most: int, scratch: Path
) -> _Readable:
    """The text without lines that a stray quote spoils, looked at quote by quote."""
    spoilt = Spoilt()
    try:
        found = longest_record(path, shape, structural_quotes(path, shape, most, spoilt))
    except OpenQuoteError as error:
        line = line_at(path, error.place)
        said = f"line {line} opens a quote that is not closed: what follows cannot be divided"
        raise UploadRefusedError([Reason("broken_quote", said, line=line)]) from None
    if found.ragged > MOST_RAGGED:
        raise _ragged(name, shape)
    if len(spoilt.lines) > MOST_STRAY:
        said = f"'{name}' has more than {MOST_STRAY:,} lines with stray quotes; none was taken"
        raise UploadRefusedError([Reason("too_many_bad_rows", said)])
    if not spoilt.lines and spoilt.end is None:
        return _Readable(path, in_pieces=False, record_starts=found.starts)
    copy = scratch / "divided.csv"
    rejected = set_aside(path, spoilt, copy)
    return _Readable(copy, in_pieces=False, record_starts=(), rejected=rejected)


def _ragged(name: str, shape: Shape) -> UploadRefusedError:
    message = (
        f"'{name}' has more than {MOST_RAGGED:,} rows that have not {shape.width} values like the "
        "first; none was taken"
    )
    return UploadRefusedError([Reason("too_many_bad_rows", message)])
