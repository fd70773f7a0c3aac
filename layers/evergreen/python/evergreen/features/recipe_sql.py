"""The SQL of row-wise steps: the same text over training rows and over the rows of a request."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence

from evergreen.data.engine import identifier


def with_column(rows: str, there: Container[str], name: str, expression: str) -> str:
    """The query that adds a column to `rows` (SQL), or replaces it where it is `there`."""
    computed = f"{expression} AS {identifier(name)}"
    columns = f"* REPLACE ({computed})" if name in there else f"*, {computed}"
    return f"SELECT {columns} FROM {rows}"


def finite_or_missing(expression: str) -> str:
    """SQL for a number that is missing where it is infinite or NaN."""
    return f"CASE WHEN isfinite({expression}) THEN {expression} END"


def equal_keys(keys: Sequence[tuple[str, str]]) -> str:
    """SQL for whether `rows` and `reference` belong together; a missing key equals none."""
    return " AND ".join(
        f"rows.{identifier(left)} = reference.{identifier(right)}" for left, right in keys
    )


def with_partner(
    rows: str, reference: str, keys: Sequence[tuple[str, str]], added: Mapping[str, str]
) -> str:
    """The query that adds columns of `reference` (SQL), in which each key stands once.

    `added`: name among the rows → column of the reference.
    """
    columns = "".join(
        f", reference.{identifier(column)} AS {identifier(name)}" for name, column in added.items()
    )
    return (
        f"SELECT rows.*{columns} FROM {rows} AS rows "
        f"LEFT JOIN {reference} AS reference ON {equal_keys(keys)}"
    )
