"""The parts of a dataset as one table: columns by name, types wide enough for all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb

from evergreen.data.engine import identifier, one_value, parquet
from evergreen.data.parquet_columns import column_type
from evergreen.data.schema import SQL_TYPES, ColumnSchema, Schema, SchemaConflictError, unify


def schema_of(connection: duckdb.DuckDBPyConnection, part: Path) -> Schema:
    """The columns of one part, as they are stored; columns of other types are left out."""
    described = connection.execute(f"DESCRIBE SELECT * FROM {parquet([part])}").fetchall()
    typed = [(str(name), column_type(str(kind))) for name, kind, *_ in described]
    return Schema(tuple(ColumnSchema(name, kind) for name, kind in typed if kind))


def schema_of_all(connection: duckdb.DuckDBPyConnection, parts: Sequence[Path]) -> Schema:
    """The schema that holds the rows of all parts; raises SchemaConflictError.

    A part does not say which of its columns never held a value; that is only looked up where
    types disagree.
    """
    schemas = [schema_of(connection, part) for part in parts]
    try:
        return unify(schemas)
    except SchemaConflictError:
        return unify(
            _with_empty(connection, part, schema)
            for part, schema in zip(parts, schemas, strict=True)
        )


def rows_of(
    connection: duckdb.DuckDBPyConnection, parts: Sequence[Path], schema: Schema | None = None
) -> str:
    """SQL for the rows of all parts, in the order of the parts and of the rows in them."""
    whole = schema or schema_of_all(connection, parts)
    selects = []
    for part in parts:
        own = schema_of(connection, part)
        columns = ", ".join(
            f"{cell(column, own)} AS {identifier(column.name)}" for column in whole.columns
        )
        selects.append(f"SELECT {columns} FROM {parquet([part])}")
    return " UNION ALL ".join(selects)


def cell(column: ColumnSchema, own: Schema) -> str:
    """SQL for a column of the dataset in a part with the schema `own`: NULL where it lacks it."""
    there = own.column(column.name)
    value = identifier(there.name) if there else "NULL"
    return f"CAST({value} AS {SQL_TYPES[column.type]})"


def _with_empty(connection: duckdb.DuckDBPyConnection, part: Path, schema: Schema) -> Schema:
    columns = []
    for column in schema.columns:
        values = one_value(
            connection, f"SELECT count({identifier(column.name)}) FROM {parquet([part])}"
        )
        columns.append(ColumnSchema(column.name, column.type, empty=values == 0))
    return Schema(tuple(columns))
