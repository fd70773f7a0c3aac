"""What an uploaded file is, judged by its content and never by its name."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evergreen.data.refusal import Reason, UploadRefusedError, shortened
from evergreen.data.text_encoding import as_utf8, form_of

DELIMITERS = (",", ";", "\t", "|")
HEAD_BYTES = 1 << 18
SAMPLED_RECORDS = 200
LONGEST_NAME = 200
MOST_COLUMNS = 5_000
FEWEST_WORDS_OF_PROSE = 4

ACCEPTED = "upload delimited text (comma, semicolon, tab or '|') with a header line, or Parquet"
FOREIGN_FORMATS = (
    (b"\x1f\x8b", "gzip-compressed"),
    (b"(\xb5/\xfd", "zstd-compressed"),
    (b"PK\x03\x04", "a zip archive or an Excel workbook"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"%PDF", "a PDF document"),
    (b"\xd0\xcf\x11\xe0", "an old Excel or Word document"),
    (b"SQLite format 3", "an SQLite database"),
)
_MARKUP = re.compile(rb"\s*<(!doctype|html|\?xml|[a-z]+[\s>])", re.IGNORECASE)
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")


@dataclass(frozen=True)
class ParquetFile:
    """A Parquet file, to be read as it is."""

    path: Path


@dataclass(frozen=True)
class DelimitedFile:
    """Delimited text in UTF-8: where it is, how it is divided, and its column names in order.

    `skipped_lines` are blank lines before the header.
    """

    path: Path
    delimiter: str
    names: tuple[str, ...]
    skipped_lines: int
    warnings: tuple[str, ...] = ()


def recognise(source: Path, name: str, scratch: Path) -> ParquetFile | DelimitedFile:
    """Say what the file is; a copy in UTF-8 goes to `scratch` where one is needed.

    Raises UploadRefusedError for everything that is no table, with what was seen instead.
    """
    with source.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if not head.strip():
        raise _refused("empty_file", f"'{name}' is empty; {ACCEPTED}")
    if head.startswith(b"PAR1"):
        return ParquetFile(source)
    _refuse_foreign(head, name)
    form = form_of(source)
    if not form.encoding.startswith("utf-16"):
        _refuse_binary(head, name)
    return _delimited(as_utf8(source, form, scratch / "text.csv", name), name)


def _refuse_foreign(head: bytes, name: str) -> None:
    for magic, what in FOREIGN_FORMATS:
        if head.startswith(magic):
            raise _refused("not_a_table", f"'{name}' is {what}, which is not read yet; {ACCEPTED}")
    if _MARKUP.match(head):
        raise _refused("not_a_table", f"'{name}' is an HTML or XML page, no table; {ACCEPTED}")
    if head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
        raise _refused("not_a_table", f"'{name}' is JSON, which is not read yet; {ACCEPTED}")


def _refuse_binary(head: bytes, name: str) -> None:
    if b"\x00" in head or len(_CONTROL.findall(head)) > len(head) * 0.005:
        raise _refused("not_a_table", f"'{name}' is binary data, no table; {ACCEPTED}")


def _delimited(path: Path, name: str) -> DelimitedFile:
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        text = file.read(HEAD_BYTES)
        whole = not file.read(1)
    lines = text.splitlines(keepends=True)
    if not whole and len(lines) > 1:
        lines.pop()
    skipped = next((i for i, line in enumerate(lines) if line.strip()), 0)
    delimiter, header = _division(lines[skipped:])
    if len(header) == 1 and len(header[0].split()) >= FEWEST_WORDS_OF_PROSE:
        raise _refused(
            "not_a_table", f"'{name}' is running text without columns; {ACCEPTED}", line=1
        )
    names, warnings = _column_names(header, name, skipped + 1)
    return DelimitedFile(path, delimiter, names, skipped, warnings)


def _division(lines: Sequence[str]) -> tuple[str, list[str]]:
    """The delimiter that divides most records as it divides the header, and the header."""
    best, found = (0.0, 0, 0), (",", [lines[0].strip()])
    for delimiter in DELIMITERS:
        try:
            records = _records(lines, delimiter)
        except csv.Error:
            continue
        width = len(records[0])
        agreeing = sum(len(record) == width for record in records) / len(records)
        # Divided at the wrong mark, quotes turn up inside of values.
        quotes = sum(value.count('"') for record in records for value in record)
        if width > 1 and (agreeing, -quotes, width) > best:
            best, found = (agreeing, -quotes, width), (delimiter, records[0])
    if best[0] == 0.0:
        records = _records(lines, ",")
        found = (",", records[0])
    return found


def _records(lines: Sequence[str], delimiter: str) -> list[list[str]]:
    csv.field_size_limit(1 << 30)
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    records = []
    for record in reader:
        if record:
            records.append(record)
        if len(records) == SAMPLED_RECORDS:
            break
    return records


def _column_names(
    header: Sequence[str], name: str, line: int
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Trimmed names; a nameless column is called by its place. Raises UploadRefusedError."""
    if len(header) > MOST_COLUMNS:
        raise _refused(
            "too_many_columns",
            f"'{name}' has more than {MOST_COLUMNS:,} columns; divide it",
            line=line,
        )
    names, warnings, reasons = [], [], []
    places: dict[str, int] = {}
    for place, written in enumerate(header, start=1):
        column = written.strip()
        if not column:
            column = f"column {place}"
            warnings.append(f"column {place} has no name and is called '{column}'")
        if len(column) > LONGEST_NAME:
            message = f"the name of column {place} is longer than {LONGEST_NAME} characters"
            reasons.append(Reason("bad_column_name", message, shortened(column), line))
        first = places.setdefault(column.casefold(), place)
        if first != place:
            reasons.append(
                Reason(
                    "duplicate_column",
                    f"column '{column}' occurs twice, at {first} and {place} "
                    "(upper and lower case are the same); give each column its own name",
                    column,
                    line,
                )
            )
        names.append(column)
    if reasons:
        raise UploadRefusedError(reasons)
    return tuple(names), tuple(warnings)


def _refused(code: str, message: str, line: int | None = None) -> UploadRefusedError:
    return UploadRefusedError([Reason(code, message, line=line)])
