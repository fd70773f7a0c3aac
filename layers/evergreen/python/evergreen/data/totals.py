"""What is counted over all rows of a dataset: values, extremes, mean, spread, different values."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import duckdb

from evergreen.data.described_rows import COLUMNS_PER_QUERY, Field
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
    count, distinct = len(runs.ordered), len(runs.distinct)
    if not count or not field.is_ordered:
        return Totals(count, distinct=distinct)
    known = Totals(count, float(runs.ordered[0]), float(runs.ordered[-1]), distinct=distinct)
    if not field.is_number:
        return known
    mean, std, _ = runs.moments
    return replace(known, mean=rounded(mean), std=rounded(std))


def count_all(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    columns: Sequence[tuple[Field, str]],
    *,
    distinct: bool,
) -> list[Totals]:
    """Totals of `columns` (each with the SQL of its value over `source`), in their order.

    `distinct`, if asked for, is estimated (HyperLogLog, standard error 3 %).
    """
    made: list[Totals] = []
    for some in _batches(columns):
        extremes = _extremes(connection, source, some)
        made += _with_sums(connection, source, some, extremes, distinct=distinct)
    return made


def _batches(columns: Sequence[tuple[Field, str]]) -> Iterator[Sequence[tuple[Field, str]]]:
    for first in range(0, len(columns), COLUMNS_PER_QUERY):
        yield columns[first : first + COLUMNS_PER_QUERY]


def _extremes(
    connection: duckdb.DuckDBPyConnection, source: str, columns: Sequence[tuple[Field, str]]
) -> list[Totals]:
    """Counts and extremes: of Parquet files DuckDB takes most of them from the footers."""
    asked = []
    for field, value in columns:
        ends = [f"min({value})", f"max({value})"] if field.is_ordered else ["NULL", "NULL"]
        asked += [f"count({value})", *(f"epoch({end})" if field.is_time else end for end in ends)]
    row = connection.execute(f"SELECT {', '.join(asked)} FROM {source}").fetchone() or ()
    return [
        Totals(int(row[at]), _float(row[at + 1]), _float(row[at + 2]))
        for at in range(0, len(row), 3)
    ]


def _float(value: float | None) -> float | None:
    return None if value is None else float(value)


def _with_sums(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    columns: Sequence[tuple[Field, str]],
    extremes: Sequence[Totals],
    *,
    distinct: bool,
) -> list[Totals]:
    asked = []
    for (field, value), known in zip(columns, extremes, strict=True):
        number = f"CAST({value} AS DOUBLE)"
        scale = _scale(known)
        scaled = number if scale == 1 else f"{number} / {scale!r}"
        wanted = field.is_number and known.count > 0
        asked += [f"avg({scaled})", f"stddev_samp({scaled})"] if wanted else ["NULL", "NULL"]
        asked += [f"approx_count_distinct({value})" if distinct else "0"]
    row = connection.execute(f"SELECT {', '.join(asked)} FROM {source}").fetchone() or ()
    return [
        Totals(
            known.count,
            known.least,
            known.greatest,
            rounded(row[3 * place], _scale(known)),
            rounded(row[3 * place + 1], _scale(known)),
            min(int(row[3 * place + 2]), known.count),
        )
        for place, known in enumerate(extremes)
    ]


def _scale(known: Totals) -> float:
    if known.least is None or known.greatest is None:
        return 1.0
    return scale_of(known.least, known.greatest)


def rounded(value: float | None, scale: float = 1.0) -> float | None:
    """A sum without the digits that depend on the order of adding; None for what is no number."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value * scale:.{DIGITS}g}")
