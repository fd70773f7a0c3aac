"""The rows that a profile describes: all of a small dataset, every n-th of a large one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
from numpy.typing import NDArray

from evergreen.data.engine import identifier, one_value, parquet
from evergreen.data.parts import cell, schema_of
from evergreen.data.schema import ColumnSchema, Schema

MOST_CELLS = 10_000_000
"""Up to a million rows of ten columns, or fewer of more, are described whole."""

SAMPLED_CELLS = 2_500_000
"""Of larger datasets so much is described: a quarter of a million rows of ten columns.

A share among n rows is off by about sqrt(p (1 - p) / n): 0.1 % at the median.
"""

FEWEST_ROWS = 10_000
ROWS_AS_ARRAYS = 100_000
"""Columns are compared with each other in so many rows at most."""

LONGEST_TEXT = 80
TABLE = "described"


@dataclass(frozen=True)
class Field:
    """One column of the described rows, under a name that no data can disturb.

    `value` is SQL for the value: a text stands there as a hash of it, its beginning is `shown`
    and its characters are `length`.
    """

    column: ColumnSchema
    place: int

    @property
    def value(self) -> str:
        return f"v{self.place}"

    @property
    def length(self) -> str:
        return f"n{self.place}"

    @property
    def shown(self) -> str:
        """SQL for the value as a person reads it."""
        if self.is_text:
            return f"s{self.place}"
        return f"left(CAST({self.value} AS VARCHAR), {LONGEST_TEXT})"

    @property
    def is_text(self) -> bool:
        return self.column.type == "text"

    @property
    def is_number(self) -> bool:
        return self.column.type in {"number", "integer"}

    @property
    def is_time(self) -> bool:
        return self.column.type in {"date", "timestamp"}

    @property
    def is_ordered(self) -> bool:
        """Whether the values have a least and a greatest that say something."""
        return self.is_number or self.is_time

    @property
    def number(self) -> str:
        """SQL for a number that has the order of the values: seconds since 1970 of times."""
        return f"epoch({self.value})" if self.is_time else f"CAST({self.value} AS DOUBLE)"

    @property
    def number_or_hash(self) -> str:
        """SQL for a number that equal values, and only they, have in common."""
        return self.value if self.is_text else self.number

    def taken_from(self, source: str) -> str:
        """SQL that makes the field's columns of the dataset's column `source`."""
        if not self.is_text:
            return f"{source} AS {self.value}"
        return (
            f"CASE WHEN {source} IS NOT NULL THEN hash({source}) END AS {self.value}, "
            f"left({source}, {LONGEST_TEXT}) AS s{self.place}, length({source}) AS {self.length}"
        )


@dataclass(frozen=True)
class DescribedRows:
    """A table in memory, its rows in the order of the dataset; `total` rows are in the dataset."""

    fields: tuple[Field, ...]
    rows: int
    total: int
    table: str = TABLE

    @property
    def is_all(self) -> bool:
        """Whether no row was left out."""
        return self.rows == self.total


def take_rows(
    connection: duckdb.DuckDBPyConnection, parts: Sequence[Path], schema: Schema
) -> DescribedRows:
    """Read all rows of a dataset of at most MOST_CELLS, else every n-th: about SAMPLED_CELLS."""
    fields = tuple(Field(column, place) for place, column in enumerate(schema.columns))
    counts = [one_value(connection, f"SELECT count(*) FROM {parquet([part])}") for part in parts]
    total = sum(counts)
    step = _step(total, len(fields))
    selects = []
    before = 0
    for part, count in zip(parts, counts, strict=True):
        own = schema_of(connection, part)
        taken = ", ".join(field.taken_from(cell(field.column, own)) for field in fields)
        source = parquet([part])
        if step > 1:
            # The reader's own number of a row, unless a column of that name hides it.
            hidden = own.column("file_row_number")
            number = "row_number() OVER () - 1" if hidden else "file_row_number"
            kept = ", ".join(identifier(column.name) for column in own.columns)
            source = (
                f"(SELECT {kept}, {number} AS r FROM {source}) WHERE (r + {before}) % {step} = 0"
            )
        selects.append(f"SELECT {taken} FROM {source}")
        before += count
    connection.execute(f"CREATE TEMP TABLE {TABLE} AS {' UNION ALL '.join(selects)}")
    return DescribedRows(fields, one_value(connection, f"SELECT count(*) FROM {TABLE}"), total)


@dataclass(frozen=True)
class Values:
    """A field's values of some rows: numbers (hashes of texts), and where they are missing."""

    field: Field
    present: NDArray[np.bool_]
    values: NDArray[np.float64] | NDArray[np.uint64]


def take_arrays(connection: duckdb.DuckDBPyConnection, described: DescribedRows) -> list[Values]:
    """Every n-th of the described rows as arrays, one per field, the same rows in all."""
    most = max(FEWEST_ROWS, min(ROWS_AS_ARRAYS, MOST_CELLS // max(1, len(described.fields))))
    step = max(1, math.ceil(described.rows / most))
    asked = ", ".join(f"{field.number_or_hash} AS {field.value}" for field in described.fields)
    found = connection.execute(
        f"SELECT {asked} FROM {described.table} WHERE rowid % {step} = 0"
    ).fetchnumpy()
    return [
        Values(field, ~np.ma.getmaskarray(array), np.ma.getdata(array))
        for field, array in zip(described.fields, found.values(), strict=True)
    ]


def _step(rows: int, columns: int) -> int:
    if rows * columns <= MOST_CELLS or rows <= FEWEST_ROWS:
        return 1
    return math.ceil(rows / max(FEWEST_ROWS, SAMPLED_CELLS // columns))
