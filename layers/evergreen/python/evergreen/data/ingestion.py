"""One uploaded file, checked and written as typed rows: good rows here, bad rows beside them."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from evergreen.data.anomalies import Anomaly, compare, duplicate_keys, ragged
from evergreen.data.engine import connect, identifier, literal
from evergreen.data.inference import Inferred, TextColumn, infer, misfitting_rows
from evergreen.data.observations import Observed, observe
from evergreen.data.parquet_columns import column_type, text_in_parquet, typed_column
from evergreen.data.quarantine import NOUNS, misfit_rows, write_quarantine
from evergreen.data.readings import readings_for
from evergreen.data.refusal import Reason, UploadRefusedError, did_you_mean
from evergreen.data.schema import ColumnSchema, Schema
from evergreen.data.sniffing import DelimitedFile, ParquetFile, recognise
from evergreen.data.staging import RejectedRow, Staged, stage_delimited, stage_parquet

MOST_BAD_ROWS = 0.2
"""A file with a larger share of bad rows is refused whole."""

EXAMPLES = 5
"""Bad rows that the refusal of a whole file shows."""

__all__ = ["IngestedPart", "Reason", "UploadRefusedError", "ingest"]


@dataclass(frozen=True)
class IngestedPart:
    """What a file became: its columns, how many rows were taken and refused, what to know.

    `rows` + `quarantined_rows` are the rows of the file. `notes` say how it was read, `anomalies`
    how it differs from the dataset so far.
    """

    schema: Schema
    rows: int
    quarantined_rows: int
    observed: Observed
    notes: tuple[str, ...] = ()
    anomalies: tuple[Anomaly, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """Everything to know, in sentences."""
        return (*self.notes, *(anomaly.message for anomaly in self.anomalies))


@dataclass(frozen=True)
class Understood:
    """A file of which every column is understood, ready to be read or written."""

    file: DelimitedFile | ParquetFile
    staged: Staged
    columns: tuple[Inferred, ...]
    misfitting: int
    warnings: tuple[str, ...]

    @property
    def quarantined_rows(self) -> int:
        """Rows that do not fit the header, or hold a value that does not fit its column."""
        return len(self.staged.rejected) + self.misfitting

    @property
    def good_rows(self) -> str:
        """SQL for the good rows, typed, in their order."""
        values = ", ".join(f"{each.value} AS {identifier(each.name)}" for each in self.columns)
        wrong = [each.misfit for each in self.columns if each.misfits]
        where = f" WHERE NOT ({' OR '.join(wrong)})" if wrong else ""
        return f"SELECT {values} FROM {self.staged.source}{where}"

    def bad_rows(
        self, connection: duckdb.DuckDBPyConnection, limit: int | None = None
    ) -> tuple[RejectedRow, ...]:
        """The rows that were refused, each with all its reasons."""
        misfits = misfit_rows(connection, self.staged, self.columns, self.file, limit)
        return (*self.staged.rejected[:limit], *misfits)


def ingest(
    source: Path,
    name: str,
    destination: Path,
    *,
    known: Schema | None = None,
    before: Observed | None = None,
    required: Sequence[str] = (),
    key: Sequence[str] = (),
    destination_quarantine: Path | None = None,
) -> IngestedPart:
    """Write the good rows of `source` to `destination` and the bad ones to the quarantine.

    `name` is what messages call the file. `known` is the schema of the dataset so far, `before`
    what was seen of it; `required` are columns that must be there, `key` those whose values name
    a row. The quarantine is written only if rows were refused.

    Raises UploadRefusedError, before anything is written, if the file is no table, lacks a
    required column, has columns whose types changed, or has too many bad rows.
    """
    quarantine = destination_quarantine or destination.with_suffix(".quarantine.parquet")
    with tempfile.TemporaryDirectory(dir=destination.parent) as directory:
        scratch = Path(directory)
        with connect(scratch) as connection:
            made = understand(connection, source, name, scratch, known=known, required=required)
            _refuse_mostly_bad(connection, made, name)
            connection.execute(
                f"COPY ({made.good_rows}) TO {literal(str(destination))} "
                "(FORMAT parquet, COMPRESSION zstd)"
            )
            rows = made.staged.rows - made.misfitting
            typed = [(column.name, column.type) for column in made.columns]
            seen = observe(connection, destination, typed, rows)
            found = (
                *ragged(_ragged_rows(made.staged), len(made.columns)),
                *duplicate_keys(connection, destination, key, seen),
                *(compare(connection, destination, seen, before) if before else ()),
            )
            # A declared key may be one that was observed as well.
            anomalies = tuple({(each.code, each.column): each for each in found}.values())
            if made.quarantined_rows:
                write_quarantine(connection, made.bad_rows(connection), quarantine, scratch)
    return IngestedPart(
        _schema(made, seen), rows, made.quarantined_rows, seen, made.warnings, anomalies
    )


def understand(
    connection: duckdb.DuckDBPyConnection,
    source: Path,
    name: str,
    scratch: Path,
    *,
    known: Schema | None = None,
    required: Sequence[str] = (),
) -> Understood:
    """Find the columns of a file and their types; raises UploadRefusedError."""
    file = recognise(source, name, scratch)
    if isinstance(file, ParquetFile):
        staged = stage_parquet(connection, file, name)
    else:
        _refuse_missing(file.names, name, required)
        staged = stage_delimited(connection, file, name, scratch)
    _refuse_missing(tuple(staged.columns), name, required)
    if staged.rows == 0 and not staged.rejected:
        message = f"'{name}' has a header and no rows; add rows"
        raise UploadRefusedError([Reason("no_rows", message, line=1)])
    columns, left_out = _columns(connection, file, staged, known)
    _refuse_changed(connection, file, staged, columns, known)
    warnings = (
        *(file.warnings if isinstance(file, DelimitedFile) else ()),
        *left_out,
        *(warning for column in columns for warning in column.warnings),
    )
    misfitting = misfitting_rows(connection, staged.source, columns)
    return Understood(file, staged, columns, misfitting, warnings)


def _columns(
    connection: duckdb.DuckDBPyConnection,
    file: DelimitedFile | ParquetFile,
    staged: Staged,
    known: Schema | None,
) -> tuple[tuple[Inferred, ...], tuple[str, ...]]:
    """How each column is read, under the name that the dataset knows, and what is left out."""
    texts: list[TextColumn] = []
    typed: dict[str, Inferred] = {}
    order, left_out = [], []
    for written, expression in staged.columns.items():
        before = known.column(written) if known else None
        name = before.name if before else written
        kind = column_type(staged.types[written])
        if kind is None:
            held = staged.types[written]
            left_out.append(f"column '{name}' is left out: {held} has no place in a table")
            continue
        order.append(name)
        if isinstance(file, DelimitedFile):
            readings = readings_for(file.delimiter)
            texts.append(TextColumn(name, expression, readings, before))
        elif kind == "text":
            texts.append(text_in_parquet(name, expression, before))
        else:
            column = ColumnSchema(name, kind)
            typed[name] = typed_column(connection, staged.source, column, expression, before)
    read = {column.name: column for column in infer(connection, staged.source, texts)} | typed
    return tuple(read[name] for name in order), tuple(left_out)


def _refuse_missing(names: Sequence[str], name: str, required: Sequence[str]) -> None:
    reasons = [
        Reason(
            "missing_column",
            f"'{name}' has no column '{column}', which the project needs; "
            f"{did_you_mean(column, names)}",
            column,
            1,
        )
        for column in required
        if column not in names
    ]
    if reasons:
        raise UploadRefusedError(reasons)


def _refuse_changed(
    connection: duckdb.DuckDBPyConnection,
    file: DelimitedFile | ParquetFile,
    staged: Staged,
    columns: Sequence[Inferred],
    known: Schema | None,
) -> None:
    """Refuse a file with columns that are of another type than in the dataset so far."""
    reasons = []
    for column in columns:
        before = known.column(column.name) if known else None
        if column.changed is None or before is None:
            continue
        if isinstance(file, ParquetFile):
            line: int | None = column.changed.row + 1
        else:
            shown = misfit_rows(connection, staged, [column], file, limit=1)
            line = shown[0].line if shown else None
        found = column.changed.found
        reasons.append(
            Reason(
                "type_changed",
                f"column '{column.name}' was {before.type} so far and is {found} here: "
                f"'{column.changed.value}' in line {line} is not {NOUNS[before.type]}; correct the "
                "values, or replace the dataset's other parts too",
                column.name,
                line,
                column.changed.value,
            )
        )
    if reasons:
        raise UploadRefusedError(reasons)


def _refuse_mostly_bad(connection: duckdb.DuckDBPyConnection, made: Understood, name: str) -> None:
    total = made.staged.rows + len(made.staged.rejected)
    if made.quarantined_rows <= MOST_BAD_ROWS * total:
        return
    said = (
        f"'{name}' has {made.quarantined_rows:,} bad rows of {total:,}, "
        f"more than {MOST_BAD_ROWS:.0%}; none was taken"
    )
    examples = made.bad_rows(connection, EXAMPLES)[:EXAMPLES]
    shown = [reason for row in examples for reason in row.reasons]
    raise UploadRefusedError([Reason("too_many_bad_rows", said), *shown])


def _ragged_rows(staged: Staged) -> int:
    ragged_codes = {"too_few_values", "too_many_values"}
    return sum(any(why.code in ragged_codes for why in row.reasons) for row in staged.rejected)


def _schema(made: Understood, seen: Observed) -> Schema:
    """The columns as they were written."""
    return Schema(
        tuple(
            ColumnSchema(
                column.name,
                column.type,
                nullable=written.nulls > 0,
                format=column.format,
                empty=column.values == 0,
            )
            for column, written in zip(made.columns, seen.columns, strict=True)
        )
    )
