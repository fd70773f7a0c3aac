"""Large delimited files in one pass: read as a sample of them suggests, unless a value objects.

Most large files are clean. To judge each column by all of its values before writing any takes
three passes; here types are chosen from rows all over the file, and the rows are written while
every value is checked against that choice. The first value that does not fit ends the attempt,
and the file is read with all care, as if this had never been tried. What is written is the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import duckdb

from evergreen.contracts.data_section import MISSING
from evergreen.data.declared import has_own_markers
from evergreen.data.engine import WRITTEN, connect, identifier, literal, one_value, parquet
from evergreen.data.inference import Inferred
from evergreen.data.observations import Observed, observe
from evergreen.data.readings import (
    FAIL,
    MISFIT,
    READINGS,
    SPACES,
    TEXT,
    cleaned,
    says_missing,
    without_markers,
)
from evergreen.data.record_lengths import whole_records
from evergreen.data.refusal import UploadRefusedError
from evergreen.data.repairs import is_repair
from evergreen.data.schema import SQL_TYPES, Schema
from evergreen.data.sniffing import DelimitedFile, ParquetFile
from evergreen.data.staging import (
    Staged,
    cells_of,
    delimited,
    like_header,
    rejected_rows,
    spaced,
    trimmed_where_spaced,
)
from evergreen.data.understanding import Understood, understand

SMALLEST = 8 << 20
"""Bytes. Smaller files are read with all care in a second or two."""

MOST_COLUMNS = 500
"""Of wider files, the one query would take longer to plan than it saves."""

SAMPLES = 24
SAMPLE_BYTES = 64 << 10
"""So many pieces of so many bytes, evenly spaced, make the sample."""

REJECTS = "expected_rejects"

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
) -> tuple[Understood, Observed] | None:
    """Write the typed rows of a large clean file; None, and nothing written, for any other.

    Given is how the file was understood, and what was seen of the rows that are written. Rows of
    another width than the header are allowed, and are given as rejected.
    """
    if not isinstance(file, DelimitedFile) or not _is_tried(file, known):
        return None
    expected = _expected(file, name, scratch, known, required)
    if expected is None:
        return None
    attempt = _Attempt(connection, file, expected, destination)
    try:
        rows = attempt.write()
        if not 0 < rows <= file.limits.rows:
            destination.unlink(missing_ok=True)
            return None
    except duckdb.Error as error:
        destination.unlink(missing_ok=True)
        # What else went wrong is told, with its place, by the careful reading.
        if not isinstance(error, duckdb.InvalidInputException) and MISFIT not in str(error):
            raise
        return None
    seen = attempt.observed(rows)
    unclean = attempt.unclean(seen)
    if unclean:
        attempt.clean(unclean, scratch)
        seen = attempt.observed(rows)
    if attempt.any_header():
        destination.unlink()
        return None
    columns = expected.columns
    named = {column.name: identifier(column.name) for column in columns}
    types = {column.name: SQL_TYPES[column.type] for column in columns}
    staged = Staged(destination, named, types, rows, rejected_rows(connection, file, REJECTS))
    return Understood(file, staged, columns, 0, file.warnings), seen


def _is_tried(file: DelimitedFile, known: Schema | None) -> bool:
    """Whether a file is large, and one that can be read so."""
    if file.path.stat().st_size < SMALLEST or is_repair(file.names) or file.record_starts == ():
        return False
    # The marks of missing values are known to the reader of the file by one list for all columns.
    return not has_own_markers(known)


@dataclass(frozen=True)
class _Expected:
    """What a sample shows.

    Its columns; which have spaces around cells; the markers of missing values that it may hold.
    """

    columns: tuple[Inferred, ...]
    spaced: frozenset[str]
    markers: tuple[str, ...]

    @property
    def raw_texts(self) -> frozenset[str]:
        """The columns of texts that are written as they stand."""
        return frozenset(each.name for each in self.columns if each.reading is TEXT) - self.spaced


def _expected(
    file: DelimitedFile,
    name: str,
    scratch: Path,
    known: Schema | None,
    required: Sequence[str],
) -> _Expected | None:
    """What the sample shows; None in doubt."""
    if len(file.names) > MOST_COLUMNS:
        return None
    sample = scratch / "sample"
    sample.mkdir()
    try:
        shown = replace(file, path=_sampled(file, sample / "sample.csv"))
        with connect(sample) as connection:
            made = understand(connection, shown, name, sample, known=known, required=required)
            cells = dict(zip(cells_of(shown), made.columns, strict=True))
            asked = {cell: spaced(cell, file) for cell in cells}
            found = _where(connection, delimited(shown, rejects="spaced_rejects"), asked)
    except UploadRefusedError:
        return None
    if not all(column.certain for column in made.columns):
        return None
    with_spaces = frozenset(cells[cell].name for cell in found)
    return _Expected(made.columns, with_spaces, _markers_in(shown))


def _markers_in(sample: DelimitedFile) -> tuple[str, ...]:
    """The markers of missing values that a sample may hold. The empty text costs nothing."""
    between = f"[{re.escape(sample.delimiter + sample.quote)}\\s]"
    some = "|".join(re.escape(marker) for marker in MISSING if marker)
    pattern = f"(?:^|{between})({some})(?={between}|$)"
    found = set(re.findall(pattern.encode(), sample.path.read_bytes()))
    return tuple(marker for marker in MISSING if not marker or marker.encode() in found)


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


def _where(
    connection: duckdb.DuckDBPyConnection, source: str, asked: Mapping[str, str]
) -> tuple[str, ...]:
    """Of the columns (as SQL has them → condition), those with a row where the condition holds."""
    if not asked:
        return ()
    any_row = ", ".join(f"coalesce(bool_or({each}), false)" for each in asked.values())
    row = connection.execute(f"SELECT {any_row} FROM {source}").fetchone() or ()
    return tuple(column for column, found in zip(asked, row, strict=True) if found)


@dataclass
class _Attempt:
    """A file being written as expected."""

    connection: duckdb.DuckDBPyConnection
    file: DelimitedFile
    expected: _Expected
    destination: Path
    markers: tuple[str, ...] = ()

    def write(self) -> int:
        """Write the rows; how many there are. 0, and nothing is written, if one cannot be read.

        The reader takes the longer the more markers it knows. First it is told those that the
        sample shows, and all of them only if it met another.
        """
        for markers in dict.fromkeys((self.expected.markers, MISSING)):
            self.markers = markers
            rows = self._copy()
            misread = self._misread()
            if not misread and not self._any_doubtful():
                return rows
            self.destination.unlink()
            if misread and not any(f'"{marker}"' in said for marker in MISSING for said in misread):
                break
        return 0

    def _copy(self) -> int:
        columns = dict(zip(cells_of(self.file), self.expected.columns, strict=True))
        values = ", ".join(
            f"{cell if cell in self.numbers else self._value(column, cell)} "
            f"AS {identifier(column.name)}"
            for cell, column in columns.items()
        )
        texts = ", ".join(
            f"{trimmed_where_spaced(cell, self.file)} AS {cell}"
            if column.name in self.expected.spaced
            else cell
            for cell, column in columns.items()
        )
        missing = ", ".join(literal(marker) for marker in self.markers)
        for table in (REJECTS, f"{REJECTS}_scans"):
            self.connection.execute(f"DROP TABLE IF EXISTS {table}")
        types = dict.fromkeys(self.numbers, "DOUBLE")
        source = delimited(self.file, f", nullstr = [{missing}]", REJECTS, types)
        target = literal(str(self.destination))
        written = self.connection.execute(
            f"COPY (SELECT {values} FROM (SELECT {texts} FROM {source})) TO {target} ({WRITTEN})"
        ).fetchone()
        return int(written[0]) if written else 0

    @cached_property
    def numbers(self) -> Mapping[str, Inferred]:
        """The cells that DuckDB itself can read as numbers.

        It reads 1_000 and +-1 too, and nothing where there are only spaces.
        """
        if not self.file.form.plain_numbers or not self.file.has_header:
            return {}
        return {
            cell: column
            for cell, column in zip(cells_of(self.file), self.expected.columns, strict=True)
            if column.reading is NUMBER and column.name not in self.expected.spaced
        }

    def observed(self, rows: int) -> Observed:
        """What is seen of the rows that are written."""
        typed = [(column.name, column.type) for column in self.expected.columns]
        return observe(self.connection, self.destination, typed, rows)

    def unclean(self, seen: Observed) -> tuple[str, ...]:
        """Columns with spaces around texts that are written, or with markers that nobody knew.

        They are looked for in the written file, where equal texts are stored once; of columns with
        categories these are known.
        """
        unknown = [marker for marker in MISSING if marker not in self.markers]
        found, asked = [], {}
        for column in seen.columns:
            if column.name not in self.expected.raw_texts:
                continue
            text = identifier(column.name)
            if column.categories is None:
                asked[text] = f"({spaced(text, self.file)} OR {says_missing(text, unknown)})"
            elif any(each != each.strip(SPACES) or each in MISSING for each in column.categories):
                found.append(text)
        return *found, *_where(self.connection, parquet([self.destination]), asked)

    def clean(self, texts: Sequence[str], scratch: Path) -> None:
        """Write the rows anew, these columns (as SQL has them) cleaned."""
        trimmed = ", ".join(f"{trimmed_where_spaced(text, self.file)} AS {text}" for text in texts)
        clean = ", ".join(f"{without_markers(text)} AS {text}" for text in texts)
        written = self.destination.rename(scratch / "unclean.parquet")
        rows = f"SELECT * REPLACE ({trimmed}) FROM {parquet([written])}"
        self.connection.execute(
            f"COPY (SELECT * REPLACE ({clean}) FROM ({rows})) "
            f"TO {literal(str(self.destination))} ({WRITTEN})"
        )

    def any_header(self) -> bool:
        """Whether a row may repeat the header. Where a name is no value of its column, none can."""
        columns = self.expected.columns
        is_header = like_header(
            self.file,
            [identifier(column.name) for column in columns],
            [SQL_TYPES[column.type] for column in columns],
            [MISSING] * len(columns),
        )
        if is_header is None:
            return False
        query = f"SELECT count(*) FROM {parquet([self.destination])} WHERE {is_header}"
        return one_value(self.connection, query) > 0

    def _value(self, column: Inferred, cell: str) -> str:
        """SQL for the value of a cell, which ends the query where it does not fit its column."""
        if column.reading is None:
            nothing = f"CASE WHEN {cleaned(cell)} IS NULL THEN NULL ELSE {FAIL} END"
            return f"CAST({nothing} AS {SQL_TYPES[column.type]})"
        if column.reading is TEXT:
            return without_markers(cell) if column.name in self.expected.spaced else cell
        return column.reading.read_or_fail(cell)

    def _any_doubtful(self) -> bool:
        """Whether a number is infinite, NaN, or so large that it may have been an identifier."""
        if not self.numbers:
            return False
        ends = (
            f"greatest(abs(min({name})), abs(max({name})))"
            for name in (identifier(column.name) for column in self.numbers.values())
        )
        query = f"SELECT {', '.join(ends)} FROM {parquet([self.destination])}"
        row = self.connection.execute(query).fetchone() or ()
        return any(end is not None and not end < LEAST_DOUBTFUL for end in row)

    def _misread(self) -> list[str]:
        """What is said of values for which rows were rejected. Others were for their width."""
        query = f"SELECT DISTINCT error_message FROM {REJECTS} WHERE error_type::VARCHAR = 'CAST'"
        return [str(said) for (said,) in self.connection.execute(query).fetchall()]
