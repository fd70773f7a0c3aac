"""Which prepared columns a model is asked with, as what, and why not the others."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
from numpy.typing import NDArray

from evergreen.data.engine import identifier, one_value
from evergreen.data.parquet_columns import column_type
from evergreen.features.columnar import Columnar
from evergreen.features.signature import MOMENT_PARTS, Column, Kind
from evergreen.features.steps import ROW, Table

MOST_CATEGORIES = 1_000
"""A text column with more different values is free text or an identifier …"""

ROWS_PER_CATEGORY = 2
"""… and so is one whose values have fewer rows than this on average."""

NUMBERING = re.compile(
    r"(?i:(^|[\W_])(id|index|idx|row|rowid|rownum|record|nr|no|number|key|unnamed)([\W_]|$))"
    r"|[a-z](Id|ID|No|Nr)$|^column 1$|^#$"
)
"""A name that a column of row numbers has. `x` or `year` may count as well, and mean something."""

KINDS: Mapping[str, Kind] = {
    "number": Kind.NUMBER,
    "integer": Kind.NUMBER,
    "boolean": Kind.NUMBER,
    "date": Kind.MOMENT,
    "timestamp": Kind.MOMENT,
    "text": Kind.CATEGORY,
}


@dataclass(frozen=True)
class Chosen:
    """Columns that are used, in the table's order, and the reasons against the others."""

    columns: tuple[Column, ...]
    ignored: tuple[tuple[str, str], ...]


def choose_columns(
    connection: duckdb.DuckDBPyConnection, table: Table, target: str, group: str | None, parts: int
) -> Chosen:
    """Give each column of the table a kind by its type and by how many values it has.

    `parts`: of so many files its rows come, in whatever order.
    """
    counted = _counted(connection, table)
    columns, ignored = [], []
    for name, sql_type in table.columns.items():
        if name == target:
            continue
        kind = column_type(sql_type)
        values, distinct, numbered = counted.get(name, (0, 0, False))
        reason = _reason(sql_type, kind, values, distinct)
        if name == group:
            ignored.append((name, "names the group of a row"))
        elif kind is None or reason:
            ignored.append((name, reason or f"{sql_type} values cannot be learned from"))
        elif numbered and NUMBERING.search(name) and _numbers_rows(connection, table, name, parts):
            ignored.append((name, "merely numbers the rows"))
        else:
            columns.append(Column(name, KINDS[kind]))
    return Chosen(tuple(columns), tuple(ignored))


def seen_in_training(
    columns: Sequence[Column], encoded: Columnar, training: NDArray[np.bool_]
) -> tuple[Chosen, Columnar]:
    """The columns with the categories and ranges of the training rows; all rows, without the rest.

    A column that has no values in the training rows, or one and the same, is ignored.
    """
    kept: list[Column] = []
    ignored: list[tuple[str, str]] = []
    numbers: list[int] = []
    moments: list[int] = []
    categories: list[int] = []
    next_number, next_category = 0, 0
    next_moment = sum(column.kind is Kind.NUMBER for column in columns)
    for column in columns:
        if column.kind is Kind.CATEGORY:
            place, next_category = next_category, next_category + 1
            seen, reason = _category(column, encoded, place, training)
            places = categories
            own = [place]
        elif column.kind is Kind.NUMBER:
            place, next_number = next_number, next_number + 1
            seen, reason = _number(column, encoded.numbers[training, place])
            places = numbers
            own = [place]
        else:
            own = list(range(next_moment, next_moment + len(MOMENT_PARTS)))
            next_moment += len(MOMENT_PARTS)
            seen, reason = column, _moment_reason(encoded.numbers[training][:, own])
            places = moments
        if reason:
            ignored.append((column.name, reason))
        else:
            kept.append(seen)
            places += own
    every = np.ones(len(training), dtype=bool)
    return Chosen(tuple(kept), tuple(ignored)), encoded.take(every, numbers + moments, categories)


def _category(
    column: Column, encoded: Columnar, place: int, training: NDArray[np.bool_]
) -> tuple[Column, str | None]:
    codes = np.unique(encoded.codes[training, place])
    seen = tuple(str(text) for text in encoded.texts[place][codes[codes > 0]])
    if not seen:
        return column, "has no values in the training rows"
    if codes.size == 1:
        return column, f"is always '{seen[0]}' in the training rows"
    return Column(column.name, column.kind, categories=seen), None


def _number(column: Column, values: NDArray[np.float32]) -> tuple[Column, str | None]:
    there = values[~np.isnan(values)]
    if there.size == 0:
        return column, "has no values in the training rows"
    # Through the shortest decimal: 33.1 stays 33.1 and does not become 33.09999847.
    least, greatest = float(str(there.min())), float(str(there.max()))
    if least == greatest and there.size == values.size:
        return column, f"is always {least:g} in the training rows"
    return Column(column.name, column.kind, minimum=least, maximum=greatest), None


def _moment_reason(parts: NDArray[np.float32]) -> str | None:
    if np.isnan(parts).all():
        return "has no values in the training rows"
    if (parts == parts[0]).all():
        return "is always the same in the training rows"
    return None


def _reason(sql_type: str, kind: str | None, values: int, distinct: int) -> str | None:
    if kind is None:
        return f"{sql_type} values cannot be learned from"
    if values == 0:
        return "has no values"
    if kind == "text" and (
        distinct > MOST_CATEGORIES or (distinct > 1 and distinct * ROWS_PER_CATEGORY > values)
    ):
        return f"free text or identifier: {distinct:,} different values in {values:,} rows"
    return None


def _counted(
    connection: duckdb.DuckDBPyConnection, table: Table
) -> dict[str, tuple[int, int, bool]]:
    """Values and different values per column, and whether it could be a number of the row."""
    asked, names = [], []
    for name, sql_type in table.columns.items():
        kind = column_type(sql_type)
        if kind is None:
            continue
        value = identifier(name)
        names.append(name)
        asked.append(f"count({value})")
        asked.append(f"count(DISTINCT {value})" if kind == "text" else "0")
        long = f"max({value}) - min({value}) >= count({value}) - 1"
        whole = kind in {"integer", "number"}
        asked.append(f"min({value}) BETWEEN 0 AND 1 AND {long}" if whole else "false")
    found = (
        connection.execute(f"SELECT {', '.join(asked)} FROM {identifier(table.name)}").fetchone()
        or ()
    )
    return {
        name: (int(found[3 * i]), int(found[3 * i + 1]), bool(found[3 * i + 2]))
        for i, name in enumerate(names)
    }


def _numbers_rows(
    connection: duckdb.DuckDBPyConnection, table: Table, name: str, parts: int
) -> bool:
    """Whether a column runs along with the rows of each part, as 0, 1, 2, … does."""
    offset = f"{identifier(name)} - {identifier(ROW)}"
    offsets = one_value(
        connection, f"SELECT count(DISTINCT {offset}) FROM {identifier(table.name)}"
    )
    return offsets <= parts
