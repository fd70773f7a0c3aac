"""What is counted over all rows of a dataset: values, extremes, mean, spread, different values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import duckdb
import numpy as np

from evergreen.data.described_rows import COLUMNS_PER_QUERY, Field, Values
from evergreen.data.observations import Observed, ObservedColumn
from evergreen.data.runs import Runs, scale_of

DIGITS = 12
"""Significant digits of sums: two threads do not always add in the same order."""


@dataclass(frozen=True)
class Totals:
    """One column over all rows.

    `least` and `greatest`: extremes of numbers, and of times in seconds since 1970; None of
    texts, booleans and empty columns. `mean` and `std` (sample standard deviation): of numbers.
    `distinct`: different values.
    """

    count: int
    least: float | None = None
    greatest: float | None = None
    mean: float | None = None
    std: float | None = None
    distinct: int = 0


def totals_of(field: Field, runs: Runs) -> Totals:
    """The totals of a column of which all rows are described; `distinct` is exact."""
    count, distinct = runs.count, len(runs.distinct)
    if not count or not field.is_ordered:
        return Totals(count, distinct=distinct)
    known = Totals(count, float(runs.distinct[0]), float(runs.distinct[-1]), distinct=distinct)
    if not field.is_number:
        return known
    mean, std, _ = runs.moments
    return replace(known, mean=rounded(mean), std=rounded(std))


def count_all(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    columns: Sequence[tuple[Values, str]],
    observed: Observed | None = None,
) -> list[Totals]:
    """Totals of `columns` (some values, and SQL for all over `source`), in their order.

    Values are counted, and `distinct` is estimated (HyperLogLog), if they were not `observed`.
    """
    made: list[Totals] = []
    for first in range(0, len(columns), COLUMNS_PER_QUERY):
        some = columns[first : first + COLUMNS_PER_QUERY]
        seen = observed.columns[first : first + COLUMNS_PER_QUERY] if observed else None
        known = _known(connection, source, some, seen)
        made += _with_sums(connection, source, some, known)
    return made


def _known(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    columns: Sequence[tuple[Values, str]],
    seen: Sequence[ObservedColumn] | None,
) -> list[Totals]:
    """All but sums. Asked for alone, extremes are taken from the footers of files."""
    asked: list[str] = []
    for each, value in columns:
        if seen is None:
            asked += [f"count({value})", f"approx_count_distinct({value})"]
        if each.field.is_ordered:
            ends = [f"min({value})", f"max({value})"]
            asked += [f"epoch({end})" for end in ends] if each.field.is_time else ends
    found = iter(_row(connection, source, asked) if asked else ())
    made = []
    for place, (each, _) in enumerate(columns):
        if seen is None:
            count, distinct = int(next(found)), int(next(found))
        else:
            count, distinct = seen[place].count, seen[place].distinct
        least, greatest = (next(found), next(found)) if each.field.is_ordered else (None, None)
        distinct = min(distinct, count)
        made.append(Totals(count, _float(least), _float(greatest), distinct=distinct))
    return made


def _row(
    connection: duckdb.DuckDBPyConnection, source: str, asked: Sequence[str]
) -> tuple[Any, ...]:
    return connection.execute(f"SELECT {', '.join(asked)} FROM {source}").fetchone() or ()


def _float(value: float | None) -> float | None:
    return None if value is None else float(value)


def _with_sums(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    columns: Sequence[tuple[Values, str]],
    counted: Sequence[Totals],
) -> list[Totals]:
    asked, centres = [], []
    for (some, value), known in zip(columns, counted, strict=True):
        scale = _scale(known)
        centres.append(_centre(some) / scale)
        number = f"CAST({value} AS DOUBLE)"
        scaled = number if scale == 1 else f"{number} / {scale!r}"
        apart = f"({scaled} - {centres[-1]!r})"
        wanted = some.field.is_number and known.count > 0
        asked += [f"avg({apart})", f"avg({apart} * {apart})"] if wanted else ["NULL", "NULL"]
    row = _row(connection, source, asked)
    made = []
    for place, (known, centre) in enumerate(zip(counted, centres, strict=True)):
        apart, squares = row[2 * place : 2 * place + 2]
        mean, std = _moments(apart, squares, centre, known.count)
        scale = _scale(known)
        made.append(replace(known, mean=rounded(mean, scale), std=rounded(std, scale)))
    return made


def _centre(some: Values) -> float:
    """The median of some values.

    It is within a standard deviation of the mean: the squares of distances from it lose no digits,
    and are summed faster than those of distances from a running mean.
    """
    if not some.field.is_number or not some.present.any():
        return 0.0
    return float(np.median(some.values[some.present]))


def _moments(
    apart: float | None, squares: float | None, centre: float, count: int
) -> tuple[float | None, float | None]:
    """Mean and sample standard deviation, from the means of distances from `centre` and squares."""
    if apart is None or squares is None:
        return None, None
    variance = max(0.0, squares - apart * apart)
    return centre + apart, math.sqrt(variance * count / (count - 1)) if count > 1 else None


def _scale(known: Totals) -> float:
    if known.least is None or known.greatest is None:
        return 1.0
    return scale_of(known.least, known.greatest)


def rounded(value: float | None, scale: float = 1.0) -> float | None:
    """A sum without the digits that depend on the order of adding; None for what is no number."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value * scale:.{DIGITS}g}")
