"""Labelled predictions as further rows to learn from: what was asked, and what came true."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from evergreen.data.engine import identifier, one_value, parquet
from evergreen.data.parquet_columns import column_type
from evergreen.features.workbench import ROW, Table

PREFIX = "input."
"""Columns of a labelled prediction that hold what was asked; `label` holds what came true."""

HAPPENED_AT = "evergreen.happened_at"
"""Hidden column: when a prediction was asked for; orders rows that have no time of their own."""


@dataclass(frozen=True)
class Feedback:
    """Rows with the labelled predictions behind them. `unreadable`: labels that are no target."""

    table: Table
    added: int
    unreadable: int
    unknown_columns: tuple[str, ...]


def with_feedback(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    target: str,
    files: Sequence[Path],
    name: str,
) -> Feedback:
    """Put labelled predictions under the rows, column by column; the newest label counts.

    A column that was not asked for is missing; the target is read from the label's text. Whole
    numbers become numbers, because that is what requests carry.
    """
    source = parquet(files, ", union_by_name = true, file_row_number = true, filename = true")
    described = connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
    there = {str(column): str(kind) for column, kind, *_ in described}
    said = "labelled_at" if "labelled_at" in there else "happened_at"
    newest = (
        f"SELECT * FROM {source} QUALIFY row_number() OVER (PARTITION BY prediction_id "
        f"ORDER BY {said} DESC NULLS LAST, filename DESC, file_row_number DESC) = 1"
    )
    types = {each: _type(each, kind, there) for each, kind in table.columns.items()}
    old, new = [], []
    for column, kind in types.items():
        named = identifier(column)
        old.append(f"CAST({named} AS {kind}) AS {named}")
        new.append(f"{_cell(column, target, kind, there)} AS {named}")
    last = one_value(connection, f"SELECT max({identifier(ROW)}) FROM {identifier(table.name)}")
    order = f"row_number() OVER (ORDER BY happened_at, prediction_id) + {last}"
    connection.execute(
        f"CREATE TEMP TABLE {identifier(name)} AS "
        f"SELECT {', '.join(old)}, {identifier(ROW)}, NULL::TIMESTAMP AS {identifier(HAPPENED_AT)} "
        f"FROM {identifier(table.name)} UNION ALL "
        f"SELECT {', '.join(new)}, {order}, happened_at FROM ({newest})"
    )
    connection.execute(f"DROP TABLE {identifier(table.name)}")
    added = one_value(connection, f"SELECT count(*) FROM ({newest})")
    unreadable = one_value(
        connection,
        f"SELECT count(*) FROM {identifier(name)} "
        f"WHERE {identifier(HAPPENED_AT)} IS NOT NULL AND {identifier(target)} IS NULL",
    )
    asked = {each.removeprefix(PREFIX) for each in there if each.startswith(PREFIX)}
    unknown = tuple(sorted(asked - set(table.columns)))
    whole = Table.of(connection, name)
    visible = {each: kind for each, kind in whole.columns.items() if each != HAPPENED_AT}
    return Feedback(Table(name, visible), added, unreadable, unknown)


def _type(column: str, sql_type: str, there: Mapping[str, str]) -> str:
    """The type that holds a column's rows and its labelled predictions."""
    asked = there.get(PREFIX + column)
    if asked and column_type(sql_type) == "integer" and column_type(asked) == "number":
        return "DOUBLE"
    if asked and column_type(sql_type) == "date" and column_type(asked) == "timestamp":
        return "TIMESTAMP"
    return sql_type


def _cell(column: str, target: str, kind: str, there: Mapping[str, str]) -> str:
    if column == target:
        if column_type(kind) == "integer":
            # '1.0' is a whole number too; '1.5' is not one and stays unreadable.
            real = "TRY_CAST(label AS DOUBLE)"
            return f"CASE WHEN {real} = floor({real}) THEN TRY_CAST({real} AS {kind}) END"
        return f"TRY_CAST(label AS {kind})"
    if PREFIX + column in there:
        return f"TRY_CAST({identifier(PREFIX + column)} AS {kind})"
    return f"CAST(NULL AS {kind})"
