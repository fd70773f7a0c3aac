"""The rows that no search and no fit may see: which, and in words why those."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import numpy as np
from numpy.typing import NDArray

from evergreen.contracts.project_file import Preparation
from evergreen.data.engine import identifier
from evergreen.data.parquet_columns import column_type
from evergreen.features.columnar import Columnar, fetch_column
from evergreen.features.feedback import HAPPENED_AT
from evergreen.features.refusal import PreparationRefusedError
from evergreen.features.split import drawn, newest, row_hashes, strata_of
from evergreen.features.workbench import ROW, Table


@dataclass(frozen=True)
class Holdout:
    """`held`: bool (rows,). `groups`: int64 (rows,) or empty. `ordered`: rows are in time order."""

    held: NDArray[np.bool_]
    groups: NDArray[np.int64]
    ordered: bool
    sentence: str
    notes: tuple[str, ...] = ()


def hold_out(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    declared: Preparation,
    target: NDArray[np.float64] | NDArray[np.int64],
    encoded: Columnar,
    seed: int,
) -> Holdout:
    """Hold out the newest rows where a time is declared, whole groups, or a stratified draw.

    `table` is in time order where a time is declared; `target` as in TrainingSet.
    """
    groups = _groups(connection, table, declared.group or None)
    notes: tuple[str, ...] = ()
    if declared.time:
        held = newest(_times(connection, table, declared.time), declared.holdout)
        if held is not None:
            first = _first_time(connection, table, declared.time, int(np.argmax(held)))
            said = f"by time: the newest {_share(held)}, from {first} on, are held out"
            return Holdout(held, _numbered(groups), ordered=True, sentence=said)
        notes = (f"all rows have the same '{declared.time}', so that time cannot divide them",)
    if groups.size:
        held = drawn(groups, np.zeros(len(groups), dtype=np.int64), declared.holdout, seed)
        out = len(np.unique(groups[held]))
        said = (
            f"by group: {out:,} of {len(np.unique(groups)):,} values of '{declared.group}', with "
            f"{_share(held)}, are held out"
        )
        return Holdout(held, _numbered(groups), ordered=False, sentence=said, notes=notes)
    hashes = row_hashes(encoded.numbers, encoded.text_hashes)
    held = drawn(hashes, strata_of(target), declared.holdout, seed)
    within = "classes" if target.dtype == np.int64 else "tenths of the target"
    said = f"at random within {within}, equal rows together: {_share(held)} are held out"
    return Holdout(held, np.empty(0, dtype=np.int64), ordered=False, sentence=said, notes=notes)


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


def _numbered(groups: NDArray[np.uint64]) -> NDArray[np.int64]:
    if not groups.size:
        return np.empty(0, dtype=np.int64)
    return np.unique(groups, return_inverse=True)[1].astype(np.int64)


def _share(held: NDArray[np.bool_]) -> str:
    return f"{held.sum():,} of {len(held):,} rows ({held.mean():.0%})"
