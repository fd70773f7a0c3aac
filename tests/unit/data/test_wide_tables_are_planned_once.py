"""Columns are judged alike, alone or among a thousand; and a wide table costs few long queries."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from evergreen.data.inference import COLUMNS_TRIED_AT_ONCE, Inferred, TextColumn, infer
from evergreen.data.readings import READINGS, cleaned

KINDS = (
    "i::VARCHAR",
    "(i / 7)::VARCHAR",
    "'word ' || i % 9",
    "strftime(DATE '2024-01-01' + i::INT, '%d.%m.%Y')",
    "strftime(DATE '2024-01-01' + i::INT, '%m/%d/%Y')",
    "(TIMESTAMP '2024-01-01' + to_hours(i))::VARCHAR",
    "CASE WHEN i % 2 = 0 THEN 'true' ELSE 'false' END",
    "NULL",
    "CASE WHEN i > 1100 THEN i::VARCHAR END",
    "CASE WHEN i < 1100 THEN i::VARCHAR ELSE 'late' END",
    "lpad(i::VARCHAR, 5, '0')",
    "CASE WHEN i = 7 THEN '1e400' ELSE i || '.5' END",
)


class Listening:
    """A connection that remembers what it was asked."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        self.asked: list[str] = []

    def execute(self, query: str) -> Any:
        self.asked.append(query)
        return self.connection.execute(query)


@pytest.fixture
def table() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    columns = ", ".join(f"{sql} AS c{place}" for place, sql in enumerate(KINDS))
    connection.execute(f"CREATE TABLE t AS SELECT {columns} FROM range(1500) r(i)")
    return connection


def text(place: int, name: str = "c") -> TextColumn:
    return TextColumn(name, cleaned(f"c{place}"), READINGS)


def told(found: Inferred) -> tuple[Any, ...]:
    return found.type, found.format, found.values, found.misfits, found.warnings, found.certain


def test_a_column_is_read_alike_alone_and_among_many(table: duckdb.DuckDBPyConnection) -> None:
    alone = [infer(table, "t", [text(place)])[0] for place in range(len(KINDS))]
    assert [each.type for each in alone] == [
        *("integer", "number", "text", "date", "date", "timestamp", "boolean", "text"),
        *("integer", "text", "text", "number"),
    ]
    several = (COLUMNS_TRIED_AT_ONCE // len(KINDS) + 2) * len(KINDS)
    many = infer(table, "t", [text(place % len(KINDS)) for place in range(several)])
    assert [told(each) for each in many] == [
        told(alone[place % len(KINDS)]) for place in range(several)
    ]


def test_a_table_without_rows_has_columns_of_texts() -> None:
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE t (c0 VARCHAR, c1 VARCHAR)")
        found = infer(connection, "t", [text(0), text(1)])
    assert [told(each)[:3] for each in found] == [("text", None, 0)] * 2


def test_what_no_first_value_fits_costs_no_column_a_question(
    table: duckdb.DuckDBPyConnection,
) -> None:
    def asked(columns: int) -> int:
        listening = Listening(table)
        infer(listening, "t", [text(2) for _ in range(columns)])  # type: ignore[arg-type]
        return sum(map(len, listening.asked))

    # Texts of no other form: of each column its name, its cleaning twice, and two counts.
    for_each = (asked(COLUMNS_TRIED_AT_ONCE) - asked(1)) / (COLUMNS_TRIED_AT_ONCE - 1)
    assert for_each < 2 * len(text(2).raw) + 250
