"""SQL that people write: one expression or one SELECT, and whether it is the same at any time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import duckdb

UNSTABLE = (
    "SELECT DISTINCT function_name FROM duckdb_functions() "
    "WHERE stability IS NOT NULL AND stability <> 'CONSISTENT'"
)

CLOCKS = frozenset({"current_localtime", "current_localtimestamp"})
"""Functions that the engine wrongly lists as stable; `age` of one argument is another."""

CLOCK_WORDS = frozenset(
    {"current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"}
)
"""Words that read the clock, where no column has their name."""


class NotSqlError(ValueError):
    """A text is not what was asked for; the message says why, without the text."""


def parse_expression(connection: duckdb.DuckDBPyConnection, text: str) -> list[dict[str, Any]]:
    """The syntax tree of a single expression; raises NotSqlError.

    What has one can be put between parentheses into a query.
    """
    try:
        duckdb.SQLExpression(text)
    except duckdb.Error as error:
        raise NotSqlError(f"is not one SQL expression: {first_line(error)}") from error
    tree = _parsed(connection, f"SELECT (\n{text}\n)", "one SQL expression")
    found: list[dict[str, Any]] = tree["node"]["select_list"]
    return found


def parse_select(connection: duckdb.DuckDBPyConnection, text: str) -> dict[str, Any]:
    """The syntax tree of a single SELECT; raises NotSqlError."""
    return _parsed(connection, text, "one SELECT")


def _parsed(connection: duckdb.DuckDBPyConnection, statement: str, wanted: str) -> dict[str, Any]:
    """The syntax tree of the only statement; the engine gives none but of SELECTs."""
    row = connection.execute("SELECT json_serialize_sql(?)", [statement]).fetchone()
    tree = json.loads(row[0]) if row else {}
    problem = tree.get("error_message") if tree.get("error") else None
    if problem is None and len(tree["statements"]) != 1:
        problem = f"there are {len(tree['statements'])} statements"
    if problem is not None:
        raise NotSqlError(f"is not {wanted}: {str(problem).splitlines()[0]}")
    found: dict[str, Any] = tree["statements"][0]
    return found


def reads_a_table(tree: Any) -> bool:
    """Whether an expression holds a SELECT of its own."""
    return any(node.get("class") == "SUBQUERY" for node in nodes(tree))


def changing(connection: duckdb.DuckDBPyConnection, tree: Any) -> str | None:
    """What in a syntax tree reads the clock or chance, and answers differently each time."""
    unstable = {str(name) for (name,) in connection.execute(UNSTABLE).fetchall()} | CLOCKS
    for node in nodes(tree):
        function = str(node.get("function_name", "")).lower()
        word = str((node.get("column_names") or [""])[-1]).lower()
        if node.get("class") == "FUNCTION" and (
            function in unstable or (function == "age" and len(node.get("arguments", [])) == 1)
        ):
            return f"{function}()"
        if node.get("class") == "COLUMN_REF" and word in CLOCK_WORDS:
            return word
    return None


def first_line(error: duckdb.Error) -> str:
    """What an error of the engine says, without its context."""
    return str(error).strip().splitlines()[0]


def nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Every object in a JSON tree."""
    if isinstance(tree, dict):
        yield tree
        for child in tree.values():
            yield from nodes(child)
    elif isinstance(tree, list):
        for child in tree:
            yield from nodes(child)
