"""The rows that a profile describes: all of a small dataset, every n-th of a large one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from numpy import ma
from numpy.typing import NDArray

from evergreen.data.engine import one_value, parquet
from evergreen.data.parts import cell, schema_of
from evergreen.data.schema import ColumnSchema, Schema

MOST_CELLS = 10_000_000
"""Up to a million rows of ten columns, or fewer of more, are described whole."""

SAMPLED_CELLS = 2_500_000
"""Of larger datasets so much is described: a quarter of a million rows of ten columns.

A share among n rows is off by about sqrt(p (1 - p) / n): 0.1 % at the median.
"""

FEWEST_ROWS = 10_000

COMPARED_ROWS = 10_000
"""Columns are compared with each other in so many rows at most: a correlation is off by 0.01."""

LONGEST_TEXT = 80

TEXTS_PER_QUERY = 4

COLUMNS_PER_QUERY = 100
"""Columns are read together, of wide tables so many at a time: each has buffers of its own."""


@dataclass(frozen=True)
class Field:
    """One column of the described rows, under names that no data can disturb.

    Of a text there is a hash and its length in characters.
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

    def taken_from(self, source: str) -> str:
        """SQL for the field's value as a number (of a text, for hash and length)."""
        if self.is_text:
            # The hash of NULL is a number.
            hashed = f"CASE WHEN {source} IS NOT NULL THEN hash({source}) END"
            return f"{hashed} AS {self.value}, length({source}) AS {self.length}"
        number = f"epoch({source})" if self.is_time else source
        return f"{number} AS {self.value}"


@dataclass(frozen=True)
class Values:
    """A field's values of some rows, and where they are there.

    Numbers as they are stored, times in seconds since 1970, booleans, hashes of texts with the
    `lengths` of these (characters). A value that is not there is anything.
    """

    field: Field
    present: NDArray[np.bool_]
    values: NDArray[Any]
    lengths: NDArray[np.int64] | None = None

    def every(self, step: int) -> Values:
        """The values of every n-th row."""
        return replace(self, present=self.present[::step], values=self.values[::step])


@dataclass(frozen=True)
class Part:
    """A part of the dataset: its first row, counted over all parts, and the row after its last."""

    path: Path
    schema: Schema
    first: int
    end: int


@dataclass(frozen=True)
class DescribedRows:
    """The values of all fields in every `step`-th row of the parts, in their order."""

    columns: tuple[Values, ...]
    parts: tuple[Part, ...]
    step: int

    @property
    def rows(self) -> int:
        """Rows that are described."""
        return len(self.columns[0].present) if self.columns else 0

    @property
    def total(self) -> int:
        """Rows of the dataset."""
        return self.parts[-1].end if self.parts else 0

    @property
    def is_all(self) -> bool:
        """Whether no row was left out."""
        return self.step == 1

    @property
    def fields(self) -> tuple[Field, ...]:
        """The columns, in order."""
        return tuple(each.field for each in self.columns)

    def compared(self) -> tuple[Values, ...]:
        """The values of the rows in which columns are compared with each other."""
        step = max(1, math.ceil(self.rows / COMPARED_ROWS))
        return tuple(each.every(step) for each in self.columns)

    def texts(
        self, connection: duckdb.DuckDBPyConnection, wanted: Mapping[Field, Sequence[int]]
    ) -> dict[tuple[Field, int], str]:
        """How the texts of some fields begin in some of the described rows, read where they stand.

        Fields are read together, but so few at a time that hardly a text is read in vain.
        """
        found: dict[tuple[Field, int], str] = {}
        fields = [field for field, rows in wanted.items() if rows]
        for first in range(0, len(fields), TEXTS_PER_QUERY):
            some = fields[first : first + TEXTS_PER_QUERY]
            rows = sorted({row for field in some for row in wanted[field]})
            for part in self.parts:
                numbers = [row * self.step - part.first for row in rows]
                numbers = [row for row in numbers if 0 <= row < part.end - part.first]
                if numbers:
                    taken = [f"{_beginning(field, part)} AS {field.value}" for field in some]
                    query = (
                        f"SELECT r, {', '.join(field.value for field in some)} "
                        f"FROM {_numbered(part, taken)} WHERE r IN ({', '.join(map(str, numbers))})"
                    )
                    for number, *texts in connection.execute(query).fetchall():
                        row = (part.first + number) // self.step
                        found |= {
                            (field, row): text for field, text in zip(some, texts, strict=True)
                        }
        return found


def _beginning(field: Field, part: Part) -> str:
    return f"left({cell(field.column, part.schema)}, {LONGEST_TEXT})"


def take_rows(
    connection: duckdb.DuckDBPyConnection, parts: Sequence[Path], schema: Schema
) -> DescribedRows:
    """Read all rows of a dataset of at most MOST_CELLS, else every n-th: about SAMPLED_CELLS."""
    fields = [Field(column, place) for place, column in enumerate(schema.columns)]
    placed: list[Part] = []
    for path in parts:
        first = placed[-1].end if placed else 0
        rows = one_value(connection, f"SELECT count(*) FROM {parquet([path])}")
        placed.append(Part(path, schema_of(connection, path), first, first + rows))
    step = _step(placed[-1].end if placed else 0, len(fields))
    found: dict[str, NDArray[Any]] = {}
    for first in range(0, len(fields), COLUMNS_PER_QUERY):
        some = fields[first : first + COLUMNS_PER_QUERY]
        found |= connection.execute(_every(step, placed, some)).fetchnumpy()
    columns = tuple(
        Values(
            field,
            ~ma.getmaskarray(found[field.value]),
            ma.getdata(found[field.value]),
            ma.getdata(found[field.length]) if field.is_text else None,
        )
        for field in fields
    )
    return DescribedRows(columns, tuple(placed), step)


def _every(step: int, parts: Sequence[Part], fields: Sequence[Field]) -> str:
    """SQL for some fields of every n-th row, in the order of the parts and of the rows in them."""
    selects = []
    for part in parts:
        taken = [field.taken_from(cell(field.column, part.schema)) for field in fields]
        query = f"SELECT {', '.join(taken)} FROM {parquet([part.path])}"
        if step > 1:
            rows = _numbered(part, taken)
            query = f"SELECT * EXCLUDE (r) FROM {rows} WHERE (r + {part.first}) % {step} = 0"
        selects.append(query)
    return " UNION ALL ".join(selects)


def _numbered(part: Part, taken: Sequence[str]) -> str:
    """What is taken of a part's rows, under names of ours, with their numbers from 0 as `r`.

    The numbers are the reader's own, unless they are hidden.
    """
    hidden = part.schema.column("file_row_number")
    number = "row_number() OVER () - 1" if hidden else "file_row_number"
    return f"(SELECT {', '.join(taken)}, {number} AS r FROM {parquet([part.path])})"


def _step(rows: int, columns: int) -> int:
    if rows * columns <= MOST_CELLS or rows <= FEWEST_ROWS:
        return 1
    return math.ceil(rows / max(FEWEST_ROWS, SAMPLED_CELLS // columns))
