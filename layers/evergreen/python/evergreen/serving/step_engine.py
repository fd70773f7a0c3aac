"""The engine behind a recipe: DuckDB with the SQL that preparation ran, warm and confined.

Imported only for models whose steps need it.
"""

from __future__ import annotations

import tempfile
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from pathlib import Path
from typing import Any

import duckdb

from evergreen.data.engine import connect, identifier, literal, lock
from evergreen.data.expressions import first_line
from evergreen.features.online_values import LARGEST_NUMBER
from evergreen.features.recipe import Assigned, Matched, Query, Recipe
from evergreen.features.recipe_sql import with_column, with_partner
from evergreen.features.signature import Column, Kind
from evergreen.features.text import LONGEST_TEXT
from evergreen.registry.identity import digest_of_bytes

MEMORY_LIMIT = "300MB"
"""What the steps of one model may hold, its reference tables included."""

FOUND = "evergreen.found"
PLACE = "evergreen.row"
STATEMENTS_KEPT = 64

OWN_FAULTS = (duckdb.FatalException, duckdb.InternalException)
"""Errors that are no row's. The engine does nothing after them."""

ZONED = "TIMESTAMP WITH TIME ZONE"
"""A type whose values the engine gives to Python with the help of another library alone."""


class SnapshotMismatchError(Exception):
    """A reference table that is not the one that its model was trained with."""


class StepFailedError(ValueError):
    """A step cannot be done for a row: which row (from 0), column and step, and why."""

    def __init__(self, row: int, action: Assigned, problem: str) -> None:
        self.row = row
        self.action = action
        self.problem = problem
        super().__init__(problem)


@dataclass(frozen=True)
class Results:
    """What a query gave for rows: values by column, and where a dataset had no row for the keys.

    `types`: the engine's types of the columns that are carried on.
    """

    carried: Mapping[str, Sequence[Any]]
    finished: Mapping[str, Sequence[Any]]
    unmatched: Mapping[Matched, Sequence[bool]]
    types: Mapping[str, str]


@dataclass(frozen=True)
class _Statement:
    """A parsed statement, and the engine's types of all columns that its actions leave."""

    parsed: duckdb.Statement
    types: Mapping[str, str]


