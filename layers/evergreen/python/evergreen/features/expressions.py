"""SQL of project files: one expression or one SELECT, over known columns, the same at any time."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import duckdb

from evergreen.data.expressions import (
    NotSqlError,
    changing,
    first_line,
    nodes,
    parse_expression,
    parse_select,
    reads_a_table,
)
from evergreen.data.refusal import did_you_mean, shortened
from evergreen.features.refusal import PreparationRefusedError

T = TypeVar("T")

_UNKNOWN_COLUMN = re.compile(r'column "([^"]+)" not found|"([^"]+)" not found in FROM')
_BAD_VALUE = re.compile(r"(?:string|value) '([^']*)'")

_HINTS = {
    "GROUP BY": "a statistic over rows takes OVER (…), or is a window or aggregate step",
    "Scalar Function with name": "expressions are those of DuckDB's SQL",
}
"""What usually is behind an error of the engine."""

_NAMES = "; names with spaces or signs in them stand between double quotes"

UNNESTING = frozenset({"unnest", "unlist", "generate_subscripts"})
"""Functions that make several rows, or none, of one."""

TABLE_FUNCTIONS = frozenset({"range", "generate_series", "unnest"})
"""What a SELECT may read beside its tables."""


def check_expression(connection: duckdb.DuckDBPyConnection, text: str) -> None:
    """Refuse what is no single value of a row, reads other tables, or changes from run to run.

    Raises PreparationRefusedError. What passes can be put between parentheses into a query.
    """
    tree = _parsed(parse_expression, connection, text)
    if reads_a_table(tree):
        raise PreparationRefusedError(
            f"'{shortened(text)}' reads a table of its own; use a join or sql step instead"
        )
    for node in nodes(tree):
        function = str(node.get("function_name", "")).lower()
        if node.get("class") == "FUNCTION" and function in UNNESTING:
            raise PreparationRefusedError(
                f"'{shortened(text)}': {function}() makes several rows of one, and one value for "
                "each row is needed; do it in a sql step"
            )
    _require_stable(connection, text, tree)


def check_query(
    connection: duckdb.DuckDBPyConnection, text: str, tables: Sequence[str], others: Sequence[str]
) -> None:
    """Refuse what is no single SELECT, reads other than `tables`, or changes from run to run.

    `others`: datasets of the project, which may have been meant. Raises PreparationRefusedError.
    What passes can be put between parentheses into a query that names the tables in its WITH.
    """
    tree = _parsed(parse_select, connection, text)
    found = list(nodes(tree))
    known = {name.casefold() for name in tables}
    for node in found:
        for entry in node.get("cte_map", {}).get("map", []):
            known.add(str(entry["key"]).casefold())
    for node in found:
        kind = str(node.get("type", ""))
        if kind == "SHOW_REF":
            raise PreparationRefusedError(f"'{shortened(text)}' is no SELECT of rows")
        if kind == "BASE_TABLE":
            _require_table(node, known, tables, others)
        if kind == "TABLE_FUNCTION":
            name = str(node["function"].get("function_name", "")).lower()
            if name not in TABLE_FUNCTIONS:
                raise PreparationRefusedError(
                    f"'{shortened(text)}': {name}() reads what is not declared; only rows and the "
                    "step's datasets can be read"
                )
        if node.get("sample"):
            raise PreparationRefusedError(
                f"'{shortened(text)}' draws a sample, which is another each time; leave it out"
            )
        if node.get("class") == "PARAMETER":
            raise PreparationRefusedError(f"'{shortened(text)}' has a parameter, and no value")
    _require_stable(connection, text, tree)


def probe_of(text: str) -> Callable[[str], str]:
    """From SQL for some rows to a query that fails if the expression does at one of them."""
    return lambda rows: f"SELECT count(CAST((\n{text}\n) AS VARCHAR)) FROM {rows}"


def columns_in(connection: duckdb.DuckDBPyConnection, text: str) -> list[str]:
    """The names of the columns that an expression, or a SELECT, reads, in order."""
    tree: Any
    try:
        tree = parse_expression(connection, text)
    except NotSqlError:
        tree = _parsed(parse_select, connection, text)
    found = [
        str(node["column_names"][-1]) for node in nodes(tree) if node.get("class") == "COLUMN_REF"
    ]
    return list(dict.fromkeys(found))


def reads_of_one_row(
    connection: duckdb.DuckDBPyConnection, text: str, columns: Iterable[str]
) -> tuple[str, ...] | None:
    """Which of `columns` an expression reads, in their spelling; None if other rows matter too.

    Also None where it cannot be told: for `*`, places of columns, and names that are no columns.
    """
    known = {name.casefold(): name for name in columns}
    tree = _parsed(parse_expression, connection, text)
    parameters: set[str] = set()
    read: dict[str, None] = {}
    for node in nodes(tree):
        kind = node.get("class")
        if kind in {"WINDOW", "STAR", "POSITIONAL_REFERENCE"}:
            return None
        if kind == "LAMBDA":
            parameters |= {_first_name(each) for each in nodes(node["lhs"])} - {""}
        if kind == "COLUMN_REF":
            name = _first_name(node)
            if name in known:
                read[known[name]] = None
            elif name not in parameters:
                return None
    return tuple(read)


def _first_name(node: dict[str, Any]) -> str:
    """The first part of the column's name in a node: what follows is a field of it."""
    return str((node.get("column_names") or [""])[0]).casefold()


def _parsed(
    parse: Callable[[duckdb.DuckDBPyConnection, str], T],
    connection: duckdb.DuckDBPyConnection,
    text: str,
) -> T:
    try:
        return parse(connection, text)
    except NotSqlError as error:
        hint = _NAMES if "syntax error" in str(error) and " " in text.strip() else ""
        raise PreparationRefusedError(f"'{shortened(text)}' {error}{hint}") from error


def _require_table(
    node: dict[str, Any], known: set[str], tables: Sequence[str], others: Sequence[str]
) -> None:
    name = str(node["table_name"])
    if name.casefold() in known and not node.get("schema_name") and not node.get("catalog_name"):
        return
    if name in others:
        raise PreparationRefusedError(
            f"dataset '{name}' is not declared; add it to the step's 'datasets'", value=name
        )
    raise PreparationRefusedError(
        f"there is no table '{name}' here; {did_you_mean(name, list(tables))}", value=name
    )


def _require_stable(connection: duckdb.DuckDBPyConnection, text: str, tree: Any) -> None:
    found = changing(connection, tree)
    if found:
        raise PreparationRefusedError(
            f"'{shortened(text)}': {found} answers differently each time, so that the same data "
            "would give another model; leave it out"
        )


def explained(
    error: duckdb.Error, text: str, columns: Sequence[str], column: str | None = None
) -> PreparationRefusedError:
    """What an error of the engine means for the one who wrote the expression `text`."""
    said = first_line(error)
    unknown = _UNKNOWN_COLUMN.search(str(error))
    if unknown:
        name = unknown.group(1) or unknown.group(2)
        hint = did_you_mean(name, columns)
        if f'"{name}"' in text:
            hint += f" (a text stands between single quotes: '{name}')"
        return PreparationRefusedError(
            f"'{shortened(text)}': there is no column '{name}' here; {hint}", column=name
        )
    value = _BAD_VALUE.search(said)
    hint = next((f"; {meant}" for found, meant in _HINTS.items() if found in said), "")
    return PreparationRefusedError(
        f"'{shortened(text)}': {said}{hint}", column=column, value=value.group(1) if value else None
    )
