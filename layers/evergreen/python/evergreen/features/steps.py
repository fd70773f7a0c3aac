"""The declared preparation steps, as one table: a new kind joins by being listed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import duckdb

from evergreen.contracts.preparation_steps import Step
from evergreen.data.engine import identifier, one_value
from evergreen.data.time_limit import OutOfTimeError, at_most
from evergreen.features.expressions import columns_in, explained
from evergreen.features.failing_row import failing_row, values_at
from evergreen.features.refusal import PreparationRefusedError
from evergreen.features.step_kinds.aggregates import aggregate
from evergreen.features.step_kinds.columns import derive, drop, keep
from evergreen.features.step_kinds.dates import dates
from evergreen.features.step_kinds.joins import join
from evergreen.features.step_kinds.online import features
from evergreen.features.step_kinds.rows import deduplicate, filter_rows
from evergreen.features.step_kinds.sql import sql
from evergreen.features.step_kinds.values import clip, fill
from evergreen.features.step_kinds.windows import window
from evergreen.features.workbench import (
    ROW,
    ROWS,
    STEPS_SECONDS,
    Change,
    JoinReport,
    StepReport,
    Table,
    Workbench,
)

__all__ = ["ROW", "ROWS", "STEPS", "JoinReport", "StepReport", "Table", "Workbench", "run_steps"]

STEPS: Mapping[str, Callable[[Workbench, Table, Step], Change]] = {
    "join": join,
    "derive": derive,
    "filter": filter_rows,
    "drop": drop,
    "keep": keep,
    "deduplicate": deduplicate,
    "fill": fill,
    "clip": clip,
    "aggregate": aggregate,
    "window": window,
    "dates": dates,
    "sql": sql,
    "features": features,
}

PER_COLUMN = ("derive", "fill", "clip", "dates")
"""Kinds that are declared column by column, and done so: errors then say which column."""


@dataclass
class Prepared:
    """Rows after all steps, and what the steps reported."""

    table: Table
    joins: list[JoinReport] = field(default_factory=list)
    steps: list[StepReport] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def run_steps(bench: Workbench, table: Table) -> Prepared:
    """Run the project's steps one after the other; raises PreparationRefusedError."""
    done = Prepared(table)
    for number, declared in enumerate(bench.project.preparation.steps, start=1):
        before = bench.rows(done.table)
        for step in _single(declared):
            try:
                with at_most(bench.seconds_left, bench.connection):
                    _run(bench, done, step, number)
            except OutOfTimeError as error:
                said = (
                    f"the {STEPS_SECONDS} seconds that all steps have are over; let it read fewer "
                    "rows or make fewer"
                )
                raise PreparationRefusedError(said).at(number, step.kind) from error
            except PreparationRefusedError as error:
                raise error.at(number, step.kind) from error
        done.steps.append(StepReport(number, declared.kind, before, bench.rows(done.table)))
    return done


def _single(step: Step) -> list[Step]:
    """A step that changes several columns, or adds several features, as several of one."""
    if step.features is not None:
        return [Step(features=[name]) for name in step.features]
    if step.kind not in PER_COLUMN:
        return [step]
    columns = getattr(step, step.kind)
    return [step.model_copy(update={step.kind: {name: columns[name]}}) for name in columns]


def _run(bench: Workbench, done: Prepared, step: Step, number: int) -> None:
    """Replace the rows by what the step makes of them."""
    old, new = done.table.name, f"{ROWS}_{next(bench.numbers)}"
    before = bench.rows(done.table)
    try:
        change = STEPS[step.kind](bench, done.table, step)
    except duckdb.Error as error:
        raise explained(error, step.kind, list(done.table.columns)) from error
    try:
        bench.connection.execute(f"CREATE TEMP TABLE {identifier(new)} AS {change.query}")
    except duckdb.Error as error:
        raise _located(bench, done.table, step, change, error) from error
    bench.connection.execute(f"DROP TABLE {identifier(old)}")
    done.table = Table.of(bench.connection, new)
    after = bench.rows(done.table)
    said = f"step {number} ({step.kind}):"
    done.notes += [f"{said} {note}" for note in _without_infinity(bench, done.table, step)]
    if change.join:
        done.joins.append(replace(change.join, step=number, kind=step.kind))
        done.notes += [f"{said} {note}" for note in _found(change.join)]
    done.notes += [f"{said} {note}" for note in change.notes]
    if after < before and not change.groups:
        done.notes.append(f"{said} {before - after:,} of {before:,} rows are left out")
    if after > before:
        done.notes.append(f"{said} {before:,} rows become {after:,}")
    if after == 0:
        raise PreparationRefusedError("no row is left after it; look at its condition")


def _without_infinity(bench: Workbench, table: Table, step: Step) -> list[str]:
    """Make missing what SQL of the project file computed and is no finite number.

    A division by zero gives infinity, the logarithm of -1 NaN; no request can hold either.
    """
    computed = table.columns if step.sql is not None else step.derive or ()
    floats = [name for name in computed if table.columns.get(name) in {"DOUBLE", "FLOAT"}]
    notes = []
    for name in floats:
        infinite = f"NOT isfinite({identifier(name)})"
        count = one_value(
            bench.connection, f"SELECT count(*) FROM {identifier(table.name)} WHERE {infinite}"
        )
        if count:
            bench.connection.execute(
                f"UPDATE {identifier(table.name)} SET {identifier(name)} = NULL WHERE {infinite}"
            )
            notes.append(f"{count:,} values of '{name}' are no finite numbers and count as missing")
    return notes


def _found(join: JoinReport) -> list[str]:
    """In words, how many rows found nothing in a reference dataset, and why."""
    if not join.unmatched:
        return []
    causes = [
        f"{count:,} {cause}"
        for count, cause in (
            (join.without_key, "have no key"),
            (join.not_yet, "come before anything was known"),
            (join.too_old, "found only what is too old"),
        )
        if count
    ]
    because = f" ({', '.join(causes)})" if causes else ""
    rows = join.matched + join.unmatched
    return [
        f"{join.unmatched:,} of {rows:,} rows have no partner in dataset '{join.dataset}'{because}"
    ]


def _types(table: Table, read: list[str]) -> str:
    """Which types the columns that an expression reads have."""
    known = {name.casefold(): name for name in table.columns}
    named = [known[each.casefold()] for each in read if each.casefold() in known]
    types = ", ".join(f"'{name}' is {table.columns[name]}" for name in dict.fromkeys(named))
    return f" ({types})" if types else ""


def _located(
    bench: Workbench, table: Table, step: Step, change: Change, error: duckdb.Error
) -> PreparationRefusedError:
    """The engine's error with the row at which it happens, if one row is to blame."""
    columns = list(table.columns)
    refusal = explained(error, change.expression or step.kind, columns, change.column)
    if change.probe is None or refusal.column not in (None, change.column):
        return refusal
    read = columns_in(bench.connection, change.expression) if change.expression else []
    place = failing_row(bench.connection, table, change.probe)
    if place is None:
        return refusal.saying(_types(table, read)) if "argument types" in str(error) else refusal
    values = values_at(bench.connection, table, place, read)
    shown = ", ".join(f"{name} = {value}" for name, value in values.items())
    return PreparationRefusedError(
        f"{refusal.problem} (row {place + 1:,}{': ' if shown else ''}{shown})",
        column=refusal.column,
        value=refusal.value or next(iter(values.values()), None),
        row=place + 1,
    )
