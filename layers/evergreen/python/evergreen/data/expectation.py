"""Large delimited files in one pass: read as a sample of them suggests, unless a value objects.

Most large files are clean. To judge each column by all of its values before writing any takes
three passes; here types are chosen from rows all over the file, and the rows are written while
every value is checked against that choice. The first value that does not fit ends the attempt,
and the file is read with all care, as if this had never been tried. What is written is the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import duckdb

from evergreen.contracts.data_section import MISSING
from evergreen.data.declared import has_own_markers
from evergreen.data.engine import connect, identifier, literal, one_value, parquet
from evergreen.data.inference import Inferred
from evergreen.data.parts import WRITTEN
from evergreen.data.readings import FAIL, MISFIT, READINGS, TEXT, cleaned, unclean
from evergreen.data.refusal import UploadRefusedError
from evergreen.data.repairs import is_repair
from evergreen.data.schema import SQL_TYPES, Schema
from evergreen.data.sniffing import DelimitedFile, ParquetFile
from evergreen.data.staging import Staged, cells_of, delimited, rejected_rows
from evergreen.data.understanding import Understood, understand

SMALLEST = 8 << 20
"""Bytes. Smaller files are read with all care in a second or two."""

MOST_COLUMNS = 500
"""Of wider files, the one query would take longer to plan than it saves."""

SAMPLES = 24
SAMPLE_BYTES = 64 << 10
"""So many pieces of so many bytes, evenly spaced, make the sample."""

LEAST_DOUBTFUL = 1e18
"""Whole numbers of more digits are identifiers."""

NUMBER = next(each for each in READINGS if each.type == "number")


def write_as_expected(
    connection: duckdb.DuckDBPyConnection,
    file: DelimitedFile | ParquetFile,
    name: str,
    scratch: Path,
    destination: Path,
    known: Schema | None,
    required: Sequence[str],
) -> Understood | None:
    """Write the typed rows of a large clean file; None, and nothing written, for any other.

    Rows of another width than the header are allowed, and are given as rejected.
    """
    if not isinstance(file, DelimitedFile) or file.path.stat().st_size < SMALLEST:
        return None
    # The marks of missing values are known to the reader of the file by one list for all columns.
    if has_own_markers(known) or is_repair(file.names):
        return None
    columns = _expected(file, name, scratch, known, required)
    if not columns:
        return None
    markers = ", ".join(literal(marker) for marker in MISSING)
    cells = dict(zip(cells_of(file), columns, strict=True))
    # DuckDB reads 1_000 and +-1 as numbers too.
    plain = file.plain_numbers and file.has_header
    direct = {cell: "DOUBLE" for cell, each in cells.items() if plain and each.reading is NUMBER}
    source = delimited(file, f", nullstr = [{markers}]", "expected_rejects", direct)
    values = ", ".join(
        f"{cell if cell in direct else _value(column, cell)} AS {identifier(column.name)}"
        for cell, column in cells.items()
    )
    try:
        written = connection.execute(
            f"COPY (SELECT {values} FROM {source}) TO {literal(str(destination))} ({WRITTEN})"
        ).fetchone()
        rows = int(written[0]) if written else 0
        if (
            not 0 < rows <= file.limits.rows
            or _any_unclean(connection, destination, columns, file)
            or _any_header(connection, destination, columns, file)
            or _any_doubtful(connection, destination, [cells[cell] for cell in direct])
            or _any_misread(connection)
        ):
            destination.unlink()
            return None
    except duckdb.Error as error:
        destination.unlink(missing_ok=True)
        # What else went wrong is told, with its place, by the careful reading.
        if not isinstance(error, duckdb.InvalidInputException) and MISFIT not in str(error):
            raise
        return None
    rejected = rejected_rows(connection, file, "expected_rejects")
    named = {column.name: identifier(column.name) for column in columns}
    types = {column.name: SQL_TYPES[column.type] for column in columns}
    return Understood(
        file, Staged(destination, named, types, rows, rejected), columns, 0, file.warnings
    )


def _expected(
    file: DelimitedFile,
    name: str,
    scratch: Path,
    known: Schema | None,
    required: Sequence[str],
) -> tuple[Inferred, ...]:
    """The columns as the sample shows them; none where they leave any doubt."""
    if len(file.names) > MOST_COLUMNS:
        return ()
    sample = scratch / "sample"
    sample.mkdir()
    try:
        shown = replace(file, path=_sampled(file.path, sample / "sample.csv"))
        with connect(sample) as connection:
            made = understand(connection, shown, name, sample, known=known, required=required)
    except UploadRefusedError:
        return ()
    return made.columns if all(column.certain for column in made.columns) else ()


def _sampled(source: Path, target: Path) -> Path:
    """Copy the beginning of a file and whole lines from all over the rest of it."""
    size = source.stat().st_size
    with source.open("rb") as file, target.open("wb") as copy:
        for place in range(SAMPLES):
            file.seek(place * max(0, size - SAMPLE_BYTES) // (SAMPLES - 1))
            piece = file.read(SAMPLE_BYTES)
            first = piece.find(b"\n") + 1 if place else 0
            copy.write(piece[first : piece.rfind(b"\n") + 1])
    return target


def _value(column: Inferred, cell: str) -> str:
    """SQL for the value of a cell, which ends the query where it does not fit its column."""
    if column.reading is None:
        nothing = f"CASE WHEN {cleaned(cell)} IS NULL THEN NULL ELSE {FAIL} END"
        return f"CAST({nothing} AS {SQL_TYPES[column.type]})"
    if column.reading is TEXT:
        return cell
    return column.reading.read_or_fail(cell)


def _any_doubtful(
    connection: duckdb.DuckDBPyConnection, path: Path, numbers: Sequence[Inferred]
) -> bool:
    """Whether a number is infinite, NaN, or so large that it may have been a long identifier."""
    if not numbers:
        return False
    ends = (
        f"greatest(abs(min({name})), abs(max({name})))"
        for name in (identifier(column.name) for column in numbers)
    )
    row = connection.execute(f"SELECT {', '.join(ends)} FROM {parquet([path])}").fetchone() or ()
    return any(end is not None and not end < LEAST_DOUBTFUL for end in row)


def _any_header(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    columns: Sequence[Inferred],
    file: DelimitedFile,
) -> bool:
    """Whether a row may repeat the header. Where a name is no value of its column, none can."""
    if not file.may_repeat_header:
        return False
    same = " AND ".join(
        f"{identifier(column.name)} = TRY_CAST({literal(name)} AS {SQL_TYPES[column.type]})"
        for column, name in zip(columns, file.names, strict=True)
    )
    return one_value(connection, f"SELECT count(*) FROM {parquet([path])} WHERE {same}") > 0


def _any_misread(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether a row was rejected for one of its values, and not for its width."""
    return (
        one_value(
            connection, "SELECT count(*) FROM expected_rejects WHERE error_type::VARCHAR = 'CAST'"
        )
        > 0
    )


def _any_unclean(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    columns: Sequence[Inferred],
    file: DelimitedFile,
) -> bool:
    """Whether a text has spaces around it; asked of the written file, where equal ones are one."""
    texts = [identifier(column.name) for column in columns if column.reading is TEXT]
    if not texts:
        return False
    # Only between quotes a value goes on behind the end of its line.
    lines = file.quotes or file.quote != '"'
    asked = " OR ".join(f"coalesce(bool_or({unclean(text, lines)}), false)" for text in texts)
    row = connection.execute(f"SELECT {asked} FROM {parquet([path])}").fetchone()
    return bool(row and row[0])
