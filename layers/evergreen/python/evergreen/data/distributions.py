"""How the values of the described rows are distributed, column by column."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from evergreen.data.described_rows import DescribedRows, Field, Values
from evergreen.data.runs import LARGEST_WHOLE, Runs
from evergreen.data.totals import Totals, rounded

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
    share, are numbers, or ISO texts of dates and timestamps; so are `hundredths`, the values in
    the middle of each hundredth.
    """

    count: int
    distinct: int
    levels: tuple[Level, ...]
    quantiles: Mapping[str, float | str] | None = None
    histogram: Histogram | None = None
    skewness: float | None = None
    lengths: Lengths | None = None
    hundredths: tuple[float | str, ...] = ()


def describe(each: Values, runs: Runs, known: Totals) -> Distribution:
    """The distribution of one column of the described rows; texts are hashes still."""
    field, count, distinct = each.field, runs.count, len(runs.distinct)
    levels = [
        (value, rows)
        for value, rows in runs.most_frequent(MOST_LEVELS)
        if rows > 1 or distinct <= MOST_LEVELS
    ]
    named = tuple(
        Level(value, "" if field.is_text else _spelled(field, value), rows)
        for value, rows in levels
    )
    if not count or not field.is_ordered:
        return Distribution(count, distinct, named, lengths=_lengths(each))
    quantiles = runs.quantiles(np.array(QUANTILES))
    edges = _edges(field, known, quantiles)
    below, *inner, above = runs.counts_between(edges)
    return Distribution(
        count,
        distinct,
        named,
        {
            str(share): told(field, float(value))
            for share, value in zip(QUANTILES, quantiles, strict=True)
            if math.isfinite(value)
        },
        Histogram(
            tuple(told(field, edge) for edge in edges),
            tuple(int(each) for each in inner),
            int(below),
            int(above),
        ),
        rounded(runs.moments[2]) if field.is_number else None,
        hundredths=tuple(told(field, float(value)) for value in runs.hundredths()),
    )


def with_texts(
    connection: duckdb.DuckDBPyConnection,
    described: DescribedRows,
    distributions: Sequence[Distribution],
) -> list[Distribution]:
    """The same with the texts behind hashes; of equally frequent ones the first in the alphabet."""
    first_rows = {
        each.field: [int(np.argmax(each.values == np.uint64(level.value))) for level in made.levels]
        for each, made in zip(described.columns, distributions, strict=True)
        if each.field.is_text
    }
    texts = described.texts(connection, first_rows)
    named = []
    for field, made in zip(described.fields, distributions, strict=True):
        if field.is_text:
            levels = [
                replace(level, shown=texts[field, row])
                for level, row in zip(made.levels, first_rows[field], strict=True)
            ]
            levels.sort(key=lambda level: (-level.rows, level.shown))
            named.append(replace(made, levels=tuple(levels)))
        else:
            named.append(made)
    return named


def _lengths(each: Values) -> Lengths | None:
    if each.lengths is None or not each.present.any():
        return None
    lengths = each.lengths[each.present]
    return Lengths(int(lengths.min()), float(np.median(lengths)), int(lengths.max()))


def _spelled(field: Field, value: Any) -> str:
    if field.column.type == "boolean":
        return "true" if value else "false"
    if field.is_time:
        return str(told(field, float(value)))
    return (
        str(int(value)) if float(value).is_integer() and abs(value) < LARGEST_WHOLE else str(value)
    )


def _edges(field: Field, known: Totals, quantiles: NDArray[np.float64]) -> list[float]:
    """Edges of bins of one width: around nearly all values, whatever a few far ones do.

    Whole numbers get bins of as many of them each. The first edge lies just below the least value,
    as a bin does not hold its lower edge.
    """
    least, greatest = known.least or 0.0, known.greatest or 0.0
    low, high = float(quantiles[0]), float(quantiles[-1])
    if math.isfinite(high - low) and high > low:
        room = (high - low) * ROOM
        least, greatest = max(least, low - room), min(greatest, high + room)
    # Beyond that size, no half stands between two whole numbers.
    if field.column.type == "integer" and max(-least, greatest) < LARGEST_WHOLE:
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
