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

LARGEST_WHOLE = 2.0**52
"""From here on, a half is lost between whole numbers."""

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
BINS = 20
ROOM = 0.15
"""A histogram reaches so far beyond the quantiles of 1 % and 99 %, in shares of their distance."""

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
class Histogram:
    """k+1 rising `edges`, numbers or ISO texts, and k `counts` of the values between them.

    A bin holds its upper edge. `below` and `above` are far from nearly all others.
    """

    edges: tuple[float | str, ...]
    counts: tuple[int, ...]
    below: int = 0
    above: int = 0


@dataclass(frozen=True)
class Distribution:
    """The described values of one column; `distinct` is exact among them.

    `levels`: the most frequent values; of many that are there once each, none. `quantiles`, by
    share, are numbers, or ISO texts of dates and timestamps.
    """

    count: int
    distinct: int
    levels: tuple[Level, ...]
    quantiles: Mapping[str, float | str] | None = None
    histogram: Histogram | None = None
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
    """What two queries tell of several columns: their quantiles, then what falls between them."""
    asked = []
    for field, known in columns:
        if field.is_text:
            asked += [f"[min({field.length}), median({field.length}), max({field.length})]", "NULL"]
        elif known.least is None:
            asked += ["NULL", "NULL"]
        else:
            scaled = f"{field.number} / {scale_of(known)!r}"
            skewness = f"CASE WHEN min({scaled}) < max({scaled}) THEN skewness({scaled}) END"
            asked += [
                f"quantile_cont({field.number}, {list(QUANTILES)})",
                skewness if field.is_number else "NULL",
            ]
    row = _one_row(connection, asked, described)
    edges = [
        _edges(field, known, row[2 * place]) if field.is_ordered and row[2 * place] else []
        for place, (field, known) in enumerate(columns)
    ]
    counts = _one_row(
        connection,
        [
            f"map_values(histogram({field.number}, {own}))" if own else "NULL"
            for (field, _), own in zip(columns, edges, strict=True)
        ],
        described,
    )
    return [
        _shape(field, row[2 * place], row[2 * place + 1], edges[place], counts[place])
        for place, (field, _) in enumerate(columns)
    ]


def _one_row(
    connection: duckdb.DuckDBPyConnection, asked: Sequence[str], described: DescribedRows
) -> Sequence[Any]:
    query = f"SELECT {', '.join(asked)} FROM {described.table}"
    return connection.execute(query).fetchone() or ()


def _shape(
    field: Field,
    found: Sequence[float] | None,
    skewness: float | None,
    edges: Sequence[float],
    counts: Sequence[int] | None,
) -> dict[str, Any]:
    if found is None or found[0] is None:
        return {}
    if field.is_text:
        return {"lengths": Lengths(int(found[0]), float(found[1]), int(found[2]))}
    below, *inner = counts or [0, 0]
    above = inner.pop() if len(inner) == len(edges) else 0
    return {
        "quantiles": {
            str(share): told(field, value)
            for share, value in zip(QUANTILES, found, strict=True)
            if math.isfinite(value)
        },
        "skewness": rounded(skewness),
        "histogram": Histogram(
            tuple(told(field, edge) for edge in edges),
            tuple(int(count) for count in inner),
            int(below),
            int(above),
        ),
    }


def _edges(field: Field, known: Totals, quantiles: Sequence[float]) -> list[float]:
    """Edges of bins of one width: around nearly all values, whatever a few far ones do.

    Whole numbers get bins of as many of them each. The first edge lies just below the least value,
    as a bin does not hold its lower edge.
    """
    least, greatest = known.least or 0.0, known.greatest or 0.0
    low, high = quantiles[0], quantiles[-1]
    if math.isfinite(high - low) and high > low:
        room = (high - low) * ROOM
        least, greatest = max(least, low - room), min(greatest, high + room)
    if field.column.type == "integer" and greatest - least < LARGEST_WHOLE:
        least, greatest = math.floor(least) - 0.5, math.ceil(greatest) + 0.5
        size = math.ceil((greatest - least) / BINS)
        bins = math.ceil((greatest - least) / size)
        return [least + size * edge for edge in range(bins + 1)]
    width = greatest / BINS - least / BINS
    edges = [least + width * edge for edge in range(BINS)] + [greatest]
    if not all(one < other for one, other in itertools.pairwise(edges)):
        edges = [least, greatest]
    if edges[0] == known.least:
        edges[0] = math.nextafter(edges[0], -math.inf)
    return edges if math.isfinite(edges[0]) else [least, greatest]


def told(field: Field, value: float) -> float | str:
    """A number as it is, a time as an ISO text."""
    if not field.is_time:
        return value
    try:
        moment = datetime.fromtimestamp(value, UTC).replace(tzinfo=None)
    except (OverflowError, ValueError, OSError):
        return f"year {round(1970 + value / SECONDS_PER_YEAR)}"
    return moment.date().isoformat() if field.column.type == "date" else moment.isoformat()
