"""Large delimited files in one pass: read as a sample of them suggests, unless a value objects.

Most large files are clean. To judge each column by all of its values before writing any takes
three passes; here types are chosen from rows all over the file, and the rows are written while
every value is checked against that choice. The first value that does not fit ends the attempt,
and the file is read with all care, as if this had never been tried. What is written is the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import duckdb

from evergreen.contracts.data_section import MISSING
from evergreen.data.declared import has_own_markers
from evergreen.data.engine import connect, identifier, literal, one_value, parquet
from evergreen.data.inference import Inferred
from evergreen.data.parts import WRITTEN
from evergreen.data.readings import FAIL, MISFIT, READINGS, TEXT, cleaned, unclean
from evergreen.data.record_lengths import whole_records
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
    if has_own_markers(known) or is_repair(file.names) or file.record_starts == ():
        return None
    expected = _expected(file, name, scratch, known, required)
    if expected is None:
        return None
    columns, spaced = expected
    rows = _written(connection, file, destination, columns, spaced)
    if rows is None:
        destination.unlink(missing_ok=True)
        return None
    # Of the written file, where equal texts are stored once, this is asked fast.
    others = [column for column in columns if column.name not in spaced]
    _clean(connection, destination, scratch, others, _may_hold_lines(file))
    rejected = rejected_rows(connection, file, "expected_rejects")
    named = {column.name: identifier(column.name) for column in columns}
    types = {column.name: SQL_TYPES[column.type] for column in columns}
    return Understood(
        file, Staged(destination, named, types, rows, rejected), columns, 0, file.warnings
    )


def _written(
    connection: duckdb.DuckDBPyConnection,
    file: DelimitedFile,
    destination: Path,
    columns: Sequence[Inferred],
    spaced: frozenset[str],
) -> int | None:
    """Write the rows, every value held against its column: how many; None where one objects."""
    markers = ", ".join(literal(marker) for marker in MISSING)
    cells = dict(zip(cells_of(file), columns, strict=True))
    # DuckDB reads 1_000 and +-1 as numbers too.
    plain = file.plain_numbers and file.has_header
    direct = {cell: "DOUBLE" for cell, each in cells.items() if plain and each.reading is NUMBER}
    source = delimited(file, f", nullstr = [{markers}]", "expected_rejects", direct)
    values = ", ".join(
        f"{cell if cell in direct else _value(column, cell, column.name in spaced)} "
        f"AS {identifier(column.name)}"
        for cell, column in cells.items()
    )
    try:
        written = connection.execute(
            f"COPY (SELECT {values} FROM {source}) TO {literal(str(destination))} ({WRITTEN})"
        ).fetchone()
        rows = int(written[0]) if written else 0
        doubtful = (
            not 0 < rows <= file.limits.rows
            or _any_header(connection, destination, columns, file)
            or _any_doubtful(connection, destination, [cells[cell] for cell in direct])
            or _any_misread(connection)
        )
    except duckdb.Error as error:
        # What else went wrong is told, with its place, by the careful reading.
        if not isinstance(error, duckdb.InvalidInputException) and MISFIT not in str(error):
            destination.unlink(missing_ok=True)
            raise
        return None
    return None if doubtful else rows


def _expected(
    file: DelimitedFile,
    name: str,
    scratch: Path,
    known: Schema | None,
    required: Sequence[str],
) -> tuple[tuple[Inferred, ...], frozenset[str]] | None:
    """The columns as the sample shows them, and which have spaces around texts; None in doubt."""
    if len(file.names) > MOST_COLUMNS:
        return None
    sample = scratch / "sample"
    sample.mkdir()
    try:
        shown = replace(file, path=_sampled(file, sample / "sample.csv"))
        with connect(sample) as connection:
            made = understand(connection, shown, name, sample, known=known, required=required)
            cells = dict(zip(cells_of(shown), made.columns, strict=True))
            source = delimited(shown, rejects="spaced_rejects")
            spaced = _spaced(connection, source, cells, _may_hold_lines(file))
    except UploadRefusedError:
        return None
    return (made.columns, spaced) if all(column.certain for column in made.columns) else None


def _sampled(file: DelimitedFile, target: Path) -> Path:
    """Copy the beginning of a file and whole records from all over the rest of it."""
    size, starts = file.path.stat().st_size, file.record_starts
    with file.path.open("rb") as source, target.open("wb") as copy:
        for place in range(SAMPLES):
            if starts is None:
                source.seek(place * max(0, size - SAMPLE_BYTES) // (SAMPLES - 1))
                piece = source.read(SAMPLE_BYTES)
                first = piece.find(b"\n") + 1 if place else 0
                copy.write(piece[first : piece.rfind(b"\n") + 1])
            else:
                source.seek(starts[place * (len(starts) - 1) // (SAMPLES - 1)] if place else 0)
                copy.write(whole_records(source.read(SAMPLE_BYTES), file.quote))
    return target


def _value(column: Inferred, cell: str, spaced: bool) -> str:  # noqa: FBT001
    """SQL for the value of a cell, which ends the query where it does not fit its column."""
    if column.reading is None:
        nothing = f"CASE WHEN {cleaned(cell)} IS NULL THEN NULL ELSE {FAIL} END"
        return f"CAST({nothing} AS {SQL_TYPES[column.type]})"
    if column.reading is TEXT:
        return cleaned(cell) if spaced else cell
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


def _clean(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    scratch: Path,
    columns: Sequence[Inferred],
    lines: bool,  # noqa: FBT001
) -> None:
    """Take spaces from around the texts of a file that is written, if any has them."""
    texts = {identifier(column.name): column for column in columns}
    spaced = _spaced(connection, parquet([path]), texts, lines)
    if not spaced:
        return
    clean = ", ".join(f"{cleaned(text)} AS {text}" for text in map(identifier, sorted(spaced)))
    written = path.rename(scratch / "spaced.parquet")
    connection.execute(
        f"COPY (SELECT * REPLACE ({clean}) FROM {parquet([written])}) "
        f"TO {literal(str(path))} ({WRITTEN})"
    )


def _spaced(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    columns: Mapping[str, Inferred],
    lines: bool,  # noqa: FBT001
) -> frozenset[str]:
    """Names of the columns of texts (SQL for a text → column) that may have spaces around some."""
    texts = {text: column.name for text, column in columns.items() if column.reading is TEXT}
    if not texts:
        return frozenset()
    asked = ", ".join(f"coalesce(bool_or({unclean(text, lines)}), false)" for text in texts)
    row = connection.execute(f"SELECT {asked} FROM {source}").fetchone() or ()
    return frozenset(name for name, found in zip(texts.values(), row, strict=True) if found)


def _may_hold_lines(file: DelimitedFile) -> bool:
    """Whether a text may hold the end of a line: only between quotes does a value go on there."""
    return file.quotes or file.quote != '"'
