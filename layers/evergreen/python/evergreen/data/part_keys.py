"""Keys that several parts of a dataset could share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb

from evergreen.data.engine import connect, identifier, parquet
from evergreen.data.parts import schema_of
from evergreen.data.schema import SQL_TYPES, ColumnType


def keys_of(
    connection: duckdb.DuckDBPyConnection,
    parts: Sequence[Path],
    columns: Sequence[str],
    types: Mapping[str, ColumnType],
) -> str | None:
    """SQL for key columns of all rows of some parts, as if they were of the types that are given.

    A column that a part lacks is missing in its rows; one without a type is left out. None where
    that leaves nothing.
    """
    wanted = {name: kind for name, kind in types.items() if name.casefold() in _folded(columns)}
    selects = []
    for part in parts if wanted else ():
        own = schema_of(connection, part)
        cells = []
        for name, kind in wanted.items():
            there = own.column(name)
            value = identifier(there.name) if there else "NULL"
            cells.append(f"TRY_CAST({value} AS {SQL_TYPES[kind]}) AS {identifier(name)}")
        selects.append(f"SELECT {', '.join(cells)} FROM {parquet([part])}")
    return " UNION ALL ".join(selects) or None


def taken_keys(others: str, columns: Sequence[str]) -> str:
    """SQL for the keys in other rows, each once, as k0, k1, …."""
    values = ", ".join(f"{identifier(name)} AS k{n}" for n, name in enumerate(columns))
    return f"SELECT DISTINCT {values} FROM ({others})"


def share_keys(
    part: Path, others: Sequence[Path], keys: Sequence[Sequence[str]], scratch: Path
) -> bool:
    """Whether a row of a part has one of the keys of a row of other parts."""
    with connect(scratch) as connection:
        own = schema_of(connection, part)
        types = {column.name: column.type for column in own.columns}
        for key in keys:
            found = [own.column(name) for name in key]
            names = [column.name for column in found if column]
            elsewhere = keys_of(connection, others, names, types)
            if len(names) < len(key) or elsewhere is None:
                continue
            values = ", ".join(f"{identifier(name)} AS k{n}" for n, name in enumerate(names))
            joined = ", ".join(f"k{n}" for n, _ in enumerate(names))
            shared = connection.execute(
                f"SELECT 1 FROM (SELECT {values} FROM {parquet([part])}) AS here "
                f"SEMI JOIN ({taken_keys(elsewhere, names)}) AS elsewhere USING ({joined}) LIMIT 1"
            ).fetchone()
            if shared:
                return True
    return False


def _folded(names: Sequence[str]) -> set[str]:
    return {name.casefold() for name in names}
