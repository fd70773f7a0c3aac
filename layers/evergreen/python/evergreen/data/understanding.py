"""A recognised file of which every column is understood: its name, its type, how it is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from evergreen.data.declared import declared_column, declared_readings, markers_of
from evergreen.data.engine import identifier, make_room, one_value
from evergreen.data.files import LINE, DelimitedFile, ParquetFile
from evergreen.data.inference import Inferred, TextColumn, infer, misfitting_rows
from evergreen.data.parquet_columns import (
    as_declared,
    text_in_parquet,
    type_of_column,
    typed_column,
)
from evergreen.data.quarantine import NOUNS, bad_rows
from evergreen.data.readings import READINGS, cleaned, readings_for
from evergreen.data.refusal import Reason, RejectedRow, UploadRefusedError, did_you_mean, shortened
from evergreen.data.repairs import (
    RESERVED,
    FindQuarantined,
    Repair,
    is_repair,
    read_repair,
)
from evergreen.data.rules import Key, Rule
from evergreen.data.schema import ColumnSchema, Schema
from evergreen.data.sieve import Sieve
from evergreen.data.staging import ROW, Staged, stage_delimited, stage_parquet

SHOWN = 5
"""Columns that were left out, as a refusal repeats them."""


@dataclass(frozen=True)
class Understood:
    """A file of which every column is understood, ready to be read or written."""

    file: DelimitedFile | ParquetFile
    staged: Staged
    columns: tuple[Inferred, ...]
    misfitting: int
    warnings: tuple[str, ...]
    known: Schema | None = None
    repair: Repair | None = None

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

    def sieve(
        self, rules: Sequence[Rule] = (), keys: Sequence[Key] = (), others: str | None = None
    ) -> Sieve:
        """What divides its rows into good and bad, by these rules too; `others`: see Sieve."""
        numbered = isinstance(self.file, ParquetFile) and self.file.numbered
        line = identifier(LINE) if numbered else f"{ROW} + 1"
        return Sieve(self.staged, self.columns, tuple(rules), tuple(keys), line, others)

    def bad_rows(
        self,
        connection: duckdb.DuckDBPyConnection,
        sieve: Sieve | None = None,
        limit: int | None = None,
    ) -> tuple[RejectedRow, ...]:
        """The rows that were refused, each with all its reasons."""
        held = bad_rows(connection, sieve or self.sieve(), self.file, self.known, limit)
        return (*self.staged.rejected[:limit], *held)[:limit]


def understand(
    connection: duckdb.DuckDBPyConnection,
    file: DelimitedFile | ParquetFile,
    name: str,
    scratch: Path,
    *,
    known: Schema | None = None,
    required: Sequence[str] = (),
    find: FindQuarantined = lambda _: None,
) -> Understood:
    """Find the columns of a file and their types, judged by all values.

    `find` tells the quarantine that a repair belongs to. Raises UploadRefusedError.
    """
    if isinstance(file, ParquetFile):
        staged = stage_parquet(connection, file, name)
        make_room(connection, len(staged.columns))
    else:
        _refuse_missing(file.names, name, required)
        make_room(connection, len(file.names))
        staged = stage_delimited(connection, file, name, scratch, known)
    _refuse_missing(tuple(staged.columns), name, required)
    if staged.rows == 0 and not staged.rejected:
        message = f"'{name}' has a header and no rows; add rows"
        raise UploadRefusedError([Reason("no_rows", message, line=1)])
    repair = None
    if is_repair(tuple(staged.columns)):
        staged, repair = read_repair(connection, staged, name, find, scratch)
    columns, left_out = _columns(connection, file, staged, known)
    if not columns:
        why = "; ".join(left_out[:SHOWN]) or "there are only columns of the quarantine's own"
        message = f"'{name}' has no column that a table can hold: {why}"
        raise UploadRefusedError([Reason("no_columns", message, line=1)])
    if repair is None:  # of a few repaired rows, bad ones are no sign of another type
        _refuse_changed(connection, file, staged, columns, known)
    warnings = (
        *file.warnings,
        *left_out,
        *(warning for column in columns for warning in column.warnings),
    )
    misfitting = misfitting_rows(connection, staged.source, columns)
    return Understood(file, staged, columns, misfitting, warnings, known, repair)


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
        if written.casefold() in RESERVED:
            continue
        before = known.column(written) if known else None
        name = before.name if before else written
        kind = type_of_column(connection, staged.source, expression, staged.types[written], before)
        if kind is None:
            held = shortened(staged.types[written])
            left_out.append(f"column '{name}' is left out: {held} has no place in a table")
            continue
        order.append(name)
        if isinstance(file, DelimitedFile):
            readings = declared_readings(known, name, readings_for(file.delimiter))
            texts.append(TextColumn(name, expression, readings, before))
        elif written in file.loose:
            text = cleaned(expression, markers_of(known, name))
            readings = declared_readings(known, name, READINGS)
            texts.append(TextColumn(name, text, readings, before))
        elif kind == "text":
            texts.append(text_in_parquet(name, expression, before, known))
        else:
            column = ColumnSchema(name, kind)
            read = typed_column(connection, staged.source, column, expression, before)
            declared = declared_column(known, name)
            typed[name] = as_declared(connection, staged.source, read, declared)
    found = {column.name: column for column in infer(connection, staged.source, texts)} | typed
    return tuple(found[name] for name in order), tuple(left_out)


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
            number = identifier(LINE) if file.numbered else f"{ROW} + 1"
            where = f"{ROW} = {column.changed.row}"
            line: int | None = one_value(
                connection, f"SELECT {number} FROM {staged.source} WHERE {where}"
            )
        else:
            shown = bad_rows(connection, Sieve(staged, (column,)), file, known, limit=1)
            line = shown[0].line if shown else None
        found = column.changed.found
        was, instead = f"was {before.type} so far", "replace the dataset's other parts too"
        if declared_column(known, column.name).type:
            was, instead = f"is declared as {before.type}", "declare another type in project.yaml"
        reasons.append(
            Reason(
                "type_changed",
                f"column '{column.name}' {was} and is {found} here: "
                f"'{column.changed.value}' in {file.place} {line} is not {NOUNS[before.type]}; "
                f"correct the values, or {instead}",
                column.name,
                line,
                column.changed.value,
            )
        )
    if reasons:
        raise UploadRefusedError(reasons)
