"""The declared preparation steps, as one table: a new kind joins by being listed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import TypeVar

import duckdb

from evergreen.contracts.project_file import Join, ProjectFile, Step
from evergreen.data.engine import identifier, one_value
from evergreen.data.parquet_columns import column_type
from evergreen.data.refusal import did_you_mean
from evergreen.features.expressions import check_expression, explained
from evergreen.features.offline_aggregates import Source, aggregates_query
from evergreen.features.refusal import PreparationRefusedError

T = TypeVar("T")

ROWS = "rows"
"""Tables with the rows so far are called `rows_0`, `rows_1`, …"""

ROW = "evergreen.row"
"""Hidden column: the place of a row in its dataset, so that 'first' means the same every time."""


@dataclass(frozen=True)
class JoinReport:
    """What a join found: rows with and without a partner, reference rows whose key was taken."""

    dataset: str
    matched: int
    unmatched: int
    duplicate_keys: int


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
    """

    query: str
    join: JoinReport | None = None
    notes: tuple[str, ...] = ()
    expression: str | None = None
    column: str | None = None


@dataclass(frozen=True)
class Workbench:
    """What steps work with: the engine, the project, and the reference tables by dataset."""

    connection: duckdb.DuckDBPyConnection
    project: ProjectFile
    references: Mapping[str, Table]
    numbers: Iterator[int] = field(default_factory=count)


@dataclass
class Prepared:
    """Rows after all steps, and what the steps reported."""

    table: Table
    joins: list[JoinReport] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def run_steps(bench: Workbench, table: Table) -> Prepared:
    """Run the project's steps one after the other; raises PreparationRefusedError."""
    done = Prepared(table)
    for number, declared in enumerate(bench.project.preparation.steps, start=1):
        for step in _single(declared):
            try:
                _run(bench, done, step, number)
            except PreparationRefusedError as error:
                raise error.at(number, step.kind) from error
    return done


def _single(step: Step) -> list[Step]:
    """A step that adds several columns or features as several, so that errors say which."""
    if step.features is not None:
        return [Step(features=[name]) for name in step.features]
    if step.derive is None:
        return [step]
    return [Step(derive={name: expression}) for name, expression in step.derive.items()]


def _run(bench: Workbench, done: Prepared, step: Step, number: int) -> None:
    """Replace the rows by what the step makes of them."""
    old, new = done.table.name, f"{ROWS}_{next(bench.numbers)}"
    before = _rows(bench, done.table)
    change = STEPS[step.kind](bench, done.table, step)
    try:
        bench.connection.execute(f"CREATE TEMP TABLE {identifier(new)} AS {change.query}")
    except duckdb.Error as error:
        columns = list(done.table.columns)
        raise explained(error, change.expression or step.kind, columns, change.column) from error
    bench.connection.execute(f"DROP TABLE {identifier(old)}")
    done.table = Table.of(bench.connection, new)
    left = before - _rows(bench, done.table)
    if change.join:
        done.joins.append(change.join)
    said = f"step {number} ({step.kind}):"
    done.notes += [f"{said} {note}" for note in change.notes]
    if left:
        done.notes.append(f"{said} {left:,} of {before:,} rows are left out")
    if left == before:
        raise PreparationRefusedError("no row is left after it; look at its condition")


def _rows(bench: Workbench, table: Table) -> int:
    return one_value(bench.connection, f"SELECT count(*) FROM {identifier(table.name)}")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(identifier(name) for name in (*names, ROW))


def _join(bench: Workbench, table: Table, step: Step) -> Change:
    """Add columns of a reference dataset by equal keys, one partner per row at the most."""
    join = _declared(step.join)
    reference = bench.references.get(join.dataset)
    if reference is None:
        raise PreparationRefusedError(f"dataset '{join.dataset}' has no data")
    table.require(join.keys, "among the rows' columns")
    reference.require(join.keys.values(), f"in dataset '{join.dataset}'")
    _require_same_types(table, reference, join)
    names, notes = _new_names(table, reference, join)
    keys = [identifier(name) for name in join.keys.values()]
    source = identifier(reference.name)
    unique = (
        f"SELECT * FROM {source} "
        f"QUALIFY row_number() OVER (PARTITION BY {', '.join(keys)} ORDER BY {identifier(ROW)}) = 1"
    )
    equal = " AND ".join(
        f"rows.{identifier(left)} = reference.{identifier(right)}"
        for left, right in join.keys.items()
    )
    added = "".join(
        f", reference.{identifier(column)} AS {identifier(name)}" for column, name in names.items()
    )
    report = _join_report(bench, table, reference, join, equal)
    query = (
        f"SELECT rows.*{added} FROM {identifier(table.name)} AS rows "
        f"LEFT JOIN ({unique}) AS reference ON {equal}"
    )
    return Change(query, report, tuple(notes))


