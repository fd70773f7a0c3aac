"""A prepared table as the two arrays that graphs take, column by column instead of row by row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from evergreen.data.engine import identifier, literal
from evergreen.features.encoding import MISSING_CATEGORY, Encoded, put_weights
from evergreen.features.signature import MOMENT_PARTS, Column, Kind
from evergreen.features.text import LONGEST_TEXT

COLUMNS_AT_ONCE = 8
"""Columns that are copied out of the engine together: bounds the memory of the copies."""

TEXTS_AT_ONCE = 2_000
"""Texts that are held as Python values at a time."""

LARGEST = repr(float(np.finfo(np.float32).max))

PARTS = {
    "month": "month({v})",
    "day": "day({v})",
    "weekday": "isodow({v}) - 1",
    "hour": "hour(CAST({v} AS TIMESTAMP))",
}
"""SQL for each of MOMENT_PARTS."""


@dataclass(frozen=True)
class Documents:
    """The texts of one column of a table in the engine: they stay there until they are asked for.

    One reading must end before the next question to the engine.
    """

    connection: duckdb.DuckDBPyConnection
    table: str
    name: str

    def blocks(self) -> Iterator[tuple[int, list[str | None]]]:
        """Some texts after the other, in the order of the rows, with the number of their first."""
        text = f"left(CAST({identifier(self.name)} AS VARCHAR), {LONGEST_TEXT})"
        result = self.connection.execute(f"SELECT {text} FROM {identifier(self.table)}")
        first = 0
        while block := result.fetchmany(TEXTS_AT_ONCE):
            yield first, [text for (text,) in block]
            first += len(block)

    def weights(self, column: Column, rows: int) -> NDArray[np.float32]:
        """The weights of a fitted column's terms; float32 (rows, terms)."""
        weights = np.zeros((rows, len(column.terms)), dtype=np.float32)
        for first, block in self.blocks():
            put_weights(weights, first, block, column)
        return weights

    @property
    def hashes(self) -> NDArray[np.uint64]:
        """A hash of each text, the same in every run; uint64 (rows,)."""
        text = f"coalesce(CAST({identifier(self.name)} AS VARCHAR), '')"
        fetched = self.connection.execute(
            f"SELECT md5_number_lower({text}) AS hash FROM {identifier(self.table)}"
        ).fetchnumpy()
        return np.asarray(fetched["hash"], dtype=np.uint64)


@dataclass(frozen=True)
class Columnar:
    """Encoded rows, their categories as codes, their texts not yet weighed.

    `numbers`: float32 (rows, k), the last `terms` of them weights of terms. `codes`: int32
    (rows, m), 0 where missing, else the place of the text in `texts[j]`, of which the first is the
    missing category.
    """

    numbers: NDArray[np.float32]
    codes: NDArray[np.int32]
    texts: tuple[NDArray[np.object_], ...]
    documents: tuple[Documents, ...] = ()
    terms: int = 0

    @property
    def rows(self) -> Encoded:
        """As `evergreen.features.encoding.encode` gives for the same rows."""
        categories = np.empty(self.codes.shape, dtype=object)
        for place, texts in enumerate(self.texts):
            categories[:, place] = texts[self.codes[:, place]]
        return Encoded(self.numbers, categories, self.terms)

    @property
    def text_hashes(self) -> NDArray[np.uint64]:
        """A hash of each category and text, the same in every run; uint64 (rows, m + texts)."""
        hashed = np.empty(self.codes.shape, dtype=np.uint64)
        for place, texts in enumerate(self.texts):
            each = np.array([_hash(text) for text in texts], dtype=np.uint64)
            hashed[:, place] = each[self.codes[:, place]]
        return np.column_stack([hashed, *(each.hashes for each in self.documents)])

    def take(self, rows: NDArray[np.bool_], numbers: list[int], categories: list[int]) -> Columnar:
        """Only some rows and columns (by their places), and no texts."""
        return Columnar(
            self.numbers[rows][:, numbers],
            self.codes[rows][:, categories],
            tuple(self.texts[place] for place in categories),
        )

    def with_weights(self, weights: Sequence[NDArray[np.float32]]) -> Columnar:
        """The same rows with the weights of their texts' terms behind the numbers."""
        terms = sum(each.shape[1] for each in weights)
        numbers = np.concatenate([self.numbers, *weights], axis=1)
        return Columnar(numbers, self.codes, self.texts, (), terms)


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
        tuple(
            Documents(connection, table, each.name) for each in columns if each.kind is Kind.TEXT
        ),
    )


def fetch_column(
    connection: duckdb.DuckDBPyConnection, table: str, expression: str
) -> NDArray[np.float64]:
    """One expression over the table's rows as float64 (rows,), NaN where NULL."""
    return _matrix(connection, table, [expression], np.float64, np.nan)[:, 0]


def fetch_numbers(
    connection: duckdb.DuckDBPyConnection, table: str, columns: Sequence[str]
) -> NDArray[np.float32]:
    """Columns of numbers as float32 (rows, columns), NaN where NULL."""
    return _matrix(connection, table, [_number(name) for name in columns], np.float32, np.nan)


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
