"""What preparation steps work with: tables of the engine, and what a step makes and reports."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import TypeVar

import duckdb

from evergreen.contracts.project_file import ProjectFile
from evergreen.data.engine import identifier, one_value
from evergreen.data.parquet_columns import column_type
from evergreen.data.refusal import did_you_mean, shortened
from evergreen.features.refusal import PreparationRefusedError

T = TypeVar("T")

ROWS = "rows"
"""Tables with the rows so far are called `rows_0`, `rows_1`, …"""

ROW = "evergreen.row"
"""Hidden column: the place of a row in its dataset, so that 'first' means the same every time."""


@dataclass(frozen=True)
class JoinReport:
    """What a step found in a reference dataset: rows with and without a partner there.

    Of the unmatched rows `without_key` have no key (or no time), `not_yet` found only what
    happened or became known later, and `too_old` only what is older than declared.
    `duplicate_keys`: reference rows whose key (and time) another one has. `unusable`: reference
    rows that do not say when they happened or became known.
    """

    dataset: str
    matched: int
    unmatched: int
    duplicate_keys: int
    step: int = 0
    kind: str = "join"
    without_key: int = 0
    not_yet: int = 0
    too_old: int = 0
    unusable: int = 0


@dataclass(frozen=True)
class StepReport:
    """How many rows a step was given, and how many it left."""

    step: int
    kind: str
    before: int
    after: int


@dataclass(frozen=True)
class Table:
    """A table of the engine with its visible columns, in order, and their DuckDB types."""

    name: str
    columns: Mapping[str, str]

    @staticmethod
    def of(connection: duckdb.DuckDBPyConnection, name: str) -> Table:
        """Look a table or view up."""
        described = connection.execute(f"DESCRIBE {identifier(name)}").fetchall()
        columns = {str(column): str(kind) for column, kind, *_ in described}
        return Table(name, {each: kind for each, kind in columns.items() if each != ROW})

    def require(self, names: Iterable[str], what: str = "there") -> None:
        """Raise PreparationRefusedError for a column that is not in the table."""
        for name in names:
            if name not in self.columns:
                raise PreparationRefusedError(
                    f"column '{name}' is not {what}; {did_you_mean(name, list(self.columns))}",
                    column=name,
                )


@dataclass(frozen=True)
class Change:
    """What a step does: the query that gives the new rows, and what it has to report.

    `expression` is the SQL of the project file in it, and `column` what it computes, for errors.
    `groups`: the new rows are groups of the old ones, so that none is lost. `probe`: from SQL for
    some rows to a query that fails where the step does, to find the row that is to blame.
    """

    query: str
    join: JoinReport | None = None
    notes: tuple[str, ...] = ()
    expression: str | None = None
    column: str | None = None
    groups: bool = False
    probe: Callable[[str], str] | None = None


STEPS_SECONDS = 600
"""What all steps of a project may take; the function has 900."""


@dataclass(frozen=True)
class Workbench:
    """What steps work with: the engine, the project, and the reference tables by dataset."""

    connection: duckdb.DuckDBPyConnection
    project: ProjectFile
    references: Mapping[str, Table]
    numbers: Iterator[int] = field(default_factory=count)
    until: float = field(default_factory=lambda: time.monotonic() + STEPS_SECONDS)
    """When the time of all steps is over, by the monotonic clock."""

    @property
    def seconds_left(self) -> float:
        """For the steps that were not run yet."""
        return max(0.0, self.until - time.monotonic())

    def reference(self, dataset: str) -> Table:
        """The table of a reference dataset; raises PreparationRefusedError."""
        if dataset not in self.references:
            raise PreparationRefusedError(f"dataset '{dataset}' has no data")
        return self.references[dataset]

    def rows(self, table: Table) -> int:
        """How many rows a table has."""
        return one_value(self.connection, f"SELECT count(*) FROM {identifier(table.name)}")

    def example(self, table: Table, column: str) -> str | None:
        """The first value that a column has, for errors."""
        value = identifier(column)
        row = self.connection.execute(
            f"SELECT CAST({value} AS VARCHAR) FROM {identifier(table.name)} "
            f"WHERE {value} IS NOT NULL ORDER BY {identifier(ROW)} LIMIT 1"
        ).fetchone()
        return shortened(str(row[0])) if row else None


def declared(value: T | None) -> T:
    """The value of the step's key: the project file has checked that it is there."""
    if value is None:
        raise PreparationRefusedError("the step has no value; give it one or remove it")
    return value


def listed(names: Iterable[str]) -> str:
    """Columns of the rows for a SELECT, with the hidden one."""
    return ", ".join(identifier(name) for name in (*names, ROW))


def family(sql_type: str) -> str:
    """Types whose values can be compared with each other."""
    kind = column_type(sql_type)
    if kind in {"number", "integer", "boolean"}:
        return "a number"
    if kind in {"date", "timestamp"}:
        return "a time"
    return "text" if kind == "text" else sql_type


def moment(table: Table, column: str, what: str) -> str:
    """SQL for a column as what orders events: a timestamp, or a number.

    Raises PreparationRefusedError for a column that is neither.
    """
    table.require([column], what)
    kind = family(table.columns[column])
    if kind == "a time":
        return f"CAST({identifier(column)} AS TIMESTAMP)"
    if kind == "a number" and column_type(table.columns[column]) != "boolean":
        return identifier(column)
    raise PreparationRefusedError(
        f"column '{column}' is {table.columns[column]} and cannot say when something happened; "
        f"derive a time of it first, for example strptime({column}, '%d.%m.%Y')",
        column=column,
    )


def require_same_kind(pairs: Iterable[tuple[Table, str, Table, str, str]]) -> None:
    """Refuse columns that can never be equal: (rows, column, reference, column, its dataset)."""
    for table, left, reference, right, dataset in pairs:
        kinds = family(table.columns[left]), family(reference.columns[right])
        if kinds[0] != kinds[1]:
            raise PreparationRefusedError(
                f"column '{left}' is {kinds[0]} and '{right}' of dataset '{dataset}' is "
                f"{kinds[1]}, so that no rows can match; derive a key of the same type first",
                column=left,
            )


def require_free(table: Table, names: Iterable[str]) -> None:
    """Refuse names for new columns that are taken, whatever their case, or used twice."""
    taken = {name.casefold() for name in table.columns}
    for name in names:
        if name.casefold() in taken:
            raise PreparationRefusedError(
                f"there is a column '{name}' already; choose another name", column=name
            )
        taken.add(name.casefold())


def interval(duration: timedelta) -> str:
    """A duration as SQL writes it."""
    return f"to_microseconds({duration // timedelta(microseconds=1)})"


def require_times(is_time: bool, within: timedelta | None, column: str) -> None:  # noqa: FBT001
    """Refuse a duration over a column of numbers: nobody said in which unit they are."""
    if within is not None and not is_time:
        raise PreparationRefusedError(
            f"'within' is a duration, but '{column}' holds numbers; derive a time of it first",
            column=column,
        )
