"""SQL expressions from project files: one expression over the columns, the same at any time."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import duckdb

from evergreen.data.refusal import did_you_mean, shortened
from evergreen.features.refusal import PreparationRefusedError

_UNKNOWN_COLUMN = re.compile(r'column "([^"]+)" not found|"([^"]+)" not found in FROM')
_BAD_VALUE = re.compile(r"(?:string|value) '([^']*)'")

UNSTABLE = (
    "SELECT DISTINCT function_name FROM duckdb_functions() "
    "WHERE stability IS NOT NULL AND stability <> 'CONSISTENT'"
)


def check_expression(connection: duckdb.DuckDBPyConnection, text: str) -> None:
    """Refuse what is no single expression, reads other tables, or changes from run to run.

    Raises PreparationRefusedError. What passes can be put between parentheses into a query.
    """
    try:
        duckdb.SQLExpression(text)
    except duckdb.Error as error:
        raise PreparationRefusedError(
            f"'{shortened(text)}' is not one SQL expression: {_first_line(error)}"
        ) from error
    row = connection.execute("SELECT json_serialize_sql(?)", [f"SELECT (\n{text}\n)"]).fetchone()
    tree = json.loads(row[0]) if row else {}
    if tree.get("error"):
        raise PreparationRefusedError(
            f"'{shortened(text)}' is not one SQL expression: {tree.get('error_message')}"
        )
    unstable = {str(name) for (name,) in connection.execute(UNSTABLE).fetchall()}
    for node in _nodes(tree["statements"][0]["node"]["select_list"]):
        if node.get("class") == "SUBQUERY":
            raise PreparationRefusedError(
                f"'{shortened(text)}' reads a table of its own; use a join step instead"
            )
        function = str(node.get("function_name", "")).lower()
        if node.get("class") == "FUNCTION" and function in unstable:
            raise PreparationRefusedError(
                f"'{shortened(text)}': {function}() answers differently each time, so that the "
                "same data would give another model; leave it out"
            )


def explained(
    error: duckdb.Error, text: str, columns: Sequence[str], column: str | None = None
) -> PreparationRefusedError:
    """What an error of the engine means for the one who wrote the expression `text`."""
    said = _first_line(error)
    unknown = _UNKNOWN_COLUMN.search(str(error))
    if unknown:
        name = unknown.group(1) or unknown.group(2)
        hint = did_you_mean(name, columns)
        return PreparationRefusedError(
            f"'{shortened(text)}': there is no column '{name}' here; {hint}", column=name
        )
    value = _BAD_VALUE.search(said)
    return PreparationRefusedError(
        f"'{shortened(text)}': {said}", column=column, value=value.group(1) if value else None
    )


def _first_line(error: duckdb.Error) -> str:
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