class StepEngine:
    """One connection with the reference tables of one model; not for several threads at once.

    `is_broken`: a fault of its own has stopped it, and it answers nothing any more.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.is_broken = False
        self._connection = connection
        self._statements: dict[tuple[object, ...], _Statement] = {}

    @staticmethod
    def load(recipe: Recipe, snapshot: Callable[[str], bytes]) -> StepEngine:
        """Start an engine; `snapshot` gives the Parquet file of a digest.

        Raises SnapshotMismatchError. What SQL is run later can read neither files nor other
        tables.
        """
        with tempfile.TemporaryDirectory() as directory:
            connection = connect(Path(directory))
            # As for the training rows: with one thread, all is done in one order.
            connection.execute("SET threads = 1")
            connection.execute(f"SET memory_limit = '{MEMORY_LIMIT}'")
            for digest in recipe.snapshots:
                content = snapshot(digest)
                if digest_of_bytes(content) != digest:
                    raise SnapshotMismatchError(f"snapshot {digest} holds something else")
                path = Path(directory, f"{digest}.parquet")
                path.write_bytes(content)
                connection.execute(
                    f"CREATE TABLE {identifier(digest)} AS FROM read_parquet({literal(str(path))})"
                )
            lock(connection, [])
        return StepEngine(connection)

    def run(
        self,
        query: Query,
        types: Mapping[str, str],
        rows: Sequence[Mapping[str, Any]],
        columns: Mapping[str, Column],
    ) -> Results:
        """Do the query's actions for rows that hold its `reads`, which have these `types`.

        `columns` are the model's, by name: what is finished comes as they take it. Raises
        StepFailedError.
        """
        try:
            return self._run(query, types, rows, columns)
        except OWN_FAULTS:
            self.is_broken = True
            raise
        except duckdb.Error as error:
            raise self._blamed(query, types, rows, error) from error

    def _run(
        self,
        query: Query,
        types: Mapping[str, str],
        rows: Sequence[Mapping[str, Any]],
        columns: Mapping[str, Column],
    ) -> Results:
        matched = [each for each in query.actions if not isinstance(each, Assigned)]
        values = [
            list(range(len(rows))),
            *([row.get(name) for row in rows] for name in query.reads),
        ]
        statement = self._statement(query, _chain(query, types), values, columns)
        result = self._connection.execute(statement.parsed, values)
        # Sorted here: with an order, the engine plans a fifth longer.
        _, *made = zip(*sorted(result.fetchall(), key=itemgetter(0)), strict=True)
        first, second = len(query.carried), len(query.carried) + len(query.finished)
        finished = zip(query.finished, made[first:second], strict=True)
        return Results(
            carried=dict(zip(query.carried, made[:first], strict=True)),
            finished={
                name: [_float32_range(value) for value in some]
                if _is_number(columns, name)
                else some
                for name, some in finished
            },
            unmatched={
                each: [there is None for there in column]
                for each, column in zip(matched, made[second:], strict=True)
            },
            types={name: statement.types[name] for name in query.carried},
        )

    def _statement(
        self, query: Query, chain: str, values: Sequence[Any], columns: Mapping[str, Column]
    ) -> _Statement:
        """The statement that asks the `chain` of actions for what is wanted; some are kept."""
        key = (chain, query.carried, query.finished)
        if key in self._statements:
            return self._statements[key]
        # Once for a statement: the engine takes long to describe a result.
        described = self._connection.execute(f"FROM ({chain}) LIMIT 0", values).description or ()
        types = {str(name): str(kind) for name, kind, *_ in described}
        asked = [
            identifier(PLACE),
            *(_without_zone(name, types[name]) for name in query.carried),
            *(_finished(name, types[name], columns.get(name)) for name in query.finished),
            *(identifier(_found(each)) for each in query.actions if isinstance(each, Matched)),
        ]
        (parsed,) = self._connection.extract_statements(f"SELECT {', '.join(asked)} FROM ({chain})")
        while len(self._statements) >= STATEMENTS_KEPT:
            del self._statements[next(iter(self._statements))]
        self._statements[key] = _Statement(parsed, types)
        return self._statements[key]

    def _blamed(
        self,
        query: Query,
        types: Mapping[str, str],
        rows: Sequence[Mapping[str, Any]],
        error: duckdb.Error,
    ) -> Exception:
        """The first action that fails, and the first row that it fails for; else the error."""

        def failure(actions: int, count: int) -> duckdb.Error | None:
            """What the first actions fail with for the first rows."""
            done = query.actions[:actions]
            part = replace(query, actions=done, carried=done[-1].names, finished=())
            try:
                self._run(part, types, rows[:count], {})
            except OWN_FAULTS:
                self.is_broken = True
                raise
            except duckdb.Error as problem:
                return problem
            return None

        numbers = range(1, len(query.actions) + 1)
        failing = next((each for each in numbers if failure(each, len(rows))), 0)
        action = query.actions[failing - 1]
        if not failing or not isinstance(action, Assigned):
            return error
        counts = range(1, len(rows) + 1)
        place = bisect_left(counts, 1, key=lambda count: int(failure(failing, count) is not None))
        return StepFailedError(place, action, first_line(failure(failing, place + 1) or error))


def _chain(query: Query, types: Mapping[str, str]) -> str:
    """The actions one around the other, over the values of a request."""
    cells = [f"unnest($1::BIGINT[]) AS {identifier(PLACE)}"]
    cells += [
        f"unnest(${place}::{types[name]}[]) AS {identifier(name)}"
        for place, name in enumerate(query.reads, start=2)
    ]
    sql, there = f"SELECT {', '.join(cells)}", dict.fromkeys(query.reads)
    for action in query.actions:
        rows, there = _with_free_names(f"({sql})", there, action)
        if isinstance(action, Assigned):
            (name,) = action.names
            sql = with_column(rows, there, name, action.expression)
        else:
            sources = dict(action.sources)
            added = {name: sources[name] for name in action.names}
            added[_found(action)] = action.keys[0][1]
            sql = with_partner(rows, identifier(action.snapshot), action.keys, added)
        there |= dict.fromkeys(action.names)
    return sql


def _with_free_names(
    rows: str, there: dict[str, None], action: Assigned | Matched
) -> tuple[str, dict[str, None]]:
    """The rows, and their columns, without those whose names an action takes.

    They were dropped before it, whatever their case: the engine knows none. What it replaces stays.
    """
    replaced = action.names if isinstance(action, Assigned) else ()
    made = {name.casefold() for name in action.names}
    taken = [each for each in there if each.casefold() in made and each not in replaced]
    if not taken:
        return rows, there
    listed = ", ".join(identifier(name) for name in taken)
    left = {name: None for name in there if name not in taken}
    return f"(SELECT * EXCLUDE ({listed}) FROM {rows})", left


def _found(action: Matched) -> str:
    """The column that is missing where a row has no partner."""
    return f"{FOUND}_{action.step}"


def _is_number(columns: Mapping[str, Column], name: str) -> bool:
    return name in columns and columns[name].kind is Kind.NUMBER


def _float32_range(value: float | None) -> float | None:
    """As training encodes it in SQL, which takes the engine longer to plan than the steps."""
    if value is None:
        return None
    return max(min(value, LARGEST_NUMBER), -LARGEST_NUMBER) if value == value else LARGEST_NUMBER  # noqa: PLR0124


def _without_zone(name: str, sql_type: str) -> str:
    """SQL for a column as Python takes it: times with a zone as those of UTC, without one."""
    plain = sql_type.replace(ZONED, "TIMESTAMP")
    return identifier(name) if plain == sql_type else f"CAST({identifier(name)} AS {plain})"


def _finished(name: str, sql_type: str, column: Column | None) -> str:
    """SQL for a column as requests carry it to the model, as training rows were encoded."""
    value = identifier(name)
    if column is None:
        return _without_zone(name, sql_type)
    if column.kind is Kind.NUMBER:
        return f"CAST({value} AS DOUBLE)"
    if column.kind is Kind.MOMENT:
        # What Python has no year for has none of its parts.
        moment = f"CAST({value} AS TIMESTAMP)"
        return f"CASE WHEN year({moment}) BETWEEN 1 AND 9999 THEN {moment} END"
    text = f"CAST({value} AS VARCHAR)"
    return f"left({text}, {LONGEST_TEXT})" if column.kind is Kind.TEXT else text
