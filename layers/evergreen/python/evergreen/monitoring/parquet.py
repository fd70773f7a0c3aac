"""DuckDB as a reader and writer of Parquet; nothing else of it is used in monitoring."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb


def connect() -> duckdb.DuckDBPyConnection:
    """One in-memory connection that fetches no extensions (Lambda has no place to put them)."""
    connection = duckdb.connect()
    connection.execute("SET autoinstall_known_extensions = false")
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def text(value: str) -> str:
    """Quote a SQL text literal."""
    return "'" + value.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Quote a SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def scan(files: Sequence[Path]) -> str:
    """Name a SQL table of these Parquet files, columns matched by name, absent ones NULL."""
    listed = ", ".join(text(str(file)) for file in files)
    return f"read_parquet([{listed}], union_by_name = true)"


def types_of(connection: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    """Column name → DuckDB type of a SQL table expression."""
    described = connection.execute(f"DESCRIBE FROM {table}").fetchall()
    return {str(row[0]): str(row[1]) for row in described}


def store(
    connection: duckdb.DuckDBPyConnection,
    rows: Iterable[Mapping[str, Any]],
    types: Mapping[str, str],
    scratch: Path,
) -> None:
    """Make the temporary table `given` of plain rows; keys that a row lacks are NULL.

    `scratch` is written and removed: DuckDB reads JSON lines much faster than it binds values,
    and needs neither pandas nor PyArrow for it. Values are None, bool, finite numbers or text;
    moments are ISO text without an offset.
    """
    columns = ", ".join(f"{text(name)}: {text(kind)}" for name, kind in types.items())
    try:
        with scratch.open("w", encoding="ascii") as lines:
            lines.writelines(json.dumps(_readable(row)) + "\n" for row in rows)
        connection.execute(
            "CREATE OR REPLACE TEMP TABLE given AS SELECT * FROM read_json("  # noqa: S608
            f"{text(str(scratch))}, format = 'newline_delimited', columns = {{{columns}}})"
        )
    finally:
        scratch.unlink(missing_ok=True)


def write(connection: duckdb.DuckDBPyConnection, query: str, destination: Path) -> None:
    """Write the rows of a query as one Parquet file."""
    connection.execute(
        f"COPY ({query}) TO {text(str(destination))} (FORMAT parquet, COMPRESSION zstd)"
    )


def _readable(row: Mapping[str, Any]) -> dict[str, Any]:
    # A lone surrogate is legal in JSON from outside and refused by DuckDB's reader.
    return {
        key: value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
        for key, value in row.items()
    }
