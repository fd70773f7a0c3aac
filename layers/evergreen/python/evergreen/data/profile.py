"""What the values of a dataset look like, column by column."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from evergreen.data.engine import connect, identifier, one_value, parquet
from evergreen.data.parts import rows_of, schema_of_all
from evergreen.data.schema import ColumnSchema, Schema

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
BINS = 20
TOP_VALUES = 10
LONGEST_TEXT = 80
ROWS_FOR_QUANTILES = 1_000_000
"""Of larger datasets, quantiles are those of every n-th row, so that memory stays bounded."""

DIGITS = 12
"""Significant digits of sums: two threads do not always add in the same order."""


@dataclass(frozen=True)
class ColumnProfile:
    """One column: how much of it is there, and how its values are distributed.

    `distinct` is approximate (HyperLogLog). `minimum`, `maximum` and `quantiles` (by share) are
    numbers, or ISO texts for dates and timestamps. `histogram`: edges (k+1) and counts (k), for
    numbers. `top`: the most frequent values with their counts, for texts and booleans.
    """

    name: str
    type: str
    count: int
    nulls: int
    distinct: int
    minimum: float | str | None = None
    maximum: float | str | None = None
    mean: float | None = None
    std: float | None = None
    quantiles: dict[str, float] | None = None
    histogram: dict[str, list[float]] | None = None
    top: list[tuple[str, int]] | None = None


@dataclass(frozen=True)
class Profile:
    """A dataset's rows, and its columns one by one."""

    rows: int
    columns: tuple[ColumnProfile, ...]

    def to_plain(self) -> dict[str, Any]:
        """As JSON values."""
        return {"rows": self.rows, "columns": [asdict(column) for column in self.columns]}


def profile(parts: Sequence[Path], schema: Schema | None = None) -> Profile:
    """Profile the rows of all parts together."""
    with tempfile.TemporaryDirectory() as directory, connect(Path(directory)) as connection:
        whole = schema or schema_of_all(connection, parts)
        source = _source(connection, parts, whole)
        rows = one_value(connection, f"SELECT count(*) FROM {source}")
        basics = _basics(connection, source, whole)
        columns = tuple(
            _column(connection, source, rows, column, basic)
            for column, basic in zip(whole.columns, basics, strict=True)
        )
        return Profile(rows, columns)


def _source(connection: duckdb.DuckDBPyConnection, parts: Sequence[Path], schema: Schema) -> str:
    """One part is read as it is; several become a view."""
    if len(parts) == 1:
        return parquet(parts)
    connection.execute(f"CREATE VIEW whole AS {rows_of(connection, parts, schema)}")
    return "whole"


def _basics(
    connection: duckdb.DuckDBPyConnection, source: str, schema: Schema
) -> list[tuple[int, int, Any, Any]]:
    """Count, distinct, least and greatest value of every column, in one pass."""
    asked = []
    for column in schema.columns:
        name = identifier(column.name)
        ordered = column.type not in {"text", "boolean"}
        asked += [f"count({name})", f"approx_count_distinct({name})"]
        asked += [f"min({name})", f"max({name})"] if ordered else ["NULL", "NULL"]
    row = connection.execute(f"SELECT {', '.join(asked)} FROM {source}").fetchone() or ()
    return [
        (int(row[at]), int(row[at + 1]), row[at + 2], row[at + 3]) for at in range(0, len(row), 4)
    ]


def _column(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    rows: int,
    column: ColumnSchema,
    basic: tuple[int, int, Any, Any],
) -> ColumnProfile:
    count, distinct, least, greatest = basic
    plain = ColumnProfile(column.name, column.type, count, rows - count, min(distinct, count))
    if count == 0:
        return plain
    if column.type in {"number", "integer"}:
        return _numbers(connection, source, rows, plain, (float(least), float(greatest)))
    if column.type in {"date", "timestamp"}:
        return ColumnProfile(**{**asdict(plain), "minimum": _iso(least), "maximum": _iso(greatest)})
    name = identifier(column.name)
    top = connection.execute(
        f"SELECT left(CAST({name} AS VARCHAR), {LONGEST_TEXT}), count(*) "
        f"FROM {source} WHERE {name} IS NOT NULL GROUP BY {name} ORDER BY 2 DESC, 1 "
        f"LIMIT {TOP_VALUES}"
    ).fetchall()
    return ColumnProfile(**{**asdict(plain), "top": [(str(value), int(n)) for value, n in top]})


def _numbers(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    rows: int,
    plain: ColumnProfile,
    extremes: tuple[float, float],
) -> ColumnProfile:
    value = f"CAST({identifier(plain.name)} AS DOUBLE)"
    least, greatest = extremes
    scale = _scale(extremes)
    mean, std = connection.execute(
        f"SELECT avg(v / {scale!r}), stddev_samp(v / {scale!r}) "
        f"FROM (SELECT {value} AS v FROM {source})"
    ).fetchone() or (None, None)
    step = math.ceil(rows / ROWS_FOR_QUANTILES)
    sampled = f"SELECT {value} AS v FROM {source}"
    if step > 1:
        numbered = f"SELECT {value} AS v, row_number() OVER () AS r FROM {source}"
        sampled = f"SELECT v FROM ({numbered}) WHERE r % {step} = 0"
    (quantiles,) = connection.execute(
        f"SELECT quantile_cont(v, {list(QUANTILES)}) FROM ({sampled})"
    ).fetchone() or (None,)
    return ColumnProfile(
        **{
            **asdict(plain),
            "minimum": least,
            "maximum": greatest,
            "mean": _rounded(mean, scale),
            "std": _rounded(std, scale),
            "quantiles": {
                str(share): float(each)
                for share, each in zip(QUANTILES, quantiles or (), strict=bool(quantiles))
            },
            "histogram": _histogram(connection, source, value, extremes),
        }
    )


def _histogram(
    connection: duckdb.DuckDBPyConnection, source: str, value: str, extremes: tuple[float, float]
) -> dict[str, list[float]]:
    least, greatest = extremes
    width = greatest / BINS - least / BINS
    if width <= 0:
        count = one_value(connection, f"SELECT count({value}) FROM {source}")
        return {"edges": [least, greatest], "counts": [count]}
    place = f"least(floor(({value} / {width!r}) - ({least / width!r})), {BINS - 1})"
    found = connection.execute(
        f"SELECT CAST({place} AS INTEGER), count(*) FROM {source} "
        f"WHERE {value} IS NOT NULL GROUP BY 1"
    ).fetchall()
    counts = [0.0] * BINS
    for bin_, count in found:
        counts[max(0, int(bin_))] += count
    return {"edges": [least + width * edge for edge in range(BINS)] + [greatest], "counts": counts}


def _scale(extremes: tuple[float, float]) -> float:
    """Values are divided by this before they are squared, so that 1e200 does not overflow."""
    return max(abs(extremes[0]), abs(extremes[1])) or 1.0


def _rounded(value: float | None, scale: float) -> float | None:
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value * scale:.{DIGITS}g}")


def _iso(value: date) -> str:
    return value.isoformat()
