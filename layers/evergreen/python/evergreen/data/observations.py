"""What was seen of a table's columns, small enough to keep per part and to add up over parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import duckdb

from evergreen.data.engine import identifier, parquet
from evergreen.data.schema import ColumnSchema, ColumnType

FEW = 50
"""A text column with at most so many values has categories."""

LONGEST_CATEGORY = 80
"""Longer texts are no categories."""

LONGEST_KEY = 64
"""Longer texts are no keys."""

HLL_ERROR = 0.4
"""approx_count_distinct of DuckDB has a standard error of 3 to 4 %: no column is lost by ten."""

ROWS_FOR_KEYS = 2_000_000
"""Of larger parts, keys are not looked for: an exact count of distinct values would spill."""

MOST_KEYS = 6
"""Columns whose values are counted exactly; the first ones, where keys stand."""

COLUMNS_PER_QUERY = 100

T = TypeVar("T")

Value = float | int | str
"""A number, or the ISO text of a date or timestamp."""


@dataclass(frozen=True)
class ObservedColumn:
    """One column: what stands there. `categories` is complete, or None where there are many.

    `unique`: no value is missing and none occurs twice in a part.
    """

    name: str
    type: ColumnType
    count: int
    nulls: int
    distinct: int
    minimum: Value | None = None
    maximum: Value | None = None
    categories: tuple[str, ...] | None = None
    unique: bool = False

    def joined(self, other: ObservedColumn, kind: ColumnType) -> ObservedColumn:
        """What was seen of both, as a column of type `kind`."""
        both = self.categories, other.categories
        categories = None
        if both[0] is not None and both[1] is not None:
            found = sorted({*both[0], *both[1]})
            categories = tuple(found) if len(found) <= FEW else None
        return ObservedColumn(
            self.name,
            kind,
            self.count + other.count,
            self.nulls + other.nulls,
            max(self.distinct, other.distinct),
            _extreme(min, self.minimum, other.minimum),
            _extreme(max, self.maximum, other.maximum),
            categories,
            self.unique and other.unique,
        )

    @property
    def surely_unique(self) -> bool:
        """Whether the column is a key, and not free of repetitions by chance.

        Of `n` whole numbers drawn from `r`, n²/2r pairs are equal on average; with 10 expected
        and none seen, chance has e⁻¹⁰. Texts are believed from a thousand on.
        """
        if not self.unique:
            return False
        if isinstance(self.minimum, int) and isinstance(self.maximum, int):
            return self.count**2 > 20 * (self.maximum - self.minimum + 1)
        return self.count >= 1000  # noqa: PLR2004


@dataclass(frozen=True)
class Observed:
    """What was seen of a part, or of several together."""

    rows: int
    columns: tuple[ObservedColumn, ...]

    def column(self, name: str) -> ObservedColumn | None:
        """The column of that name, upper and lower case being the same."""
        wanted = name.casefold()
        return next((each for each in self.columns if each.name.casefold() == wanted), None)

    def to_plain(self) -> dict[str, Any]:
        """As JSON values, the same for equal observations: fit for a digest."""
        return {"rows": self.rows, "columns": [asdict(column) for column in self.columns]}

    @staticmethod
    def from_plain(plain: Mapping[str, Any]) -> Observed:
        """Read what `to_plain` gave."""
        columns = (
            {**each, "categories": tuple(each["categories"]) if each["categories"] else None}
            for each in plain["columns"]
        )
        return Observed(plain["rows"], tuple(ObservedColumn(**each) for each in columns))


def together(observed: Iterable[Observed]) -> Observed | None:
    """What was seen of all parts; None of none. Columns of clashing types keep their first."""
    rows = 0
    joined: dict[str, ObservedColumn] = {}
    for each in observed:
        rows += each.rows
        for column in each.columns:
            key = column.name.casefold()
            before = joined.get(key)
            joined[key] = column if before is None else _added(before, column)
    return Observed(rows, tuple(joined.values())) if joined else None


def _added(before: ObservedColumn, column: ObservedColumn) -> ObservedColumn:
    if before.count == 0 or column.count == 0:
        seen, empty = (column, before) if before.count == 0 else (before, column)
        same = ObservedColumn(before.name, seen.type, 0, empty.nulls, 0, categories=seen.categories)
        return seen.joined(same, seen.type)
    schemas = ColumnSchema(before.name, before.type), ColumnSchema(column.name, column.type)
    try:
        kind = schemas[0].joined(schemas[1]).type
    except ValueError:
        return before
    return before.joined(column, kind)


def observe(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    columns: Sequence[tuple[str, ColumnType]],
    rows: int,
) -> Observed:
    """Look at the typed rows of a Parquet file: its footer, one pass, one over what is few."""
    source = parquet([path])
    ends = _ends(connection, source, [name for name, kind in columns if _ordered(kind)])
    sketches: list[Any] = []
    for some in _batches(columns):
        asked = []
        for name, kind in some:
            column = identifier(name)
            longest = f"max(length({column}))" if kind == "text" else "NULL"
            asked += [f"count({column})", f"approx_count_distinct({column})", longest]
        sketches += connection.execute(f"SELECT {', '.join(asked)} FROM {source}").fetchone() or ()
    seen = [
        (name, kind, count, distinct, *ends.get(name, (None, None)), longest)
        for at, (name, kind) in enumerate(columns)
        for count, distinct, longest in [sketches[3 * at : 3 * at + 3]]
    ]
    categories = _categories(
        connection,
        source,
        [
            name
            for name, kind, count, distinct, _, _, longest in seen
            if count and not _ordered(kind) and distinct <= FEW * (1 + HLL_ERROR)
            if kind == "boolean" or longest <= LONGEST_CATEGORY
        ],
    )
    unique = _unique(
        connection,
        source,
        rows,
        [
            name
            for name, kind, count, distinct, _, _, longest in seen
            if rows and count == rows and distinct >= (1 - HLL_ERROR) * rows
            if kind == "integer" or (kind == "text" and longest <= LONGEST_KEY)
        ],
    )
    return Observed(
        rows,
        tuple(
            ObservedColumn(
                name,
                kind,
                int(count),
                rows - int(count),
                min(int(distinct), int(count)),
                _plain(least),
                _plain(greatest),
                categories.get(name),
                name in unique,
            )
            for name, kind, count, distinct, least, greatest, _ in seen
        ),
    )


def _ends(
    connection: duckdb.DuckDBPyConnection, source: str, names: Sequence[str]
) -> dict[str, tuple[Any, Any]]:
    """The least and the greatest values: asked for alone, they are taken from the file's footer."""
    found: dict[str, tuple[Any, Any]] = {}
    for some in _batches(names):
        asked = ", ".join(f"min({identifier(name)}), max({identifier(name)})" for name in some)
        row = connection.execute(f"SELECT {asked} FROM {source}").fetchone() or ()
        found |= dict(zip(some, zip(row[::2], row[1::2], strict=True), strict=True))
    return found


