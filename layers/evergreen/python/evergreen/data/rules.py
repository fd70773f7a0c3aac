"""What is required of each row, as conditions of the engine over the typed columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

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
from evergreen.data.observations import Observed
from evergreen.data.refusal import did_you_mean, shortened
from evergreen.data.schema import SQL_TYPES, ColumnType

NUMBERS = ("integer", "number")
MOMENTS = ("date", "timestamp")
Bounds = Sequence[int | float | str | None]

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
    types: Mapping[str, ColumnType],
    before: Observed | None,
) -> Rules:
    """What is declared, asked of columns with these types (their names in order)."""
    rows: list[Rule] = []
    keys: list[Key] = []
    uncheckable: list[Anomaly] = []
    for constraint in declaration.constraints:
        if constraint.kind in OF_THE_FILE:
            continue
        try:
            for made in _of_constraint(connection, constraint, types):
                (keys if isinstance(made, Key) else rows).append(made)  # type: ignore[arg-type]
        except UncheckableError as error:
            said = f"'{constraint.label}' cannot be checked: {error}"
            column = constraint.columns[0] if constraint.columns else None
            uncheckable.append(
                Anomaly(
                    constraint.spelled,
                    column,
                    said,
                    str(error),
                    "a rule for these columns",
                    "warn" if constraint.effect == "warn" else "refuse",
                    constraint.label,
                )
            )
    rows += _of_columns(declaration, types, before)
    if declaration.key and all(_found(types, name) for name in declaration.key):
        columns = tuple(name for each in declaration.key if (name := _found(types, each)))
        severity = declaration.severity("duplicate_key")
        keys.append(Key("duplicate_key", "duplicate_key", severity, columns))
    return Rules(tuple(rows), tuple(keys), tuple(uncheckable))


def _found(types: Mapping[str, ColumnType], name: str) -> str | None:
    """The column of that name, upper and lower case being the same."""
    wanted = name.casefold()
    return next((each for each in types if each.casefold() == wanted), None)


def _of_constraint(
    connection: duckdb.DuckDBPyConnection, constraint: Constraint, types: Mapping[str, ColumnType]
) -> Iterator[Rule | Key]:
    label, code, severity = constraint.label, constraint.spelled, constraint.effect
    columns = []
    for wanted in constraint.columns:
        name = _found(types, wanted)
        if name is None:
            raise UncheckableError(
                f"the file has no column '{wanted}'; {did_you_mean(wanted, tuple(types))}"
            )
        columns.append(name)
    if constraint.unique is not None:
        yield Key(label, code, severity, tuple(columns))
        return
    if constraint.row is not None:
        broken = _row_condition(connection, constraint.row, types)
        said = f"does not hold: {shortened(constraint.row)}"
        yield Rule(label, code, severity, None, broken, "NULL", said)
        return
    for name in columns:
        condition, said = _condition(connection, constraint, name, types[name])
        yield _rule(label, code, severity, name, condition, said)


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
    try:
        datetime.fromisoformat(value)
    except ValueError as error:
        raise UncheckableError(f"'{value}' is no ISO date or time") from error
    return f"CAST(CAST({literal(value)} AS TIMESTAMPTZ) AS TIMESTAMP)"


def _not_among(name: str, kind: ColumnType, values: Sequence[str]) -> tuple[str, str]:
    more = f" and {len(values) - SHOWN} more" if len(values) > SHOWN else ""
    said = f"is none of {', '.join(shortened(each) for each in values[:SHOWN])}{more}"
    column = identifier(name)
    if kind in NUMBERS:
        try:
            allowed = [repr(float(each)) for each in values]
        except ValueError as error:
            raise UncheckableError(f"column '{name}' is {kind}: {error}") from error
        return f"CAST({column} AS DOUBLE) NOT IN ({', '.join(allowed)})", said
    if kind in MOMENTS:
        return f"{column} NOT IN ({', '.join(_moment(each) for each in values)})", said
    allowed = [literal(each) for each in values]
    return f"CAST({column} AS VARCHAR) NOT IN ({', '.join(allowed)})", said


def _row_condition(
    connection: duckdb.DuckDBPyConnection, text: str, types: Mapping[str, ColumnType]
) -> str:
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
        f"CAST(NULL AS {SQL_TYPES[kind]}) AS {identifier(name)}" for name, kind in types.items()
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
    declaration: DatasetDeclaration, types: Mapping[str, ColumnType], before: Observed | None
) -> Iterator[Rule]:
    """Declared ranges and categories; observed ones too where they decide on single rows."""
    for name, kind in types.items():
        declared = declaration.column(name) or DeclaredColumn()
        known = before.column(name) if before else None
        severity = declaration.severity("out_of_range")
        bounds: Bounds | None = declared.range
        if bounds is None and known and severity == "quarantine" and known.minimum is not None:
            bounds = None if known.surely_unique else widened(known)
        if bounds is not None:
            try:
                condition, said = _beyond(name, kind, bounds)
            except UncheckableError:
                condition, said = "false", ""
            yield _rule(f"out_of_range:{name}", "out_of_range", severity, name, condition, said)
        severity = declaration.severity("new_category")
        values: Sequence[str] | None = declared.categories
        if values is None and known and severity == "quarantine":
            values = known.categories
        if values is not None:
            condition, said = _not_among(name, kind, values)
            yield _rule(f"new_category:{name}", "new_category", severity, name, condition, said)
