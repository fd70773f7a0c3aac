"""The same table in any format: the same rows are bad, for all the same reasons, by their lines."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.unit.data.uploads import Uploader, write_parquet
from tests.unit.data.workbooks import workbook

DECLARED = {
    "columns": {"x": {"type": "number"}},
    "most_bad_rows": 1,
    "anomalies": {"type_change": "warn"},
    "constraints": [
        {"not_null": ["x"]},
        {"column": "x", "range": [0, 100]},
        {"column": "note", "length": [0, 12]},
        {"row": "x <> id"},
        {"unique": "id"},
    ],
}
LONG = "longer than twelve"


@dataclass(frozen=True)
class Row:
    """A row of the table; `gap` blank lines or rows stand before it."""

    id: int
    x: str | None
    note: str
    gap: int

    @property
    def own_codes(self) -> list[str]:
        """What is wrong with it by itself, in the order in which reasons are given."""
        codes = []
        value: float | None = None
        if self.x is None:
            codes.append("not_null")
        elif self.x in ("low", "1e400"):
            codes.append("not_number" if self.x == "low" else "out_of_range")
        else:
            value = float(self.x)
        if value is not None and not 0 <= value <= 100:
            codes.append("range")
        if len(self.note) > 12:
            codes.append("length")
        if value is not None and value == self.id:
            codes.append("row")
        return codes


ROWS = st.lists(
    st.builds(
        Row,
        id=st.integers(0, 25),
        x=st.sampled_from([*"123456789", "12.5", "99", "101", "-1", "low", "1e400", None]),
        note=st.sampled_from(["a", "b;c", 'say "so"', "two\nlines", "# no note", "-- é", LONG]),
        gap=st.sampled_from([0, 0, 0, 1, 2]),
    ),
    min_size=1,
    max_size=14,
)


def wanted(rows: list[Row]) -> dict[int, list[str]]:
    """Place of each bad row → its codes."""
    keeper: dict[int, int] = {}
    for place, row in enumerate(rows):
        if not row.own_codes:
            keeper.setdefault(row.id, place)
    codes = {
        place: row.own_codes + ["unique"] * (keeper.get(row.id, place) != place)
        for place, row in enumerate(rows)
    }
    return {place: each for place, each in codes.items() if each}


Written = tuple[bytes, list[int]]
"""A file, and the line on which each row stands."""


def delimited(rows: list[Row], delimiter: str, end: str, encoding: str) -> Written:
    text, lines = io.StringIO(newline=""), []
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end)
    writer.writerow(["id", "x", "note"])
    line = 2
    for row in rows:
        text.write(end * row.gap)
        line += row.gap
        lines.append(line)
        writer.writerow([row.id, "" if row.x is None else row.x, row.note])
        line += 1 + row.note.count("\n")
    return text.getvalue().encode(encoding), lines


def as_json(row: Row) -> str:
    x = json.dumps(row.x) if row.x in ("low", None) else row.x
    return f'{{"id": {row.id}, "x": {x}, "note": {json.dumps(row.note)}}}'


def json_lines(rows: list[Row]) -> Written:
    text, lines = "", []
    for row in rows:
        text += "\n" * row.gap
        lines.append(text.count("\n") + 1)
        text += as_json(row) + "\n"
    return text.encode(), lines


def json_array(rows: list[Row]) -> Written:
    text = "[" + ",\n\n".join(as_json(row) for row in rows) + "]"
    return text.encode(), list(range(1, len(rows) + 1))


def sheet(rows: list[Row]) -> Written:
    cells: list[list[Any]] = [["id", "x", "note"]]
    lines = []
    for row in rows:
        cells += [[]] * row.gap
        lines.append(len(cells) + 1)
        number = None if row.x is None else row.x if row.x in ("low", "1e400") else float(row.x)
        cells.append([row.id, number, row.note])
    return workbook(cells), lines


FORMATS: dict[str, Callable[[list[Row]], Written]] = {
    "csv": lambda rows: delimited(rows, ",", "\n", "utf-8"),
    "csv of Windows": lambda rows: delimited(rows, ";", "\r\n", "utf-8-sig"),
    "tsv in UTF-16": lambda rows: delimited(rows, "\t", "\r\n", "utf-16"),
    "csv in Latin-1": lambda rows: delimited(rows, "|", "\n", "latin-1"),
    "JSON Lines": json_lines,
    "JSON": json_array,
    "Excel": sheet,
}


@pytest.mark.parametrize("written", FORMATS.values(), ids=FORMATS.keys())
@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=ROWS)
@example(rows=[Row(1, "low", LONG, 2), Row(1, "2", "two\nlines", 1), Row(1, "101", "a", 0)])
def test_good_and_bad_rows_are_those_of_the_table(
    uploader: Uploader, written: Callable[[list[Row]], Written], rows: list[Row]
) -> None:
    padding = [Row(1000 + n, "50", "pad", 0) for n in range(30)]
    table = [*padding, *rows]
    content, lines = written(table)
    part = uploader.take(content, declared=DECLARED)
    bad = wanted(table)
    assert (part.rows, part.quarantined_rows) == (len(table) - len(bad), len(bad))
    assert len(uploader.rows()) == part.rows
    found = uploader.codes() if bad else []
    assert found == [(lines[place], codes) for place, codes in bad.items()]
    assert [row[0] for row in uploader.rows()] == [
        row.id for place, row in enumerate(table) if place not in bad
    ]


def test_rows_of_parquet_are_divided_alike(uploader: Uploader) -> None:
    source = write_parquet(
        uploader.directory / "given.parquet",
        "SELECT i AS id, CASE WHEN i % 9 = 4 THEN 'infinity'::DOUBLE WHEN i % 9 = 5 THEN NULL "
        "WHEN i % 9 = 6 THEN 101 ELSE 50 END AS x, CASE WHEN i % 6 = 0 THEN 'longer than twelve' "
        "ELSE 'a' END AS note FROM range(60) r(i)",
    )
    part = uploader.take(source.read_bytes(), declared=DECLARED)
    kinds = {4: ["out_of_range"], 5: ["not_null"], 6: ["range"]}
    bad = {
        i: kinds.get(i % 9, []) + ["length"] * (i % 6 == 0)
        for i in range(60)
        if i % 9 in kinds or i % 6 == 0
    }
    assert part.rows + part.quarantined_rows == 60
    assert uploader.codes() == [(i + 1, codes) for i, codes in bad.items()]


@pytest.mark.parametrize(
    ("rows", "share", "most"),
    [(10, 0, 0), (10, 0.25, 2), (40, 0.1, 4), (10, 1, 10), (100, 0.29, 29), (200, 0.005, 1)],
)
def test_the_share_of_bad_rows_is_kept_to_the_row(
    uploader: Uploader, rows: int, share: float, most: int
) -> None:
    declared = {**DECLARED, "most_bad_rows": share}
    for bad in {0, most, min(rows, most + 1)}:
        good = "".join(f"{1000 + i},50,a\n" for i in range(rows - bad))
        content = "id,x,note\n" + good + "".join(f"{900 + i},999,a\n" for i in range(bad))
        if bad <= most:
            part = uploader.take(content, declared=declared)
            assert (part.rows, part.quarantined_rows) == (rows - bad, bad)
        else:
            reason, *_ = uploader.refused(content, declared=declared)
            assert reason.code == "too_many_bad_rows"
            assert f"{bad} bad rows of {rows}, more than {100 * share:g}%" in reason.message