def _ordered(kind: ColumnType) -> bool:
    return kind not in {"text", "boolean"}


def _categories(
    connection: duckdb.DuckDBPyConnection, source: str, names: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for some in _batches(names):
        asked = ", ".join(f"list(DISTINCT {identifier(name)})" for name in some)
        row = connection.execute(f"SELECT {asked} FROM {source}").fetchone() or ()
        for name, values in zip(some, row, strict=True):
            # Ten million booleans are turned into texts more slowly than they are read.
            texts = (str(each).lower() if isinstance(each, bool) else each for each in values)
            there = sorted(each for each in texts if each is not None)
            if len(there) <= FEW:
                found[name] = tuple(there)
    return found


def _batches(columns: Sequence[T]) -> Iterator[Sequence[T]]:
    """So many columns as one query can ask about: each has sketches and sets in memory."""
    for first in range(0, len(columns), COLUMNS_PER_QUERY):
        yield columns[first : first + COLUMNS_PER_QUERY]


def _unique(
    connection: duckdb.DuckDBPyConnection, source: str, rows: int, names: Sequence[str]
) -> set[str]:
    if not names or not 1 < rows <= ROWS_FOR_KEYS:
        return set()
    asked = names[:MOST_KEYS]
    counts = ", ".join(f"count(DISTINCT {identifier(name)})" for name in asked)
    row = connection.execute(f"SELECT {counts} FROM {source}").fetchone() or ()
    return {name for name, distinct in zip(asked, row, strict=True) if distinct == rows}


def _plain(value: Any) -> Value | None:
    if isinstance(value, date):
        return value.isoformat()
    return value if isinstance(value, int | float) else None


def _extreme(choose: Any, one: Value | None, other: Value | None) -> Value | None:
    given = [each for each in (one, other) if each is not None]
    if len({isinstance(each, str) for each in given}) > 1:
        return one
    return choose(given) if given else None
