"""The aggregates of many rows as of each row's own time, in DuckDB.

The same definition as in `online_aggregates`, for a training set: no row sees an event of its own
time or later.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb

from evergreen.contracts.feature_definition import (
    Aggregate,
    Definition,
)
from evergreen.data.engine import identifier, one_value
from evergreen.data.parquet_columns import column_type
from evergreen.data.refusal import did_you_mean
from evergreen.features.online_values import LARGEST_NUMBER, LONGEST_KEY, SMALLEST_NUMBER
from evergreen.features.refusal import PreparationRefusedError

SCALE = 2.0**200
"""Turns every number that counts into a whole one, which BIGNUM adds without rounding."""


@dataclass(frozen=True)
class Source:
    """A table of the engine: its name, and its columns with their DuckDB types."""

    name: str
    columns: Mapping[str, str]

    def require(self, name: str, kinds: frozenset[str], what: str) -> None:
        """Raise PreparationRefusedError unless there is such a column of one of these kinds."""
        if name not in self.columns:
            raise PreparationRefusedError(
                f"column '{name}' is not in {what}; {did_you_mean(name, list(self.columns))}",
                column=name,
            )
        if column_type(self.columns[name]) not in kinds:
            raise PreparationRefusedError(
                f"column '{name}' of {what} is {self.columns[name]}; "
                f"{' or '.join(sorted(kinds))} is needed here",
                column=name,
            )


KEYS = frozenset({"integer", "text"})
MOMENTS = frozenset({"date", "timestamp"})
NUMBERS = frozenset({"number", "integer", "boolean"})


def aggregates_query(
    connection: duckdb.DuckDBPyConnection,
    definition: Definition,
    rows: Source,
    events: Source,
    row: str,
) -> tuple[str, tuple[str, ...]]:
    """SQL that gives all columns of `rows` and the feature's; what there is to say about it.

    `row` is a column of `rows` that numbers them (and may be hidden from its columns). Raises
    PreparationRefusedError where a column is not there or cannot be used so.
    """
    _check(definition, rows, events)
    known = _known(definition, events)
    left = one_value(connection, f"SELECT count(*) FROM {identifier(events.name)}") - one_value(
        connection,
        f"SELECT count(*) FROM {identifier(events.name)} WHERE {_counts(definition, events)}",
    )
    notes = []
    if left:
        notes.append(
            f"{definition.name}: {left:,} events of '{definition.dataset}' have no "
            f"{definition.entity}, {definition.time} or {definition.id}, or a key or number that "
            "is too large: they do not count"
        )
    places = {name: f"c{place}" for place, name in enumerate(definition.columns)}
    nothing = "".join(f", NULL AS {name}" for name in places.values())
    at = definition.at or ""
    computed = ", ".join(
        f"{_sql(each, places)} AS {identifier(each.name)}" for each in definition.aggregates
    )
    windows = ", ".join(
        f"w{over} AS (PARTITION BY e ORDER BY t RANGE BETWEEN {over} PRECEDING AND 1 PRECEDING)"
        for over in sorted({each.over for each in definition.aggregates})
    )
    added = ", ".join(f"feature.{identifier(each.name)}" for each in definition.aggregates)
    query = (
        f"SELECT rows.*, {added} FROM {identifier(rows.name)} AS rows LEFT JOIN ("
        f"SELECT * FROM (SELECT r, {computed} FROM ("
        f"SELECT e, t, n, NULL AS r{''.join(f', {name}' for name in places.values())} "
        f"FROM ({known}) UNION ALL "
        f"SELECT {_key(definition.entity)}, {_micros(at)}, NULL, {identifier(row)}{nothing} "
        f"FROM {identifier(rows.name)} "
        f"WHERE {_key(definition.entity)} IS NOT NULL AND {identifier(at)} IS NOT NULL"
        f") WINDOW {windows}) WHERE r IS NOT NULL"
        f") AS feature ON rows.{identifier(row)} = feature.r"
    )
    return query, tuple(notes)


def _check(definition: Definition, rows: Source, events: Source) -> None:
    dataset = f"dataset '{definition.dataset}'"
    events.require(definition.entity, KEYS, dataset)
    events.require(definition.id, KEYS, dataset)
    events.require(definition.time, MOMENTS, dataset)
    for name in definition.columns:
        wanted = NUMBERS if name in definition.numbers else NUMBERS | {"text"}
        events.require(name, wanted, dataset)
    rows.require(definition.entity, KEYS, "the rows")
    if definition.at is None:
        raise PreparationRefusedError(
            f"feature '{definition.name}' is joined as of each row's time; declare preparation.time"
        )
    rows.require(definition.at, MOMENTS, "the rows")
    taken = {name.casefold() for name in rows.columns}
    for each in definition.aggregates:
        if each.name.casefold() in taken:
            raise PreparationRefusedError(
                f"there is a column '{each.name}' already; call the aggregate of "
                f"'{definition.name}' otherwise",
                column=each.name,
            )


def _known(definition: Definition, events: Source) -> str:
    """SQL for the events that count, each id once; `n` orders them by time and id."""
    cells = [_cell(name, events) for name in definition.columns]
    columns = "".join(f", {cell} AS c{place}" for place, cell in enumerate(cells))
    versions = "".join(f", c{place} DESC NULLS LAST" for place in range(len(cells)))
    return (
        "SELECT *, row_number() OVER (PARTITION BY e ORDER BY t, i) AS n FROM ("
        f"SELECT {_key(definition.entity)} AS e, {_micros(definition.time)} AS t, "
        f"{_key(definition.id)} AS i{columns} FROM {identifier(events.name)} "
        f"WHERE {_counts(definition, events)} "
        f"QUALIFY row_number() OVER (PARTITION BY e, i ORDER BY t DESC{versions}) = 1)"
    )


def _counts(definition: Definition, events: Source) -> str:
    """SQL for whether an event counts: what `online_events` refuses does not."""
    there = [
        # Without one the length is unknown, which is not true either.
        f"coalesce(length({_key(definition.entity)}) <= {LONGEST_KEY}, false)",
        f"coalesce(length({_key(definition.id)}) <= {LONGEST_KEY}, false)",
        f"{identifier(definition.time)} IS NOT NULL",
    ]
    small = [
        f"coalesce(abs({identifier(name)}) <= {LARGEST_NUMBER!r}, true)"
        for name in definition.columns
        if column_type(events.columns[name]) == "number"
    ]
    return " AND ".join([*there, *small])


def _key(name: str) -> str:
    return f"nullif(trim(CAST({identifier(name)} AS VARCHAR)), '')"


def _micros(name: str) -> str:
    return f"epoch_us(CAST({identifier(name)} AS TIMESTAMP))"


def _cell(name: str, events: Source) -> str:
    """SQL for a cell as `plain_value` gives it."""
    if column_type(events.columns[name]) == "text":
        return _key(name)
    number = f"CAST({identifier(name)} AS DOUBLE)"
    # Also turns -0 into 0.
    return f"CASE WHEN abs({number}) < {SMALLEST_NUMBER!r} THEN 0 ELSE {number} END"


def _sql(wanted: Aggregate, places: Mapping[str, str]) -> str:
    window = f"OVER w{wanted.over}"
    if wanted.column is None:
        return f"count(n) {window}"
    column = places[wanted.column]
    # Through text, which is read correctly rounded; DuckDB's own cast is off by one sometimes.
    whole = f"CAST({column} * {SCALE!r} AS BIGNUM)"
    total = f"CAST(CAST(sum({whole}) {window} AS VARCHAR) AS DOUBLE) / {SCALE!r}"
    return {
        "sum": f"coalesce({total}, 0.0)",
        "mean": f"{total} / count({column}) {window}",
        "min": f"min({column}) {window}",
        "max": f"max({column}) {window}",
        "last": f"arg_max({column}, n) {window}",
        "distinct": f"count(DISTINCT {column}) {window}",
    }[wanted.function]
