"""What is required of each row, as conditions of the engine over the typed columns."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TypeVar

import duckdb

from evergreen.contracts.data_section import (
    OF_THE_FILE,
    Constraint,
    DatasetDeclaration,
    DeclaredColumn,
    Severity,
)
from evergreen.data.anomalies import Anomaly, widened
from evergreen.data.engine import identifier, literal
from evergreen.data.expressions import (
    NotSqlError,
    changing,
    first_line,
    parse_expression,
    reads_a_table,
)
from evergreen.data.observations import Observed, ObservedColumn
from evergreen.data.refusal import did_you_mean, shortened
from evergreen.data.schema import SQL_TYPES, WIDER, ColumnType

NUMBERS = ("integer", "number")
MOMENTS = ("date", "timestamp")
Bounds = Sequence[int | float | str | None]
T = TypeVar("T")

SHOWN = 5
"""Allowed values that a message repeats."""


class UncheckableError(ValueError):
    """A rule cannot be asked of these columns; the message says why."""


@dataclass(frozen=True)
class Rule:
    """One requirement of each row.

    `broken` is an SQL condition, never NULL; `value` SQL for what a reason repeats; `said`
    completes "column 'age': '140' …".
    """

    label: str
    code: str
    severity: Severity
    column: str | None
    broken: str
    value: str
    said: str


@dataclass(frozen=True)
class Key:
    """Columns whose values, together, no two rows may share; rows with a gap in them may."""

    label: str
    code: str
    severity: Severity
    columns: tuple[str, ...]

    @property
    def column(self) -> str:
        """The first of them."""
        return self.columns[0]


Made = Rule | Key | Anomaly
"""A rule or a key; or why it cannot be asked."""


@dataclass(frozen=True)
class Rules:
    """All rules of a dataset for the columns of one file, and those that it cannot be asked."""

    rows: tuple[Rule, ...]
    keys: tuple[Key, ...]
    uncheckable: tuple[Anomaly, ...]

    @property
    def judged(self) -> frozenset[tuple[str, str]]:
        """Anomalies (code, column in folded case) that a rule looks for."""
        rows = {(each.code, (each.column or "").casefold()) for each in self.rows}
        return frozenset(rows | {(each.code, each.columns[0].casefold()) for each in self.keys})


def rules_for(
    connection: duckdb.DuckDBPyConnection,
    declaration: DatasetDeclaration,
    seen: Observed,
    before: Observed | None,
) -> Rules:
    """What is declared, asked of the columns of a file."""
    made: list[Made] = []
    for each in declaration.constraints:
        if each.kind not in OF_THE_FILE:
            column = each.columns[0] if each.columns else None
            asked = partial(_of_constraint, connection, each, seen)
            made += _or_why_not(each.label, each.spelled, column, each.effect, asked)
    made += _of_columns(declaration, seen, before)
    if declaration.key:
        code, severity = "duplicate_key", declaration.severity("duplicate_key")
        key = partial(_of_key, declaration.key, severity, seen)
        made += _or_why_not(code, code, declaration.key[0], severity, key)
    return Rules(
        tuple(each for each in made if isinstance(each, Rule)),
        tuple(each for each in made if isinstance(each, Key)),
        tuple(each for each in made if isinstance(each, Anomaly)),
    )


def _or_why_not(
    label: str,
    code: str,
    column: str | None,
    severity: Severity,
    make: Callable[[], Iterable[Rule | Key]],
) -> list[Made]:
    """What is made, or that the rule of that label cannot be asked of the file's columns."""
    try:
        return list(make())
    except UncheckableError as error:
        said = f"'{label}' cannot be checked: {error}"
        effect: Severity = "warn" if severity == "warn" else "refuse"
        return [Anomaly(code, column, said, str(error), "a rule for these columns", effect, label)]


def _of_key(names: Sequence[str], severity: Severity, seen: Observed) -> Iterator[Key]:
    columns = tuple(_found(seen, name).name for name in names)
    yield Key("duplicate_key", "duplicate_key", severity, columns)


def _found(seen: Observed, name: str) -> ObservedColumn:
    """The column of that name, upper and lower case being the same."""
    column = seen.column(name)
    if column is None:
        hint = did_you_mean(name, [each.name for each in seen.columns])
        raise UncheckableError(f"the file has no column '{name}'; {hint}")
    return column


def _of_constraint(
    connection: duckdb.DuckDBPyConnection, constraint: Constraint, seen: Observed
) -> Iterator[Rule | Key]:
    label, code, severity = constraint.label, constraint.spelled, constraint.effect
    columns = [_found(seen, name) for name in constraint.columns]
    if constraint.unique is not None:
        yield Key(label, code, severity, tuple(each.name for each in columns))
        return
    if constraint.row is not None:
        broken = _row_condition(connection, constraint.row, seen)
        said = f"does not hold: {shortened(constraint.row)}"
        yield Rule(label, code, severity, None, broken, "NULL", said)
        return
    for each in columns:
        # Without a value a column has no type that a range or values could be of.
        if each.count or constraint.kind not in ("range", "among"):
            condition, said = _condition(connection, constraint, each.name, each.type)
            yield _rule(label, code, severity, each.name, condition, said)


def _rule(label: str, code: str, severity: Severity, name: str, condition: str, said: str) -> Rule:
    broken = f"coalesce({condition}, false)"
    return Rule(label, code, severity, name, broken, f"CAST({identifier(name)} AS VARCHAR)", said)


