"""Which row a failing expression fails at: halving the rows until one is left."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import duckdb

from evergreen.data.engine import identifier, one_value
from evergreen.data.refusal import shortened
from evergreen.features.workbench import ROW, Table

MOST_VALUES = 3
"""Values of the row that an error repeats."""


def failing_row(
    connection: duckdb.DuckDBPyConnection, table: Table, probe: Callable[[str], str]
) -> int | None:
    """The place of the first row at which `probe` fails, or None if it is not due to a row."""
    row, source = identifier(ROW), identifier(table.name)

    def fails(last: int) -> bool:
        some = f"(SELECT * FROM {source} WHERE {row} <= {last})"
        try:
            connection.execute(probe(some)).fetchall()
        except duckdb.Error:
            return True
        return False

    low = -1
    high = one_value(connection, f"SELECT max({row}) FROM {source}")
    if fails(low) or not fails(high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        if fails(middle):
            high = middle
        else:
            low = middle
    return high


def values_at(
    connection: duckdb.DuckDBPyConnection, table: Table, place: int, columns: Sequence[str]
) -> dict[str, str]:
    """What stands in some columns of a row, as short texts."""
    known = {name.casefold(): name for name in table.columns}
    named = [known[each.casefold()] for each in columns if each.casefold() in known]
    if not named:
        return {}
    cells = ", ".join(f"CAST({identifier(name)} AS VARCHAR)" for name in named[:MOST_VALUES])
    row = connection.execute(
        f"SELECT {cells} FROM {identifier(table.name)} WHERE {identifier(ROW)} = {place}"
    ).fetchone()
    return {
        name: "missing" if cell is None else f"'{shortened(str(cell))}'"
        for name, cell in zip(named, row or (), strict=False)
    }
