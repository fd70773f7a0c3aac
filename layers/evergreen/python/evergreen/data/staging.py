"""A file brought into columns, its values not yet read: rows that fit the header, and others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import duckdb

from evergreen.data.declared import markers_of
from evergreen.data.engine import WRITTEN, identifier, literal, one_value, parquet
from evergreen.data.files import LINE, DelimitedFile, ParquetFile
from evergreen.data.located import located
from evergreen.data.readings import trimmed, unclean, without_markers
from evergreen.data.refusal import Reason, RejectedRow, UploadRefusedError, printable
from evergreen.data.schema import Schema
from evergreen.data.text_encoding import lines_of

ROW = "file_row_number"
TOO_LONG = "LINE SIZE OVER MAXIMUM"

MOST_REJECTED = 100_000
"""Bad rows that are held; a file with more is refused whole, whatever its size."""

MOST_REJECTED_CELLS = 4_000_000
"""Values that bad rows may have together, of those with one for each column.

Short ones take 150 bytes each, 600 MB together. A file with more is refused whole; a table of at
most 40 columns never has so many.
"""

MOST_GUARDED = 200
"""Of tables with more columns, a longer query takes more time to plan than it saves."""

COMPARED_NAMES = 50
"""A row with so many of the names in their places is a header."""

BUFFER_BYTES = 32_000_000
RAW_BYTES = 64 << 20
RAW_CHARACTERS = 500
LONGEST = 300
"""The texts of bad rows are kept whole up to so many bytes together, else their beginnings."""


@dataclass(frozen=True)
class Staged:
    """Rows in a Parquet file whose values are not yet read, texts without spaces around them.

    `columns`: name of the column → SQL expression for it over `source`; `types`: its DuckDB type.
    """

    path: Path
    columns: Mapping[str, str]
    types: Mapping[str, str]
    rows: int
    rejected: tuple[RejectedRow, ...]

    @property
    def source(self) -> str:
        """A table function with the rows and their numbers from 0."""
        return parquet([self.path], f", {ROW} = true")


def stage_parquet(connection: duckdb.DuckDBPyConnection, file: ParquetFile, name: str) -> Staged:
    """Take a Parquet file as it is; raises UploadRefusedError if it cannot be read."""
    source = parquet([file.path])
    try:
        described = connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
        # With the row numbers that are read later: a column of that name is told now.
        numbered = parquet([file.path], f", {ROW} = true")
        # Every value once: what is wrong in a page shows only when it is unpacked.
        rows = one_value(
            connection, f"SELECT count({ROW}), bit_xor(hash(whole)) FROM {numbered} AS whole"
        )
    except duckdb.OutOfMemoryException:
        raise
    except duckdb.Error as error:
        raise UploadRefusedError([_damaged(file.path, name, error)]) from error
    types = {str(column): str(kind) for column, kind, *_ in described}
    if file.numbered:
        del types[LINE]
    columns = {each: identifier(each) for each in types}
    return Staged(file.path, columns, types, rows, file.rejected)


def stage_delimited(
    connection: duckdb.DuckDBPyConnection,
    file: DelimitedFile,
    name: str,
    scratch: Path,
    known: Schema | None = None,
) -> Staged:
    """Divide text into columns of text, NULL where missing; rows of another width are rejected."""
    path = scratch / "staged.parquet"
    columns = cells_of(file)
    markers = [markers_of(known, column) for column in file.names]
    try:
        texts = ", ".join(f"{trimmed_where_spaced(cell, file)} AS {cell}" for cell in columns)
        cells = ", ".join(
            f"{without_markers(cell, missing)} AS {cell}"
            for missing, cell in zip(markers, columns, strict=True)
        )
        clean = f"SELECT {cells} FROM (SELECT {texts} FROM {delimited(file)})"
        connection.execute(f"COPY ({clean}) TO {literal(str(path))} ({WRITTEN})")
        rejected = rejected_rows(connection, file)
        path, repeated = _without_headers(connection, file, path, markers)
    except duckdb.OutOfMemoryException:
        raise
    except duckdb.Error as error:
        raise UploadRefusedError([_damaged(file.path, name, error)]) from error
    rows = one_value(connection, f"SELECT count(*) FROM {parquet([path])}")
    if rows > file.limits.rows:
        raise file.limits.refuse("rows", f"'{name}' has {rows:,} rows")
    named = dict(zip(file.names, columns, strict=True))
    rejected = tuple(sorted((*rejected, *repeated), key=lambda row: row.line or 0))
    return Staged(path, named, dict.fromkeys(file.names, "VARCHAR"), rows, rejected)


def trimmed_where_spaced(cell: str, file: DelimitedFile) -> str:
    """SQL for a cell without the spaces around it: to look whether it has any is faster.

    To be asked in a query of its own, below one that says which texts mean missing: see
    `without_markers`.
    """
    if len(file.names) > MOST_GUARDED:
        return trimmed(cell)
    return f"CASE WHEN {spaced(cell, file)} THEN {trimmed(cell)} ELSE {cell} END"


def spaced(text: str, file: DelimitedFile) -> str:
    """SQL condition: there may be spaces around a text of this file."""
    # Only between quotes does a value go on in the next line.
    lines = file.form.quotes or file.quote != '"'
    return unclean(text, lines=lines, rare=not file.form.plain_spaces)


def _without_headers(
    connection: duckdb.DuckDBPyConnection,
    file: DelimitedFile,
    path: Path,
    markers: Sequence[Sequence[str]],
) -> tuple[Path, tuple[RejectedRow, ...]]:
    """The staged rows without those that repeat the header, as files that were joined have them."""
    cells = cells_of(file)
    is_header = like_header(file, cells, ["VARCHAR"] * len(cells), markers)
    if is_header is None:
        return path, ()
    source = parquet([path], f", {ROW} = true")
    found = connection.execute(
        f"SELECT {ROW} FROM {source} WHERE {is_header} ORDER BY {ROW}"
    ).fetchall()
    if not found:
        return path, ()
    kept = path.with_name("kept.parquet")
    connection.execute(
        f"COPY (SELECT * FROM {parquet([path])} WHERE {is_header} IS NOT TRUE) "
        f"TO {literal(str(kept))} (FORMAT parquet)"
    )
    path.unlink()
    places = located(file, [(int(number), file.header) for (number,) in found], markers)
    rows = []
    for (number,) in found:
        line, raw = places.get(int(number), (None, file.delimiter.join(file.header)))
        where = f"line {line} repeats" if line else "a row repeats"
        reason = Reason("repeated_header", f"{where} the header", line=line)
        rows.append(RejectedRow(line, raw, (reason,)))
    return kept, tuple(rows)


def like_header(
    file: DelimitedFile,
    cells: Sequence[str],
    types: Sequence[str],
    markers: Sequence[Sequence[str]],
) -> str | None:
    """SQL condition: the cells, of these types, say what the header does; None where none can.

    A name that says missing (an empty one, or `NA`) is a missing value there.
    """
    if not file.may_repeat_header:
        return None
    there, missing = [], []
    for cell, name, kind, says in zip(cells, file.header, types, markers, strict=True):
        if name in says:
            missing.append(f"{cell} IS NULL")
        else:
            there.append(f"{cell} = TRY_CAST({literal(name)} AS {kind})")
    return f"({' AND '.join([*there, *missing][:COMPARED_NAMES])})" if there else None


def cells_of(file: DelimitedFile) -> list[str]:
    """What the cells of a row are called in SQL, in order."""
    return [f"c{place}" for place in range(len(file.names))]


def delimited(
    file: DelimitedFile,
    options: str = "",
    rejects: str = "reject_errors",
    types: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """A table function that reads the cells of a file, as text where `types` has no other.

    Rows that cannot be read so go to the table `rejects`.
    """
    spelled = ", ".join(
        f"{literal(cell)}: {literal(types.get(cell, 'VARCHAR'))}" for cell in cells_of(file)
    )
    quote, escape = literal(file.quote), literal(file.escape)
    header = str(file.has_header).lower()
    return (
        f"read_csv({literal(str(file.path))}, auto_detect = false, columns = {{{spelled}}}, "
        f"delim = {literal(file.delimiter)}, quote = {quote}, escape = {escape}, "
        f"header = {header}, skip = {file.skipped_lines}, strict_mode = true, "
        f"store_rejects = true, "
        f"max_line_size = {file.limits.cell_bytes}, buffer_size = {_buffer(file)}, "
        f"rejects_limit = {MOST_REJECTED}, parallel = {str(file.in_pieces).lower()}, "
        f"rejects_table = '{rejects}', rejects_scan = '{rejects}_scans'{options})"
    )


def _buffer(file: DelimitedFile) -> int:
    """Bytes read at once: several of the longest lines, as DuckDB has it by itself."""
    return max(BUFFER_BYTES, 4 * file.limits.cell_bytes)


def _damaged(path: Path, name: str, error: duckdb.Error) -> Reason:
    first = str(error).splitlines()[0].split(" Error: ", 1)[-1].replace(str(path), name)
    return Reason("damaged", f"'{name}' is damaged or no table: {printable(first, LONGEST)}")


def rejected_rows(
    connection: duckdb.DuckDBPyConnection, file: DelimitedFile, rejects: str = "reject_errors"
) -> tuple[RejectedRow, ...]:
    """What is no row, in order: what was set aside before, and what DuckDB would not take.

    With its real lines: those that DuckDB reports count records.
    """
    counted = f"SELECT count(*), coalesce(sum(strlen(csv_line)), 0) FROM {rejects}"
    errors, size = connection.execute(counted).fetchone() or (0, 0)
    if errors >= MOST_REJECTED:
        said = f"more than {MOST_REJECTED:,} rows cannot be divided like the header"
        raise UploadRefusedError([Reason("too_many_bad_rows", said)])
    raw = "csv_line" if size <= RAW_BYTES else f"left(csv_line, {RAW_CHARACTERS})"
    found = connection.execute(
        "SELECT line_byte_position, list(error_type::VARCHAR ORDER BY column_idx), "
        f"list(left(error_message, {RAW_CHARACTERS}) ORDER BY column_idx), any_value({raw}) "
        f"FROM {rejects} GROUP BY line_byte_position ORDER BY line_byte_position"
    ).fetchall()
    lines = _lines_at(file.path, [int(position) - 1 for position, *_ in found])
    rows = list(file.rejected)
    for (_, kinds, messages, raw), line in zip(found, lines, strict=True):
        text = str(raw).lstrip("\r\n")
        first = line + str(raw)[: len(str(raw)) - len(text)].count("\n")
        wrong = _one_of_each(kinds, messages)
        # An open quote swallows the rows after it; each of them is given back.
        parts = [each.rstrip("\r\n") for each in lines_of(text)] or [""]
        for offset, part in enumerate(parts[:1] if TOO_LONG in wrong else parts):
            reasons = tuple(_reason(kind, wrong[kind], file, first + offset) for kind in wrong)
            rows.append(RejectedRow(first + offset, part, reasons))
    return tuple(sorted(rows, key=lambda row: row.line or 0))


def _one_of_each(kinds: Sequence[str], messages: Sequence[str]) -> dict[str, str]:
    """One message per kind of error: a row with two values too few, or too many, has two.

    The first says how many values a short row has, the last how many a long one has.
    """
    first = dict(reversed(list(zip(kinds, messages, strict=True))))
    last = dict(zip(kinds, messages, strict=True))
    return {kind: last[kind] if kind == "TOO MANY COLUMNS" else first[kind] for kind in last}


def _reason(kind: str, message: str, file: DelimitedFile, line: int) -> Reason:
    width = len(file.names)
    found = message.rsplit("Found: ", 1)[-1]
    if kind == "MISSING COLUMNS":
        said = f"line {line} has fewer values ({found}) than the header ({width})"
        return Reason("too_few_values", said, line=line)
    if kind == "TOO MANY COLUMNS":
        said = f"line {line} has more values ({found}) than the header ({width})"
        return Reason("too_many_values", said, line=line)
    if kind == "UNQUOTED VALUE":
        said = f"line {line} has a quote that is not closed, or text after a closing quote"
        return Reason("broken_quote", said, line=line)
    if kind == "INVALID ENCODING":
        return Reason("undecodable", f"line {line} is not UTF-8 text", line=line)
    if kind == TOO_LONG:
        return Reason("too_long", f"line {line} is too long", line=line)
    return Reason("unreadable", f"line {line} cannot be read: {message.splitlines()[0]}", line=line)


def _lines_at(path: Path, offsets: Sequence[int]) -> list[int]:
    """The line (from 1) that each byte offset is on; offsets in ascending order."""
    lines: list[int] = []
    line, position = 1, 0
    with path.open("rb") as file:
        for offset in offsets:
            while position < offset:
                chunk = file.read(min(offset - position, 1 << 20))
                if not chunk:
                    break
                line += chunk.count(b"\n")
                position += len(chunk)
            lines.append(line)
    return lines
