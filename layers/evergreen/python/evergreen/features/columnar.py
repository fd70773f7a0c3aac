"""A prepared table as the two arrays that graphs take, column by column instead of row by row."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from evergreen.data.engine import identifier, literal
from evergreen.features.encoding import MISSING_CATEGORY, Encoded
from evergreen.features.signature import MOMENT_PARTS, Column, Kind

COLUMNS_AT_ONCE = 8
"""Columns that are copied out of the engine together: bounds the memory of the copies."""

LARGEST = repr(float(np.finfo(np.float32).max))

PARTS = {
    "month": "month({v})",
    "day": "day({v})",
    "weekday": "isodow({v}) - 1",
    "hour": "hour(CAST({v} AS TIMESTAMP))",
}
"""SQL for each of MOMENT_PARTS."""


@dataclass(frozen=True)
class Columnar:
    """Encoded rows, their categories as codes.

    `numbers`: float32 (rows, k). `codes`: int32 (rows, m), 0 where missing, else the place of the
    text in `texts[j]`, of which the first is the missing category.
    """

    numbers: NDArray[np.float32]
    codes: NDArray[np.int32]
    texts: tuple[NDArray[np.object_], ...]

    @property
    def rows(self) -> Encoded:
        """As `evergreen.features.encoding.encode` gives for the same rows."""
        categories = np.empty(self.codes.shape, dtype=object)
        for place, texts in enumerate(self.texts):
            categories[:, place] = texts[self.codes[:, place]]
        return Encoded(self.numbers, categories)

    @property
    def text_hashes(self) -> NDArray[np.uint64]:
        """A hash of each category, the same in every run; uint64 (rows, m)."""
        hashed = np.empty(self.codes.shape, dtype=np.uint64)
        for place, texts in enumerate(self.texts):
            each = np.array([_hash(text) for text in texts], dtype=np.uint64)
            hashed[:, place] = each[self.codes[:, place]]
        return hashed

    def take(self, rows: NDArray[np.bool_], numbers: list[int], categories: list[int]) -> Columnar:
        """Only some rows and columns (by their places)."""
        return Columnar(
            self.numbers[rows][:, numbers],
            self.codes[rows][:, categories],
            tuple(self.texts[place] for place in categories),
        )


def encode_table(
    connection: duckdb.DuckDBPyConnection, table: str, columns: tuple[Column, ...]
) -> Columnar:
    """Encode a table in its order; columns of numbers, then parts of moments, then categories."""
    numbers = [_number(each.name) for each in columns if each.kind is Kind.NUMBER]
    moments = [identifier(each.name) for each in columns if each.kind is Kind.MOMENT]
    numbers += [PARTS[part].replace("{v}", each) for each in moments for part in MOMENT_PARTS]
    categories = [each.name for each in columns if each.kind is Kind.CATEGORY]
    texts = tuple(_texts(connection, table, name) for name in categories)
    codes = [_code(connection, place, texts[place], name) for place, name in enumerate(categories)]
    return Columnar(
        _matrix(connection, table, numbers, np.float32, np.nan),
        _matrix(connection, table, codes, np.int32, 0),
        texts,
    )


def fetch_column(
    connection: duckdb.DuckDBPyConnection, table: str, expression: str
) -> NDArray[np.float64]:
    """One expression over the table's rows as float64 (rows,), NaN where NULL."""
    return _matrix(connection, table, [expression], np.float64, np.nan)[:, 0]


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")


def _number(name: str) -> str:
    """A number that float32 can hold: what is beyond becomes the greatest, never infinity."""
    value = f"CAST({identifier(name)} AS DOUBLE)"
    return f"CASE WHEN {value} IS NOT NULL THEN greatest(least({value}, {LARGEST}), -{LARGEST}) END"


def _text(name: str) -> str:
    return f"nullif(CAST({identifier(name)} AS VARCHAR), {literal(MISSING_CATEGORY)})"


def _texts(connection: duckdb.DuckDBPyConnection, table: str, name: str) -> NDArray[np.object_]:
    found = connection.execute(
        f"SELECT DISTINCT {_text(name)} FROM {identifier(table)} "
        f"WHERE {_text(name)} IS NOT NULL ORDER BY 1"
    ).fetchall()
    return np.array([MISSING_CATEGORY, *(text for (text,) in found)], dtype=object)


def _code(
    connection: duckdb.DuckDBPyConnection, place: int, texts: NDArray[np.object_], name: str
) -> str:
    """SQL for the place of a text among `texts`: an enumeration is the engine's own dictionary."""
    if len(texts) == 1:
        return "0"
    enumeration = identifier(f"evergreen.texts_{place}")
    connection.execute(f"DROP TYPE IF EXISTS {enumeration}")
    connection.execute(
        f"CREATE TYPE {enumeration} AS ENUM (SELECT unnest($texts))", {"texts": list(texts[1:])}
    )
    return f"enum_code(CAST({_text(name)} AS {enumeration})) + 1"


def _matrix(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    expressions: list[str],
    dtype: type[Any],
    missing: float,
) -> NDArray[Any]:
    sql_type = {np.float32: "DOUBLE", np.float64: "DOUBLE", np.int32: "INTEGER"}[dtype]
    blocks = []
    for start in range(0, len(expressions), COLUMNS_AT_ONCE):
        some = expressions[start : start + COLUMNS_AT_ONCE]
        named = ", ".join(f"CAST({each} AS {sql_type}) AS c{i}" for i, each in enumerate(some))
        fetched = connection.execute(f"SELECT {named} FROM {identifier(table)}").fetchnumpy()
        columns = [np.ma.filled(fetched[f"c{i}"], missing) for i in range(len(some))]
        blocks.append(np.column_stack(columns).astype(dtype))
    if not blocks:
        counted = connection.execute(f"SELECT count(*) FROM {identifier(table)}").fetchone()
        return np.empty((counted[0] if counted else 0, 0), dtype=dtype)
    return np.concatenate(blocks, axis=1)