def _join_report(
    bench: Workbench, table: Table, reference: Table, join: Join, equal: str
) -> JoinReport:
    keys = [identifier(name) for name in join.keys.values()]
    whole = " AND ".join(f"{key} IS NOT NULL" for key in keys)
    duplicates = one_value(
        bench.connection,
        f"SELECT count(*) - count(DISTINCT ({', '.join(keys)},)) "
        f"FROM {identifier(reference.name)} WHERE {whole}",
    )
    rows = _rows(bench, table)
    matched = one_value(
        bench.connection,
        f"SELECT count(*) FROM {identifier(table.name)} AS rows "
        f"SEMI JOIN {identifier(reference.name)} AS reference ON {equal}",
    )
    return JoinReport(join.dataset, matched, rows - matched, duplicates)


def _require_same_types(table: Table, reference: Table, join: Join) -> None:
    for left, right in join.keys.items():
        kinds = _family(table.columns[left]), _family(reference.columns[right])
        if kinds[0] != kinds[1]:
            raise PreparationRefusedError(
                f"column '{left}' is {kinds[0]} and '{right}' of dataset '{join.dataset}' is "
                f"{kinds[1]}, so that no rows can match; derive a key of the same type first",
                column=left,
            )


def _family(sql_type: str) -> str:
    """Types whose values can be compared with each other."""
    kind = column_type(sql_type)
    if kind in {"number", "integer", "boolean"}:
        return "a number"
    if kind in {"date", "timestamp"}:
        return "a time"
    return "text" if kind == "text" else sql_type


def _new_names(table: Table, reference: Table, join: Join) -> tuple[dict[str, str], list[str]]:
    """Column of the reference → its name among the rows; a taken name gets the dataset's."""
    wanted = join.columns
    if wanted is None:
        wanted = [name for name in reference.columns if name not in join.keys.values()]
    reference.require(wanted, f"in dataset '{join.dataset}'")
    taken = {name.casefold() for name in table.columns}
    names: dict[str, str] = {}
    notes = []
    for column in wanted:
        name = join.prefix + column
        if name.casefold() in taken:
            name = f"{join.dataset}_{name}"
            notes.append(f"'{column}' of dataset '{join.dataset}' is called '{name}'")
        if name.casefold() in taken:
            raise PreparationRefusedError(
                f"there is a column '{name}' already; give the join a prefix", column=name
            )
        taken.add(name.casefold())
        names[column] = name
    return names, notes


def _derive(bench: Workbench, table: Table, step: Step) -> Change:
    """Add a column, or replace it, computed from those before it."""
    ((name, expression),) = _declared(step.derive).items()
    check_expression(bench.connection, expression)
    computed = f"(\n{expression}\n) AS {identifier(name)}"
    columns = f"* REPLACE ({computed})" if name in table.columns else f"*, {computed}"
    query = f"SELECT {columns} FROM {identifier(table.name)}"
    return Change(query, expression=expression, column=name)


def _filter(bench: Workbench, table: Table, step: Step) -> Change:
    """Keep the rows for which the condition is true; unknown is not true."""
    expression = _declared(step.filter)
    check_expression(bench.connection, expression)
    query = f"SELECT * FROM {identifier(table.name)} WHERE (\n{expression}\n)"
    return Change(query, expression=expression)


def _drop(_bench: Workbench, table: Table, step: Step) -> Change:
    """Leave columns out."""
    dropped = _declared(step.drop)
    table.require(dropped)
    kept = [name for name in table.columns if name not in dropped]
    return Change(f"SELECT {_listed(kept)} FROM {identifier(table.name)}")


def _keep(bench: Workbench, table: Table, step: Step) -> Change:
    """Leave all other columns out, except target, time and group."""
    wanted = _declared(step.keep)
    table.require(wanted)
    declared = bench.project.preparation
    always = (bench.project.target, declared.time, declared.group)
    kept = [name for name in table.columns if name in wanted or name in always]
    return Change(f"SELECT {_listed(kept)} FROM {identifier(table.name)}")


def _deduplicate(_bench: Workbench, table: Table, step: Step) -> Change:
    """Keep the first of the rows that are equal in some columns, or in all."""
    named = _declared(step.deduplicate)
    columns = list(table.columns) if named == "rows" else list(named)
    table.require(columns)
    keys = ", ".join(identifier(name) for name in columns)
    return Change(
        f"SELECT * FROM {identifier(table.name)} "
        f"QUALIFY row_number() OVER (PARTITION BY {keys} ORDER BY {identifier(ROW)}) = 1"
    )


def _features(bench: Workbench, table: Table, step: Step) -> Change:
    """Add the aggregates of one feature, as of each row's own time."""
    (name,) = _declared(step.features)
    definition = next(each for each in bench.project.learned_features if each.name == name)
    events = bench.references.get(definition.dataset)
    if events is None:
        raise PreparationRefusedError(f"dataset '{definition.dataset}' has no data")
    query, notes = aggregates_query(
        bench.connection,
        definition,
        Source(table.name, table.columns),
        Source(events.name, events.columns),
        ROW,
    )
    return Change(query, notes=notes)


def _declared(value: T | None) -> T:
    """The value of the step's key: the project file has checked that it is there."""
    if value is None:
        raise PreparationRefusedError("the step has no value; give it one or remove it")
    return value


STEPS: Mapping[str, Callable[[Workbench, Table, Step], Change]] = {
    "join": _join,
    "derive": _derive,
    "filter": _filter,
    "drop": _drop,
    "keep": _keep,
    "deduplicate": _deduplicate,
    "features": _features,
}
