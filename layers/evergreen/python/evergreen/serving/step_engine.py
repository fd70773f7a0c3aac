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


class StepEngine:
    """One connection with the reference tables of one model; not for several threads at once."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._statements: dict[str, duckdb.Statement] = {}

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
            made, types_made = self._execute(query, types, rows, columns)
        except (duckdb.FatalException, duckdb.InternalException):
            raise  # the engine's own fault, not that of a row
        except duckdb.Error as error:
            raise self._blamed(query, types, rows, columns, error) from error
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
                for each, column in zip(_matched(query), made[second:], strict=True)
            },
            types=types_made,
        )

    def _execute(
        self,
        query: Query,
        types: Mapping[str, str],
        rows: Sequence[Mapping[str, Any]],
        columns: Mapping[str, Column],
    ) -> tuple[Sequence[Sequence[Any]], Mapping[str, str]]:
        """The columns carried, finished, and found of each match; the types of those carried."""
        asked = [
            identifier(PLACE),
            *(identifier(name) for name in query.carried),
            *(_finished(name, columns.get(name)) for name in query.finished),
            *(identifier(f"{FOUND}_{each.step}") for each in _matched(query)),
        ]
        sql = f"SELECT {', '.join(asked)} FROM ({_chain(query, types)})"
        values = [
            list(range(len(rows))),
            *([row.get(name) for row in rows] for name in query.reads),
        ]
        result = self._connection.execute(self._statement(sql), values)
        # Asked for only where it is needed: the engine takes long to describe a result.
        described = (result.description or ())[1:] if query.carried else ()
        # Sorted here: with an order, the engine plans a fifth longer.
        _, *made = zip(*sorted(result.fetchall(), key=itemgetter(0)), strict=True)
        carried = zip(query.carried, described, strict=False)
        return made, {name: str(kind) for name, (_, kind, *_) in carried}

    def _statement(self, sql: str) -> duckdb.Statement:
        """The parsed statement; the last few are kept."""
        if sql not in self._statements:
            (parsed,) = self._connection.extract_statements(sql)
            while len(self._statements) >= STATEMENTS_KEPT:
                del self._statements[next(iter(self._statements))]
            self._statements[sql] = parsed
        return self._statements[sql]

    def _blamed(
        self,
        query: Query,
        types: Mapping[str, str],
        rows: Sequence[Mapping[str, Any]],
        columns: Mapping[str, Column],
        error: duckdb.Error,
    ) -> Exception:
        """The first row and the first action that fail alone; the error itself if none does."""

        def failure(part: Query, some: Sequence[Mapping[str, Any]]) -> duckdb.Error | None:
            try:
                self._execute(part, types, some, columns)
            except duckdb.Error as problem:
                return problem
            return None

        # By halves: the caller of a thousand rows waits for the answer.
        place = bisect_left(
            range(len(rows) - 1), x=True, key=lambda last: bool(failure(query, rows[: last + 1]))
        )
        for count, action in enumerate(query.actions, start=1):
            part = replace(query, actions=query.actions[:count], carried=action.names, finished=())
            problem = failure(part, [rows[place]])
            if problem and isinstance(action, Assigned):
                return StepFailedError(place, action, first_line(problem))
            if problem:
                return problem
        return error


def _matched(query: Query) -> list[Matched]:
    return [each for each in query.actions if not isinstance(each, Assigned)]


def _chain(query: Query, types: Mapping[str, str]) -> str:
    """The actions one around the other, over the values of a request."""
    cells = [f"unnest($1::BIGINT[]) AS {identifier(PLACE)}"]
    cells += [
        f"unnest(${place}::{types[name]}[]) AS {identifier(name)}"
        for place, name in enumerate(query.reads, start=2)
    ]
    sql, there = f"SELECT {', '.join(cells)}", {*query.reads}
    for action in query.actions:
        if isinstance(action, Assigned):
            (name,) = action.names
            sql = with_column(f"({sql})", there, name, action.expression)
        else:
            sources = dict(action.sources)
            added = {name: sources[name] for name in action.names}
            first_key = action.keys[0][1]
            # A name that steps before have made is free again once it was dropped.
            taken = [name for name in added if name in there]
            rows = f"(SELECT * EXCLUDE ({_listed(taken)}) FROM ({sql}))" if taken else f"({sql})"
            added[f"{FOUND}_{action.step}"] = first_key
            sql = with_partner(rows, identifier(action.snapshot), action.keys, added)
        there |= {*action.names}
    return sql


def _listed(names: Sequence[str]) -> str:
    return ", ".join(identifier(name) for name in names)


def _is_number(columns: Mapping[str, Column], name: str) -> bool:
    return name in columns and columns[name].kind is Kind.NUMBER


def _float32_range(value: float | None) -> float | None:
    """As training encodes it in SQL, which takes the engine longer to plan than the steps."""
    if value is None:
        return None
    return max(min(value, LARGEST_NUMBER), -LARGEST_NUMBER) if value == value else LARGEST_NUMBER  # noqa: PLR0124


def _finished(name: str, column: Column | None) -> str:
    """SQL for a column as requests carry it to the model, as training rows were encoded."""
    value = identifier(name)
    if column is None:
        return value
    if column.kind is Kind.NUMBER:
        return f"CAST({value} AS DOUBLE)"
    if column.kind is Kind.MOMENT:
        # What Python has no year for has none of its parts.
        moment = f"CAST({value} AS TIMESTAMP)"
        return f"CASE WHEN year({moment}) BETWEEN 1 AND 9999 THEN {moment} END"
    text = f"CAST({value} AS VARCHAR)"
    return f"left({text}, {LONGEST_TEXT})" if column.kind is Kind.TEXT else text
