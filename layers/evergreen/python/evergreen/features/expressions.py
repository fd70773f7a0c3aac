"""SQL of project files: one expression or one SELECT, over known columns, the same at any time."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
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

CLOCKS = frozenset({"current_localtime", "current_localtimestamp"})
"""Functions that the engine wrongly lists as stable; `age` of one argument is another."""

CLOCK_WORDS = frozenset(
    {"current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"}
)
"""Words that read the clock, where no column has their name."""

TABLE_FUNCTIONS = frozenset({"range", "generate_series", "unnest"})
"""What a SELECT may read beside its tables."""


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
    tree = _parsed(connection, text, f"SELECT (\n{text}\n)", "one SQL expression")
    select_list = tree["node"]["select_list"]
    if any(node.get("class") == "SUBQUERY" for node in _nodes(select_list)):
        raise PreparationRefusedError(
            f"'{shortened(text)}' reads a table of its own; use a join or sql step instead"
        )
    _require_stable(connection, text, select_list)


def check_query(
    connection: duckdb.DuckDBPyConnection, text: str, tables: Sequence[str], others: Sequence[str]
) -> None:
    """Refuse what is no single SELECT, reads other than `tables`, or changes from run to run.

    `others`: datasets of the project, which may have been meant. Raises PreparationRefusedError.
    What passes can be put between parentheses into a query that names the tables in its WITH.
    """
    tree = _parsed(connection, text, text, "one SELECT")
    nodes = list(_nodes(tree))
    known = {name.casefold() for name in tables}
    for node in nodes:
        for entry in node.get("cte_map", {}).get("map", []):
            known.add(str(entry["key"]).casefold())
    for node in nodes:
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
    try:
        tree = _parsed(connection, text, f"SELECT (\n{text}\n)", "one SQL expression")
    except PreparationRefusedError:
        tree = _parsed(connection, text, text, "one SELECT")
    found = [
        str(node["column_names"][-1]) for node in _nodes(tree) if node.get("class") == "COLUMN_REF"
    ]
    return list(dict.fromkeys(found))


def _parsed(
    connection: duckdb.DuckDBPyConnection, text: str, statement: str, wanted: str
) -> dict[str, Any]:
    """The syntax tree of the only statement; the engine gives none but of SELECTs."""
    row = connection.execute("SELECT json_serialize_sql(?)", [statement]).fetchone()
    tree = json.loads(row[0]) if row else {}
    problem = tree.get("error_message") if tree.get("error") else None
    if problem is None and len(tree["statements"]) != 1:
        problem = f"there are {len(tree['statements'])} statements"
    if problem is not None:
        raise PreparationRefusedError(
            f"'{shortened(text)}' is not {wanted}: {str(problem).splitlines()[0]}"
        )
    found: dict[str, Any] = tree["statements"][0]
    return found


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
    unstable = {str(name) for (name,) in connection.execute(UNSTABLE).fetchall()} | CLOCKS
    for node in _nodes(tree):
        function = str(node.get("function_name", "")).lower()
        word = str((node.get("column_names") or [""])[-1]).lower()
        if node.get("class") == "FUNCTION" and (
            function in unstable or (function == "age" and len(node.get("arguments", [])) == 1)
        ):
            found = f"{function}()"
        elif node.get("class") == "COLUMN_REF" and word in CLOCK_WORDS:
            found = word
        else:
            continue
        raise PreparationRefusedError(
            f"'{shortened(text)}': {found} answers differently each time, so that the same data "
            "would give another model; leave it out"
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
