"""A declared type, format or marker of missing values decides how a column is read."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from evergreen.data.schema import ColumnSchema, Schema
from tests.unit.data.uploads import Uploader, types, write_parquet


def column(**declared: Any) -> dict[str, Any]:
    return {"columns": {"x": declared}}


def values(uploader: Uploader) -> list[Any]:
    return [row[0] for row in uploader.rows()]


def test_none_is_a_category_where_nothing_is_declared(uploader: Uploader) -> None:
    uploader.take("x,y\nNone,1\nNA,1\n?,1\nGood,1\n")
    assert values(uploader) == ["None", None, None, "Good"]


def test_markers_are_declared_for_the_dataset_and_for_columns(uploader: Uploader) -> None:
    declared = {"missing": ["None", "-"], "columns": {"y": {"missing": [-1, ""]}}}
    uploader.take("x,y,z\nNone,-1,-1\n-,,-1\nNA,3,-1\n", declared=declared)
    assert uploader.rows() == [(None, None, -1), (None, None, -1), ("NA", 3, -1)]


def test_an_empty_text_is_a_value_where_it_is_not_declared_as_missing(uploader: Uploader) -> None:
    uploader.take('x,y\n"",1\n,1\nNA,1\n', declared=column(missing=["NA"]))
    assert values(uploader) == ["", "", None]


def test_no_marker_at_all(uploader: Uploader) -> None:
    uploader.take("x,y\nNA,1\n?,1\n", declared={"missing": []})
    assert values(uploader) == ["NA", "?"]


def test_markers_of_parquet_texts(uploader: Uploader) -> None:
    source = write_parquet(uploader.directory / "p", "SELECT unnest(['?', '-', '']) AS x")
    uploader.take(source.read_bytes())
    assert values(uploader) == ["?", "-", None]
    uploader.take(source.read_bytes(), declared=column(missing=["-"]))
    assert values(uploader) == ["?", None, ""]


def test_a_bad_row_with_declared_markers_has_its_line(uploader: Uploader) -> None:
    good = "".join(f"{i},-\n" for i in range(50))
    uploader.take("x,y\n" + good + "bad,-\n", declared={"missing": ["-"]})
    assert uploader.codes() == [(52, ["not_integer"])]


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("text", "007", "007"),
        ("number", "7", 7.0),
        ("integer", "007", 7),
        ("timestamp", "2026-01-02", dt.datetime(2026, 1, 2)),  # noqa: DTZ001
    ],
)
def test_a_declared_type_is_kept_to(
    uploader: Uploader, kind: str, text: str, value: object
) -> None:
    part = uploader.take(f"x,y\n{text},1\n", declared=column(type=kind))
    assert types(part)["x"] == kind
    assert values(uploader) == [value]


def test_a_declared_type_wins_over_the_one_seen(uploader: Uploader) -> None:
    known = Schema((ColumnSchema("X", "integer"),))
    part = uploader.take("x\n1\n", known=known, declared=column(type="text"))
    assert types(part) == {"X": "text"}


def test_values_of_another_type_are_bad_rows(uploader: Uploader) -> None:
    good = "".join(f"{i}\n" for i in range(50))
    part = uploader.take("x\n" + good + "1.5\n", declared=column(type="integer"))
    assert (types(part), part.quarantined_rows) == ({"x": "integer"}, 1)
    assert uploader.codes() == [(52, ["not_integer"])]


def test_a_column_of_another_type_is_refused(uploader: Uploader) -> None:
    (reason,) = uploader.refused("x\nlow\nhigh\n", declared=column(type="number"))
    assert reason.code == "type_changed"
    assert "column 'x' is declared as number and is text here: 'low' in line 2" in reason.message


@pytest.mark.parametrize(
    ("kind", "format_", "text", "value"),
    [
        ("date", "%d/%m/%Y", "03/04/2026", dt.date(2026, 4, 3)),
        ("date", "%m/%d/%Y", "03/04/2026", dt.date(2026, 3, 4)),
        ("date", "%Y%m%d", "20260403", dt.date(2026, 4, 3)),
        ("timestamp", "%d.%m.%y %Hh%M", "03.04.26 17h05", dt.datetime(2026, 4, 3, 17, 5)),  # noqa: DTZ001
    ],
)
def test_dates_are_read_as_declared(
    uploader: Uploader, kind: str, format_: str, text: str, value: object
) -> None:
    uploader.take(f"x,y\n{text},1\n", declared=column(type=kind, format=format_))
    assert values(uploader) == [value]


PARQUET = [
    ("SELECT 1::BIGINT AS x", "number", [1.0]),
    ("SELECT 1.0::DOUBLE AS x", "integer", [1]),
    ("SELECT DATE '2026-01-02' AS x", "timestamp", [dt.datetime(2026, 1, 2)]),  # noqa: DTZ001
    ("SELECT TIMESTAMP '2026-01-02' AS x", "date", [dt.date(2026, 1, 2)]),
    ("SELECT '12' AS x", "integer", [12]),
    ("SELECT 12 AS x", "text", ["12"]),
]


@pytest.mark.parametrize(("query", "kind", "expected"), PARQUET)
def test_parquet_columns_become_what_is_declared(
    uploader: Uploader, query: str, kind: str, expected: list[Any]
) -> None:
    source = write_parquet(uploader.directory / "p", query)
    part = uploader.take(source.read_bytes(), declared=column(type=kind))
    assert (types(part), values(uploader)) == ({"x": kind}, expected)


def test_what_a_declared_type_would_lose_is_a_bad_row(uploader: Uploader) -> None:
    query = "SELECT CASE WHEN i = 3 THEN 3.5 ELSE i END::DOUBLE AS x FROM range(50) r(i)"
    source = write_parquet(uploader.directory / "p", query)
    part = uploader.take(source.read_bytes(), declared=column(type="integer"))
    assert (part.rows, part.quarantined_rows) == (49, 1)
    assert uploader.codes() == [(4, ["not_integer"])]
