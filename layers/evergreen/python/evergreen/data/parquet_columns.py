"""How the columns of an uploaded Parquet file are read: they have types, which are kept."""

from __future__ import annotations

import re
from dataclasses import replace

import duckdb

from evergreen.contracts.data_section import DeclaredColumn
from evergreen.data.declared import (
    declared_column,
    declared_readings,
    has_own_markers,
    markers_of,
)
from evergreen.data.engine import one_value
from evergreen.data.inference import Changed, Inferred, TextColumn
from evergreen.data.readings import READINGS, Reading, cleaned
from evergreen.data.refusal import shortened
from evergreen.data.schema import SQL_TYPES, WIDER, ColumnSchema, ColumnType, Schema
from evergreen.data.staging import ROW

TYPES: dict[str, ColumnType] = {
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT"), "integer"),
    **dict.fromkeys(("UTINYINT", "USMALLINT", "UINTEGER"), "integer"),
    **dict.fromkeys(("UBIGINT", "HUGEINT", "UHUGEINT", "FLOAT", "DOUBLE", "DECIMAL"), "number"),
    **dict.fromkeys(("VARCHAR", "UUID", "TIME", "TIME_NS", "ENUM"), "text"),
    **dict.fromkeys(("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"), "timestamp"),
    "TIMESTAMP WITH TIME ZONE": "timestamp",
    "BOOLEAN": "boolean",
    "DATE": "date",
}
"""DuckDB's name of a type, without its parameters → ours. Others have no place in a table."""

MOMENTS: tuple[Reading, ...] = tuple(
    each for each in READINGS if each.type in ("date", "timestamp") and each.format is None
)
"""A text column of Parquet is text on purpose, except where dates had no other way."""


LONG = ("UBIGINT", "HUGEINT", "UHUGEINT")
_WHOLE_DECIMAL = re.compile(r"DECIMAL\(\d+,0\)")


def column_type(sql_type: str) -> ColumnType | None:
    """Our type for one of DuckDB's, or None."""
    if sql_type.endswith("]"):
        return None
    return TYPES.get(sql_type.split("(", maxsplit=1)[0])


def type_of_column(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    expression: str,
    sql_type: str,
    known: ColumnSchema | None,
) -> ColumnType | None:
    """Our type for a column, or None.

    Whole numbers of a type beyond 64 bits are integers where all of them fit, and else keep their
    digits as text: as numbers they would be rounded.
    """
    kind = column_type(sql_type)
    is_long = sql_type in LONG or _WHOLE_DECIMAL.fullmatch(sql_type)
    if not is_long or (known is not None and not known.empty and known.type == "number"):
        return kind
    held = f"TRY_CAST({expression} AS BIGINT) IS NULL AND {expression} IS NOT NULL"
    return (
        "text"
        if one_value(connection, f"SELECT count(*) FROM {source} WHERE {held}")
        else "integer"
    )


def text_in_parquet(
    name: str, expression: str, known: ColumnSchema | None, dataset: Schema | None = None
) -> TextColumn:
    """A text column: read as dates or as its known type if all values fit, else as text."""
    text = f"CAST({expression} AS VARCHAR)"
    marked = has_own_markers(dataset)
    raw = cleaned(text, markers_of(dataset, name)) if marked else f"nullif(trim({text}), '')"
    readings = MOMENTS if known is None or known.empty else READINGS
    if declared_column(dataset, name).type:
        readings = tuple(declared_readings(dataset, name, READINGS))
    return TextColumn(name, raw, readings, known)


def typed_column(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    column: ColumnSchema,
    expression: str,
    known: ColumnSchema | None,
) -> Inferred:
    """Read a column by the type it has, NaN being missing and infinity a value out of range."""
    raw, value = _typed(expression, column.type)
    row = connection.execute(
        f"SELECT count(v), count(w) FROM (SELECT {raw} AS v, {value} AS w FROM {source})"
    ).fetchone()
    values, fits = row or (0, 0)
    misfits = int(values) - int(fits)
    read = Inferred(column.name, column.type, raw, value, "true", int(values), misfits)
    if known is None or known.empty or read.type == known.type:
        return read
    if not values:
        return replace(read, type=known.type, value=f"CAST(NULL AS {SQL_TYPES[known.type]})")
    if known.type == "text":
        return replace(read, type="text", value=f"CAST({raw} AS VARCHAR)")
    if frozenset({known.type, read.type}) in WIDER:
        return read
    first = connection.execute(
        f"SELECT {ROW}, CAST({raw} AS VARCHAR) FROM {source} WHERE {raw} IS NOT NULL LIMIT 1"
    ).fetchone()
    number, example = first or (0, "")
    return replace(read, changed=Changed(column.type, int(number), shortened(str(example))))


def as_declared(
    connection: duckdb.DuckDBPyConnection, source: str, read: Inferred, declared: DeclaredColumn
) -> Inferred:
    """A column that has a type of its own, as its declared type: what is lost in it is a misfit."""
    value = read.value
    wanted = (read.type, declared.type)
    if wanted == ("integer", "number"):
        value = f"CAST({value} AS DOUBLE)"
    elif wanted == ("date", "timestamp"):
        value = f"CAST({value} AS TIMESTAMP)"
    elif wanted == ("number", "integer"):
        whole = f"{value} = floor({value}) AND abs({value}) < 9e18"
        value = f"CASE WHEN {whole} THEN CAST({value} AS BIGINT) END"
    elif wanted == ("timestamp", "date"):
        value = f"CASE WHEN CAST({value} AS DATE) = {value} THEN CAST({value} AS DATE) END"
    else:
        return read
    changed = replace(read, type=wanted[1], value=value, looks="false")
    misfits = one_value(connection, f"SELECT count(*) FROM {source} WHERE {changed.misfit}")
    return replace(changed, misfits=misfits)


def _typed(expression: str, kind: ColumnType) -> tuple[str, str]:
    """SQL for what stands there, NULL where missing, and for its finite value."""
    if kind == "number":
        real = f"CAST({expression} AS DOUBLE)"
        raw = f"CASE WHEN NOT isnan({real}) THEN {real} END"
        return raw, f"CASE WHEN isfinite({real}) THEN {real} END"
    cast = f"CAST({expression} AS {SQL_TYPES[kind]})"
    if kind in ("date", "timestamp"):
        return cast, f"CASE WHEN isfinite({cast}) THEN {cast} END"
    return cast, cast
