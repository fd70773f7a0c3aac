"""How the values of the described rows are distributed, column by column."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import duckdb

from evergreen.data.described_rows import DescribedRows, Field
from evergreen.data.totals import COLUMNS_PER_QUERY, Totals, rounded, scale_of

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
BINS = 20
MOST_LEVELS = 50
SECONDS_PER_YEAR = 365.2425 * 86_400


@dataclass(frozen=True)
class Lengths:
    """Characters of the texts of a column."""

    shortest: int
    median: float
    longest: int


@dataclass(frozen=True)
class Level:
    """A value as it stands in the described rows, as it is shown, and how many rows have it."""

    value: Any
    shown: str
    rows: int


@dataclass(frozen=True)
class Distribution:
    """The described values of one column; `distinct` is exact among them.

    `levels`: the most frequent values; of many that are there once each, none. `quantiles` by
    share and `edges` (k+1) of the histogram's `counts` (k) are numbers, or ISO texts of dates and
    timestamps; a bin holds its upper edge.
    """

    count: int
    distinct: int
    levels: tuple[Level, ...]
    quantiles: Mapping[str, float | str] | None = None
    edges: tuple[float | str, ...] | None = None
    counts: tuple[int, ...] | None = None
    skewness: float | None = None
    lengths: Lengths | None = None


def describe(
    connection: duckdb.DuckDBPyConnection, described: DescribedRows, totals: Sequence[Totals]
) -> list[Distribution]:
    """The distribution of every field of the described rows, in their order."""
    shapes: list[dict[str, Any]] = []
    both = list(zip(described.fields, totals, strict=True))
    for first in range(0, len(both), COLUMNS_PER_QUERY):
        shapes += _shapes(connection, described, both[first : first + COLUMNS_PER_QUERY])
    return [
        Distribution(*_values(connection, described, field, known), **shape)
        for (field, known), shape in zip(both, shapes, strict=True)
    ]


def _values(
    connection: duckdb.DuckDBPyConnection, described: DescribedRows, field: Field, known: Totals
) -> tuple[int, int, tuple[Level, ...]]:
    """How many values, how many different ones, and the most frequent of them."""
    if known.count == 0:
        return 0, 0, ()
    found = connection.execute(
        f"SELECT value, shown, n, (count(*) OVER ())::BIGINT, (sum(n) OVER ())::BIGINT FROM ("
        f"SELECT {field.number_or_hash} AS value, any_value({field.shown}) AS shown, "
        f"count(*) AS n FROM {described.table} WHERE {field.value} IS NOT NULL GROUP BY 1) "
        f"ORDER BY n DESC, shown LIMIT {MOST_LEVELS}"
    ).fetchall()
    if not found:
        return 0, 0, ()
    distinct, count = int(found[0][3]), int(found[0][4])
    levels = tuple(
        Level(value, str(shown), int(rows))
        for value, shown, rows, *_ in found
        if rows > 1 or distinct <= MOST_LEVELS
    )
    return count, distinct, levels


def _shapes(
    connection: duckdb.DuckDBPyConnection,
    described: DescribedRows,
    columns: Sequence[tuple[Field, Totals]],
) -> list[dict[str, Any]]:
    """What one query tells of several columns."""
    edges = [_edges(known) for field, known in columns]
    asked = []
    for (field, known), own in zip(columns, edges, strict=True):
        if own:
            scaled = f"{field.number} / {scale_of(known)!r}"
            asked += [
                f"quantile_cont({field.number}, {list(QUANTILES)})",
                f"map_values(histogram({field.number}, {own[1:]}))",
                f"CASE WHEN min({scaled}) < max({scaled}) THEN skewness({scaled}) END"
                if field.is_number
                else "NULL",
            ]
        elif field.is_text:
            asked += [f"{name}({field.length})" for name in ("min", "median", "max")]
        else:
            asked += ["NULL"] * 3
    row = connection.execute(f"SELECT {', '.join(asked)} FROM {described.table}").fetchone() or ()
    return [
        _shape(field, own, row[3 * place : 3 * place + 3])
        for place, ((field, _), own) in enumerate(zip(columns, edges, strict=True))
    ]


def _shape(field: Field, edges: Sequence[float], row: Sequence[Any]) -> dict[str, Any]:
    if row[0] is None:
        return {}
    if field.is_text:
        return {"lengths": Lengths(int(row[0]), float(row[1]), int(row[2]))}
    quantiles, counts, skewness = row
    return {
        "quantiles": {
            str(share): told(field, value)
            for share, value in zip(QUANTILES, quantiles, strict=True)
            if math.isfinite(value)
        },
        "edges": tuple(told(field, edge) for edge in edges),
        "counts": tuple(int(count) for count in counts[: len(edges) - 1]),
        "skewness": rounded(skewness),
    }


def _edges(known: Totals) -> list[float]:
    """The edges of the histogram's bins, all of one width; of a single value it is one bin."""
    if known.least is None or known.greatest is None:
        return []
    width = known.greatest / BINS - known.least / BINS
    edges = [known.least + width * edge for edge in range(BINS)] + [known.greatest]
    rises = all(low < high for low, high in itertools.pairwise(edges))
    return edges if rises else [known.least, known.greatest]


def told(field: Field, value: float) -> float | str:
    """A number as it is, a time as an ISO text."""
    if not field.is_time:
        return value
    try:
        moment = datetime.fromtimestamp(value, UTC).replace(tzinfo=None)
    except (OverflowError, ValueError, OSError):
        return f"year {round(1970 + value / SECONDS_PER_YEAR)}"
    return moment.date().isoformat() if field.column.type == "date" else moment.isoformat()
