"""The rows that no search and no fit may see: which, and in words why those."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import duckdb
import numpy as np
from numpy.typing import NDArray

from evergreen.contracts.project_file import Preparation
from evergreen.data.engine import identifier
from evergreen.data.parquet_columns import column_type
from evergreen.features.columnar import Columnar, fetch_column, fetch_numbers
from evergreen.features.components import components, pairs_of_equal
from evergreen.features.duplicates import Duplicates, find_duplicates
from evergreen.features.feedback import HAPPENED_AT
from evergreen.features.media_likeness import GRIDS
from evergreen.features.refusal import PreparationRefusedError
from evergreen.features.split import drawn, newest, strata_of
from evergreen.features.workbench import ROW, Table


@dataclass(frozen=True)
class Together:
    """Rows that say the same and are kept on one side: how many, in how many units.

    `left_out`: rows of the holdout that repeat an older row, and are neither learned from nor
    judged by.
    """

    rows: int
    units: int
    largest: int
    left_out: int = 0

    @staticmethod
    def of(units: NDArray[np.int64], left_out: int = 0) -> Together:
        """Count units of two and more rows."""
        sizes = np.bincount(units, minlength=1)
        several = sizes[sizes > 1]
        largest = int(several.max()) if several.size else 0
        return Together(int(several.sum()), int(several.size), largest, left_out)


@dataclass(frozen=True)
class Holdout:
    """How rows are divided.

    `held`: bool (rows,). `kept`: bool (rows,), False for rows that are neither learned from nor
    judged by. `groups`: int64 (rows,) or empty. `ordered`: rows are in time order.
    """

    held: NDArray[np.bool_]
    kept: NDArray[np.bool_]
    groups: NDArray[np.int64]
    ordered: bool
    by: Literal["time", "group", "random"]
    sentence: str
    together: Together
    notes: tuple[str, ...] = ()


def hold_out(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    declared: Preparation,
    target: NDArray[np.float64] | NDArray[np.int64],
    encoded: Columnar,
    seed: int,
) -> Holdout:
    """Hold out the newest rows where there is a time, whole groups, or a stratified draw.

    `table` is in time order where there is a time; `target` as in TrainingSet. Rows that are
    copies of each other are never divided, whatever divides them.
    """
    alike = find_duplicates(encoded, _grids(connection, table))
    groups = _groups(connection, table, declared.group or None)
    notes = alike.notes
    if declared.time:
        held = newest(_times(connection, table, declared.time), declared.holdout)
        if held is not None:
            first = _first_time(connection, table, declared.time, int(np.argmax(held)))
            said = f"by time: the newest {_share(held)}, from {first} on, are held out"
            return _by_time(held, alike, groups, said)
        notes += (f"all rows have the same '{declared.time}', so that time cannot divide them",)
    if groups.size:
        units = _joined(groups, alike.units)
        none = np.zeros(len(groups), dtype=np.int64)
        held = drawn(units, none, declared.holdout, seed, groups)
        out = len(np.unique(groups[held]))
        said = (
            f"by group: {out:,} of {len(np.unique(groups)):,} values of '{declared.group}', with "
            f"{_share(held)}, are held out"
        )
        by: Literal["group", "random"] = "group"
    else:
        units, by = alike.units, "random"
        held = drawn(units, strata_of(target), declared.holdout, seed, alike.equal)
        within = "classes" if target.dtype == np.int64 else "tenths of the target"
        said = f"at random within {within}, equal rows together: {_share(held)} are held out"
    together = Together.of(alike.units)
    if together.rows:
        copies = (
            f"{together.rows:,} rows are equal to another or nearly a copy of it, in "
            f"{together.units:,} sets, the largest of {together.largest:,}: each stays on one side"
        )
        notes += (copies,)
    every = np.ones(len(held), dtype=bool)
    return Holdout(held, every, _numbered(units), False, by, said, together, notes)  # noqa: FBT003


def _by_time(
    held: NDArray[np.bool_], alike: Duplicates, groups: NDArray[np.uint64], said: str
) -> Holdout:
    """The newest rows but for copies of older ones, which only show what a model remembers.

    Rows that are equal by chance, because they have few columns of few values, are no copies: the
    future repeats them too.
    """
    repeated = held & np.isin(alike.copies, alike.copies[~held])
    notes = alike.notes
    if (repeated == held).all():
        repeated[:] = False
        notes += ("all rows that are held out repeat older ones: the holdout tells little",)
    together = Together.of(alike.copies, int(repeated.sum()))
    if together.rows:
        copies = (
            f"{together.rows:,} rows are copies of another, exactly or nearly; "
            f"{together.left_out:,} that are held out repeat an older row and are left out"
        )
        notes += (copies,)
    units = _numbered(_joined(groups, alike.copies))
    return Holdout(
        held,
        ~repeated,
        units,
        ordered=True,
        by="time",
        sentence=said,
        together=together,
        notes=notes,
    )


def _joined(groups: NDArray[np.uint64], units: NDArray[np.int64]) -> NDArray[np.int64]:
    """Units of rows that share a group, or a unit, or are connected by both."""
    if not groups.size:
        return units
    pairs = np.concatenate([pairs_of_equal(groups), pairs_of_equal(units.astype(np.uint64))])
    return components(len(units), pairs)


def time_of(table: Table, name: str, hidden: bool) -> str:  # noqa: FBT001
    """SQL for the time that orders rows; a prediction without one happened when it was asked.

    `hidden`: the table holds labelled predictions. Raises PreparationRefusedError.
    """
    table.require([name], "among the prepared columns, and it is the time")
    kind = column_type(table.columns[name])
    if kind in {"date", "timestamp"}:
        time = f"CAST({identifier(name)} AS TIMESTAMP)"
        return f"coalesce({time}, {identifier(HAPPENED_AT)})" if hidden else time
    if kind in {"number", "integer"}:
        return identifier(name)
    raise PreparationRefusedError(
        f"the time '{name}' is {table.columns[name]}; derive a date, a time or a number from it",
        column=name,
    )


TIME = "evergreen.time"
"""Hidden column of the ordered table: the time that its rows are ordered by."""


def _times(connection: duckdb.DuckDBPyConnection, table: Table, name: str) -> NDArray[np.float64]:
    """Times as numbers, those without one before all others."""
    kind = column_type(table.columns[name])
    value = identifier(TIME)
    number = f"epoch_us({value})" if kind in {"date", "timestamp"} else value
    times = fetch_column(connection, table.name, number)
    return np.where(np.isnan(times), -np.inf, times)


def _first_time(connection: duckdb.DuckDBPyConnection, table: Table, name: str, place: int) -> str:
    row = connection.execute(
        f"SELECT CAST({identifier(TIME)} AS VARCHAR) FROM {identifier(table.name)} "
        f"LIMIT 1 OFFSET {place}"
    ).fetchone()
    return f"'{name}' {row[0] if row else ''}"


def _grids(
    connection: duckdb.DuckDBPyConnection, table: Table
) -> list[tuple[NDArray[np.float32], bool]]:
    """The levels that ingestion took of pictures and recordings, where steps have left them."""
    kinds = {name: column_type(sql_type) for name, sql_type in table.columns.items()}
    return [
        (fetch_numbers(connection, table.name, names), mirrored)
        for names, mirrored in GRIDS
        if all(kinds.get(name) in {"number", "integer"} for name in names)
    ]


def _groups(
    connection: duckdb.DuckDBPyConnection, table: Table, name: str | None
) -> NDArray[np.uint64]:
    """A hash of each row's group; a row without one is a group of its own."""
    if name is None:
        return np.empty(0, dtype=np.uint64)
    table.require([name], "among the prepared columns, and it is the group")
    text = f"coalesce('g' || CAST({identifier(name)} AS VARCHAR), 'r' || {identifier(ROW)})"
    fetched = connection.execute(
        f"SELECT md5_number_lower({text}) AS g FROM {identifier(table.name)}"
    ).fetchnumpy()
    return np.asarray(fetched["g"], dtype=np.uint64)


def _numbered(units: NDArray[np.int64]) -> NDArray[np.int64]:
    """Numbers of units, or nothing where each row is one."""
    names, numbers = np.unique(units, return_inverse=True)
    return numbers.astype(np.int64) if len(names) < len(units) else np.empty(0, dtype=np.int64)


def _share(held: NDArray[np.bool_]) -> str:
    return f"{held.sum():,} of {len(held):,} rows ({held.mean():.0%})"