def _condition(
    connection: duckdb.DuckDBPyConnection, constraint: Constraint, name: str, kind: ColumnType
) -> tuple[str, str]:
    """When a value breaks the constraint, and how that is said."""
    value = identifier(name)
    if constraint.not_null is not None:
        return f"{value} IS NULL", "is missing"
    if constraint.range is not None:
        return _beyond(name, kind, constraint.range)
    if constraint.among is not None:
        return _not_among(name, kind, constraint.among)
    text = f"CAST({value} AS VARCHAR)"
    if constraint.matches is not None:
        _try(connection, f"SELECT regexp_full_match('', {literal(constraint.matches)})")
        said = f"does not match {shortened(constraint.matches)}"
        return f"NOT regexp_full_match({text}, {literal(constraint.matches)})", said
    least, greatest = constraint.length or [None, None]
    ends = [] if least is None else [f"length({text}) < {least}"]
    ends += [] if greatest is None else [f"length({text}) > {greatest}"]
    return " OR ".join(ends) or "false", f"is not {_interval(least, greatest)} characters long"


def _beyond(name: str, kind: ColumnType, bounds: Bounds) -> tuple[str, str]:
    value = identifier(name)
    least, greatest = (None if each is None else _bound(each, name, kind) for each in bounds)
    ends = [] if least is None else [f"{value} < {least}"]
    ends += [] if greatest is None else [f"{value} > {greatest}"]
    return " OR ".join(ends) or "false", f"is not {_interval(*bounds)}"


def _bound(value: int | float | str, name: str, kind: ColumnType) -> str:
    if kind in NUMBERS and isinstance(value, int | float):
        return repr(value) if isinstance(value, int) else f"CAST('{value!r}' AS DOUBLE)"
    if kind in MOMENTS and isinstance(value, str):
        return _moment(value)
    raise UncheckableError(f"column '{name}' is {kind}, and '{value}' is none")


def _moment(value: str) -> str:
    if not _is_moment(value):
        raise UncheckableError(f"'{value}' is no ISO date or time")
    return f"CAST(CAST({literal(value)} AS TIMESTAMPTZ) AS TIMESTAMP)"


def _is_moment(value: str) -> bool:
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def _not_among(name: str, kind: ColumnType, values: Sequence[str]) -> tuple[str, str]:
    """Of the values, those count that the column could hold."""
    more = f" and {len(values) - SHOWN} more" if len(values) > SHOWN else ""
    listed = f"none of {', '.join(shortened(each) for each in values[:SHOWN])}{more}"
    text = f"CAST({identifier(name)} AS VARCHAR)"
    allowed = [literal(each) for each in values]
    if kind in NUMBERS:
        text = f"CAST({identifier(name)} AS DOUBLE)"
        allowed = [repr(number) for each in values if (number := _number(each)) is not None]
    elif kind in MOMENTS:
        text = identifier(name)
        allowed = [_moment(each) for each in values if _is_moment(each)]
    if not allowed:
        raise UncheckableError(f"column '{name}' is {kind}, and {listed} is")
    return f"{text} NOT IN ({', '.join(allowed)})", f"is {listed}"


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _row_condition(connection: duckdb.DuckDBPyConnection, text: str, seen: Observed) -> str:
    try:
        tree = parse_expression(connection, text)
    except NotSqlError as error:
        raise UncheckableError(f"it {error}") from error
    if reads_a_table(tree):
        raise UncheckableError("it reads a table of its own")
    unstable = changing(connection, tree)
    if unstable:
        raise UncheckableError(f"it calls {unstable}, which answers differently each time")
    empty = ", ".join(
        f"CAST(NULL AS {SQL_TYPES[each.type]}) AS {identifier(each.name)}" for each in seen.columns
    )
    _try(connection, f"SELECT CAST((\n{text}\n) AS BOOLEAN) FROM (SELECT {empty})")
    return f"coalesce(NOT CAST((\n{text}\n) AS BOOLEAN), false)"


def _try(connection: duckdb.DuckDBPyConnection, query: str) -> None:
    try:
        connection.execute(query).fetchall()
    except duckdb.Error as error:
        raise UncheckableError(first_line(error)) from error


def _interval(least: object, greatest: object) -> str:
    if least is None or greatest is None:
        return f"at most {greatest}" if least is None else f"at least {least}"
    return f"within {least} to {greatest}"


def _of_columns(
    declaration: DatasetDeclaration, seen: Observed, before: Observed | None
) -> Iterator[Made]:
    """Declared ranges and categories; observed ones too where they decide on single rows."""
    for column in seen.columns:
        declared = declaration.column(column.name) or DeclaredColumn()
        known = before.column(column.name) if before else None
        if known and not _comparable(known.type, column.type):
            known = None
        severity = declaration.severity("out_of_range")
        bounds: Bounds | None = declared.range
        if bounds is None and known and severity == "quarantine" and known.minimum is not None:
            bounds = None if known.surely_unique else widened(known)
        if bounds is not None:
            yield from _of_column("out_of_range", severity, column, _beyond, bounds)
        severity = declaration.severity("new_category")
        values: Sequence[str] | None = declared.categories
        if values is None and known and severity == "quarantine":
            values = known.categories
        if values is not None:
            yield from _of_column("new_category", severity, column, _not_among, values)


def _comparable(one: ColumnType, other: ColumnType) -> bool:
    return one == other or frozenset({one, other}) in WIDER


def _of_column(
    code: str,
    severity: Severity,
    column: ObservedColumn,
    condition: Callable[[str, ColumnType, T], tuple[str, str]],
    wanted: T,
) -> list[Made]:
    """The rule for one column; without a value it has no type that `wanted` could be of."""
    label = f"{code}:{column.name}"

    def made() -> Iterator[Rule]:
        broken, said = condition(column.name, column.type, wanted)
        yield _rule(label, code, severity, column.name, broken, said)

    return _or_why_not(label, code, column.name, severity, made) if column.count else []
