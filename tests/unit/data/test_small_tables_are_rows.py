"""Files to score and labels are read as plain rows in order, and answers written as such."""

from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evergreen.data.refusal import UploadRefusedError
from evergreen.data.rows import read_rows, write_rows


def test_rows_come_in_order_with_plain_values(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("id,n,b,d,t\nx,1,true,2020-01-01,\ny,2.5,,NA,2020-01-01 10:00\n")
    assert list(read_rows(path, "rows.csv")) == [
        {"id": "x", "n": 1.0, "b": True, "d": date(2020, 1, 1), "t": None},
        {
            "id": "y",
            "n": 2.5,
            "b": None,
            "d": None,
            "t": datetime.fromisoformat("2020-01-01T10:00"),
        },
    ]


def test_an_id_of_digits_can_be_said_to_be_text(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("prediction_id,label\n12e4,1\n0013,0\n")
    rows = list(read_rows(path, "labels.csv", {"prediction_id": "text", "label": "text"}))
    assert rows == [
        {"prediction_id": "12e4", "label": "1"},
        {"prediction_id": "0013", "label": "0"},
    ]


def test_no_row_is_given_when_one_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("a,b\n1,2\n3\n")
    with pytest.raises(UploadRefusedError, match="line 3 has fewer values"):
        next(iter(read_rows(path, "rows.csv")))


VALUE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**62), 2**62),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs"], exclude_characters="\0")).map(
        lambda text: f"<{text}>"
    ),
    st.datetimes(
        datetime.fromisoformat("1900-01-01T00:00"), datetime.fromisoformat("2200-01-01T00:00")
    ),
)
COLUMNS = {"b": bool, "i": int, "f": float, "s": str, "t": datetime}


@settings(max_examples=25)
@given(rows=st.lists(st.fixed_dictionaries(dict.fromkeys(COLUMNS, VALUE)), min_size=1, max_size=20))
def test_parquet_gives_back_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]
) -> None:
    path = tmp_path_factory.mktemp("rows") / "rows.parquet"
    given_rows = [
        {name: row[name] if type(row[name]) is kind else None for name, kind in COLUMNS.items()}
        for row in rows
    ]
    types: Any = {"b": "boolean", "i": "integer", "f": "number", "s": "text", "t": "timestamp"}
    write_rows(path, given_rows, types)
    assert list(read_rows(path, "rows.parquet", types)) == given_rows


def test_columns_of_all_rows_are_written(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    write_rows(path, [{"a": 1}, {"a": 2.5, "b": "x, y"}, {"c": True}])
    assert path.read_text() == 'a,b,c\n1.0,,\n2.5,"x, y",\n,,true\n'


def test_nothing_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="neither rows nor types"):
        write_rows(tmp_path / "rows.csv", [])
