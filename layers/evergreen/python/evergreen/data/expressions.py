"""SQL expressions that people write: one expression over the columns, the same at any time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import duckdb

UNSTABLE = (
    "SELECT DISTINCT function_name FROM duckdb_functions() "
    "WHERE stability IS NOT NULL AND stability <> 'CONSISTENT'"
)


def problem_of(connection: duckdb.DuckDBPyConnection, text: str) -> str | None:
    """Why `text` is no single expression, reads tables, or changes from run to run; or None.

    What passes can be put between parentheses into a query.
    """
    try:
        duckdb.SQLExpression(text)
    except duckdb.Error as error:
        return f"is not one SQL expression: {first_line(error)}"
    row = connection.execute("SELECT json_serialize_sql(?)", [f"SELECT (\n{text}\n)"]).fetchone()
    tree = json.loads(row[0]) if row else {}
    if tree.get("error"):
        return f"is not one SQL expression: {tree.get('error_message')}"
    unstable = {str(name) for (name,) in connection.execute(UNSTABLE).fetchall()}
    for node in _nodes(tree["statements"][0]["node"]["select_list"]):
        if node.get("class") == "SUBQUERY":
            return "reads a table of its own"
        function = str(node.get("function_name", "")).lower()
        if node.get("class") == "FUNCTION" and function in unstable:
            return f"calls {function}(), which answers differently each time"
    return None


def first_line(error: duckdb.Error) -> str:
    """What an error of the engine says, without its context."""
    return str(error).strip().splitlines()[0]


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Every object in a JSON tree."""
    if isinstance(tree, dict):
        yield tree
        for child in tree.values():
            yield from _nodes(child)
    elif isinstance(tree, list):
        for child in tree:
            yield from _nodes(child)
