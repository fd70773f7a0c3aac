"""What is counted over all rows of a dataset: values, extremes, mean, spread, different values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import duckdb
import numpy as np

from evergreen.data.described_rows import COLUMNS_PER_QUERY, Field, Values
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
    *,
    distinct: bool,
) -> list[Totals]:
    """Totals of `columns` (some values, and SQL for all over `source`), in their order.

    `distinct`, if asked for, is estimated (HyperLogLog, standard error 3 %).
    """
    made: list[Totals] = []
    for first in range(0, len(columns), COLUMNS_PER_QUERY):
        some = columns[first : first + COLUMNS_PER_QUERY]
        extremes = _extremes(connection, source, [(each.field, value) for each, value in some])
        made += _with_sums(connection, source, some, extremes, distinct=distinct)
    return made


def _extremes(
    connection: duckdb.DuckDBPyConnection, source: str, columns: Sequence[tuple[Field, str]]
) -> list[Totals]:
    """Counts and extremes: asked for alone, DuckDB takes extremes from the footers of files."""
    ordered = [(field, value) for field, value in columns if field.is_ordered]
    ends = [
        f"epoch({end}({value}))" if field.is_time else f"{end}({value})"
        for field, value in ordered
        for end in ("min", "max")
    ]
    counts = _row(connection, source, [f"count({value})" for _, value in columns])
    found = iter(_row(connection, source, ends) if ends else ())
    made = []
    for (field, _), count in zip(columns, counts, strict=True):
        least, greatest = (next(found), next(found)) if field.is_ordered else (None, None)
        made.append(Totals(int(count), _float(least), _float(greatest)))
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
    extremes: Sequence[Totals],
    *,
    distinct: bool,
) -> list[Totals]:
    asked, centres = [], []
    for (some, value), known in zip(columns, extremes, strict=True):
        scale = _scale(known)
        centres.append(_centre(some) / scale)
        number = f"CAST({value} AS DOUBLE)"
        scaled = number if scale == 1 else f"{number} / {scale!r}"
        apart = f"({scaled} - {centres[-1]!r})"
        wanted = some.field.is_number and known.count > 0
        asked += [f"avg({apart})", f"avg({apart} * {apart})"] if wanted else ["NULL", "NULL"]
        asked += [f"approx_count_distinct({value})" if distinct else "0"]
    row = _row(connection, source, asked)
    made = []
    for place, (known, centre) in enumerate(zip(extremes, centres, strict=True)):
        apart, squares, different = row[3 * place : 3 * place + 3]
        mean, std = _moments(apart, squares, centre, known.count)
        totals = replace(known, mean=rounded(mean, _scale(known)), std=rounded(std, _scale(known)))
        made.append(replace(totals, distinct=min(int(different), known.count)))
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
