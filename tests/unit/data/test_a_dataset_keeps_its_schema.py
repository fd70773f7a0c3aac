"""A new part is held against what the dataset is; parts that agree become one table."""

from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evergreen.data.engine import connect
from evergreen.data.parts import rows_of, schema_of_all
from evergreen.data.schema import (
    COLUMN_TYPES,
    ColumnSchema,
    Schema,
    SchemaConflictError,
    unify,
)
from tests.unit.data.uploads import Uploader, numbered, types, write_parquet

KNOWN = Schema((ColumnSchema("id", "integer"), ColumnSchema("x", "number")))

COLUMN = st.builds(
    ColumnSchema,
    name=st.sampled_from(["a", "b", "c"]),
    type=st.sampled_from(["integer", "number"]),
    nullable=st.booleans(),
    empty=st.booleans(),
)
SCHEMA = st.lists(COLUMN, unique_by=lambda column: column.name, max_size=3).map(
    lambda columns: Schema(tuple(columns))
)


def test_a_changed_type_is_refused_with_an_example_and_its_line(uploader: Uploader) -> None:
    (reason,) = uploader.refused("id,x\n1,low\n2,high\n", known=KNOWN)
    assert (reason.code, reason.column, reason.line, reason.value) == (
        "type_changed",
        "x",
        2,
        "low",
    )
    assert "was number so far and is text here: 'low' in line 2" in reason.message


def test_all_changed_columns_are_named(uploader: Uploader) -> None:
    reasons = uploader.refused("id,x\na,true\nb,false\n", known=KNOWN)
    assert [reason.column for reason in reasons] == ["id", "x"]


def test_a_changed_type_in_parquet_is_refused_with_its_row(uploader: Uploader) -> None:
    query = "SELECT i AS id, CASE WHEN i > 0 THEN DATE '2020-01-01' END AS x FROM range(5) r(i)"
    content = write_parquet(uploader.directory / "given.parquet", query).read_bytes()
    (reason,) = uploader.refused(content, known=KNOWN)
    assert (reason.code, reason.column, reason.line) == ("type_changed", "x", 2)


def test_a_few_values_of_another_type_are_bad_rows(uploader: Uploader) -> None:
    part = uploader.take("id,x\n" + numbered(10, "{i},{i}") + "10,unknown\n", known=KNOWN)
    assert (part.rows, part.quarantined_rows) == (10, 1)
    assert uploader.codes() == [(12, ["not_number"])]


def test_whole_numbers_become_numbers_and_dates_become_times(uploader: Uploader) -> None:
    known = Schema((ColumnSchema("n", "integer"), ColumnSchema("t", "date")))
    part = uploader.take("n,t\n1.5,2020-01-01 10:00\n", known=known)
    assert types(part) == {"n": "number", "t": "timestamp"}
    assert [column.type for column in unify([known, part.schema]).columns] == [
        "number",
        "timestamp",
    ]


def test_a_text_column_stays_text_when_a_part_looks_like_numbers(uploader: Uploader) -> None:
    known = Schema((ColumnSchema("ticket", "text"),))
    assert types(uploader.take("ticket\n24160\n113781\n", known=known)) == {"ticket": "text"}


def test_columns_that_come_and_go_are_warned_of(uploader: Uploader) -> None:
    part = uploader.take_after("id,x\n1,1.5\n", "id,extra\n1,2\n")
    assert part.warnings == (
        "column 'x' is not in this file: its values are missing",
        "column 'extra' is new: it is missing in the dataset's other parts",
    )


def test_a_column_is_known_in_any_case(uploader: Uploader) -> None:
    assert uploader.take("ID,X\n1,2\n", known=KNOWN).schema.names == ("id", "x")


def test_a_column_without_values_takes_the_known_type(uploader: Uploader) -> None:
    assert types(uploader.take("id,x\n1,NA\n", known=KNOWN))["x"] == "number"


def test_types_that_no_type_holds_are_a_conflict() -> None:
    one, other = (Schema((ColumnSchema("a", kind),)) for kind in ("text", "number"))
    with pytest.raises(SchemaConflictError, match=r"'a' is number in one part and text in another"):
        unify([one, other])


@given(schemas=st.lists(SCHEMA, min_size=1, max_size=4))
def test_unified_schemas_do_not_depend_on_the_order(schemas: list[Schema]) -> None:
    def facts(schema: Schema) -> set[ColumnSchema]:
        return set(schema.columns)

    assert facts(unify(schemas)) == facts(unify(reversed(schemas)))
    assert unify([unify(schemas), *schemas]) == unify(schemas)


@given(schema=SCHEMA)
def test_a_schema_survives_its_record(schema: Schema) -> None:
    assert Schema.from_plain(schema.to_plain()) == schema


@pytest.mark.parametrize("kind", COLUMN_TYPES)
def test_an_empty_column_joins_any_type(kind: str) -> None:
    empty = Schema((ColumnSchema("a", "text", empty=True),))
    typed = Schema((ColumnSchema("a", kind, nullable=False),))  # type: ignore[arg-type]
    assert unify([empty, typed]) == unify([typed, empty])
    assert unify([empty, typed]).columns[0].type == kind


def test_parts_become_one_table_in_their_order(tmp_path: Path) -> None:
    parts = [
        write_parquet(tmp_path / "1.parquet", "SELECT 1::BIGINT AS n, NULL::VARCHAR AS late"),
        write_parquet(tmp_path / "2.parquet", "SELECT 1.5::DOUBLE AS late, 2.5::DOUBLE AS n"),
        write_parquet(tmp_path / "3.parquet", "SELECT 3::BIGINT AS n, DATE '2020-01-01' AS day"),
    ]
    with connect(tmp_path) as connection:
        schema = schema_of_all(connection, parts)
        assert {each.name: each.type for each in schema.columns} == {
            "n": "number",
            "late": "number",
            "day": "date",
        }
        rows = connection.execute(rows_of(connection, parts)).fetchall()
    assert [row[0] for row in rows] == [1.0, 2.5, 3.0]
    assert [row[1] for row in rows] == [None, 1.5, None]


def test_parts_that_disagree_are_a_conflict(tmp_path: Path) -> None:
    parts = [
        write_parquet(tmp_path / "1.parquet", "SELECT 'x' AS n"),
        write_parquet(tmp_path / "2.parquet", "SELECT 1 AS n"),
    ]
    with duckdb.connect() as connection, pytest.raises(SchemaConflictError):
        schema_of_all(connection, parts)
