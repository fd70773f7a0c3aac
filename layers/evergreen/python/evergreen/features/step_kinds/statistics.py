"""The statistics that aggregates and windows can ask for, as one table."""

from __future__ import annotations

from collections.abc import Mapping

from evergreen.contracts.preparation_steps import Aggregate, Statistic
from evergreen.features.refusal import PreparationRefusedError
from evergreen.features.workbench import Table, Workbench, family

SQL: Mapping[Statistic, str] = {
    "count": "count({v})",
    "sum": "sum(CAST({v} AS DOUBLE))",
    "mean": "avg(CAST({v} AS DOUBLE))",
    "min": "min({v})",
    "max": "max({v})",
    "first": "arg_min({v}, {o})",
    "last": "arg_max({v}, {o})",
    "distinct": "count(DISTINCT {v})",
}
"""SQL of each statistic of a value `v` in an order `o`. Missing values count nowhere."""

COUNTS = frozenset({"count", "distinct"})
"""Statistics that are 0 where there is nothing."""


def statistic(asked: Aggregate, value: str, order: str, only: str) -> str:
    """SQL for one statistic of `value`, over the rows for which `only` is true."""
    ordered = asked.statistic in {"first", "last"}
    condition = f"{only} AND {value} IS NOT NULL" if ordered else only
    sql = SQL[asked.statistic].replace("{v}", value).replace("{o}", order)
    return f"{sql} FILTER ({condition})"


def require_columns(
    bench: Workbench, source: Table, where: str, columns: Mapping[str, Aggregate]
) -> None:
    """Refuse statistics of a column that is not there, and sums of what is no number."""
    for name, asked in columns.items():
        if asked.column is None:
            continue
        source.require([asked.column], where)
        kind = family(source.columns[asked.column])
        if asked.statistic in {"sum", "mean"} and kind != "a number":
            example = bench.example(source, asked.column)
            raise PreparationRefusedError(
                f"'{name}': column '{asked.column}' is {source.columns[asked.column]} (for "
                f"example '{example}') and has no {asked.statistic}",
                column=asked.column,
                value=example,
            )
