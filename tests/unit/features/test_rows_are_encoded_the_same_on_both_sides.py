"""Training encodes by column and serving by row; the law is that they give the same."""

from datetime import datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evergreen.data.engine import connect
from evergreen.data.rows import write_rows
from evergreen.features.columnar import encode_table
from evergreen.features.encoding import MISSING_CATEGORY, Encoded, encode, moment_parts
from evergreen.features.signature import MOMENT_PARTS, Column, Kind, Signature, Task

REVIEW = Column("review", Kind.TEXT, terms=("good", "not", "not good", "é"), idf=(1.0, 2, 3, 1.5))
SIGNATURE = Signature(
    target="y",
    task=Task.REGRESSION,
    columns=(
        Column("moment", Kind.MOMENT),
        Column("text", Kind.CATEGORY),
        Column("number", Kind.NUMBER),
        Column("day", Kind.MOMENT),
        Column("whole", Kind.NUMBER),
        Column('odd "name"', Kind.CATEGORY),
        Column("flag", Kind.NUMBER),
        REVIEW,
    ),
)
TYPES: Any = {
    "moment": "timestamp",
    "text": "text",
    "number": "number",
    "day": "date",
    "whole": "integer",
    'odd "name"': "text",
    "flag": "boolean",
    "review": "text",
}
LARGEST = float(np.finfo(np.float32).max)
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"], exclude_characters="\0"))
ROW = st.fixed_dictionaries(
    {
        "moment": st.none()
        | st.datetimes(datetime.fromisoformat("1600-01-01"), datetime.fromisoformat("2400-01-01")),
        "text": st.none() | TEXT,
        "number": st.none() | st.floats(-LARGEST, LARGEST),
        "day": st.none() | st.dates(),
        "whole": st.none() | st.integers(-(2**63), 2**63 - 1),
        'odd "name"': st.none() | st.sampled_from(["", "a", "A", "é"]),
        "flag": st.none() | st.booleans(),
        "review": st.none()
        | TEXT
        | st.lists(st.sampled_from(["Not", "good", "É", "bad", "<br/>"])).map(" ".join),
    }
)


def by_column(rows: list[dict[str, Any]], directory: Any) -> Encoded:
    path = directory / "rows.parquet"
    write_rows(path, rows, TYPES)
    with connect(directory) as connection:
        connection.execute(f"CREATE TABLE prepared AS SELECT * FROM '{path}'")
        made = encode_table(connection, "prepared", SIGNATURE.columns)
        (documents,) = made.documents
        return made.with_weights([documents.weights(REVIEW, len(rows))]).rows


@settings(max_examples=30)
@given(rows=st.lists(ROW, max_size=40))
def test_encoding_by_column_equals_encoding_by_row(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]
) -> None:
    made, expected = by_column(rows, tmp_path_factory.mktemp("law")), encode(rows, SIGNATURE)
    assert made.numbers.dtype == expected.numbers.dtype == np.float32
    assert made.numbers.shape == (len(rows), len(SIGNATURE.number_names))
    np.testing.assert_array_equal(made.numbers, expected.numbers)
    assert made.categories.shape == expected.categories.shape
    assert made.categories.tolist() == expected.categories.tolist()


def test_a_number_beyond_float32_stays_finite_in_training(tmp_path: Any) -> None:
    rows = [{**dict.fromkeys(TYPES), "number": value} for value in (1e300, -1e300)]
    numbers = by_column(rows, tmp_path).numbers[:, 0]
    assert numbers.tolist() == [LARGEST, -LARGEST]


def test_a_column_that_a_row_lacks_is_missing() -> None:
    encoded = encode([{"number": 1}], SIGNATURE)
    assert encoded.numbers[0, 0] == 1
    assert np.isnan(encoded.numbers[0, 1:-4]).all()
    assert encoded.numbers[0, -4:].tolist() == [0, 0, 0, 0]
    assert set(encoded.categories[0]) == {MISSING_CATEGORY}


def test_a_moment_is_month_day_weekday_and_hour() -> None:
    assert MOMENT_PARTS == ("month", "day", "weekday", "hour")
    assert moment_parts(datetime.fromisoformat("2013-06-02T17:45")) == (6, 2, 6, 17)
    assert np.isnan(moment_parts(None)).all()


def test_rows_can_be_taken_by_mask_or_place() -> None:
    encoded = encode([{"number": i, "text": str(i)} for i in range(4)], SIGNATURE)
    assert encoded.take(np.array([False, True, False, True])).numbers[:, 0].tolist() == [1, 3]
    assert encoded.take(np.array([2, 0])).categories[:, 0].tolist() == ["2", "0"]
