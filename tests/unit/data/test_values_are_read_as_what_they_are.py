"""Types are found from all values; what says missing is missing, and nothing else is."""

from datetime import date, datetime
from pathlib import Path

import pytest

from tests.unit.data.uploads import Uploader, numbered, types, write_parquet


def test_each_column_gets_the_type_of_all_its_values(uploader: Uploader) -> None:
    part = uploader.take(
        "whole,real,yes,word,day,moment\n"
        "1,1,true,x,2020-01-31,2020-01-31 10:00\n"
        "-2,2.5e3,FALSE,y,2020-02-01,2020-02-01T11:30:15.5Z\n"
    )
    assert types(part) == {
        "whole": "integer",
        "real": "number",
        "yes": "boolean",
        "word": "text",
        "day": "date",
        "moment": "timestamp",
    }
    assert uploader.rows() == [
        (1, 1.0, True, "x", date(2020, 1, 31), datetime.fromisoformat("2020-01-31T10:00")),
        (
            -2,
            2500.0,
            False,
            "y",
            date(2020, 2, 1),
            datetime.fromisoformat("2020-02-01T11:30:15.500000"),
        ),
    ]


def test_a_value_far_down_the_file_counts_as_much_as_the_first(uploader: Uploader) -> None:
    whole = "n,m\n" + "".join(f"{i},{i}\n" for i in range(5_000))
    assert types(uploader.take(whole)) == {"n": "integer", "m": "integer"}
    assert types(uploader.take(whole + "0.5,1\n")) == {"n": "number", "m": "integer"}


@pytest.mark.parametrize("marker", ["", "NA", "N/A", "NaN", "nan", "NULL", "null", "?", " ? "])
def test_missing_markers_are_missing_in_numbers_and_texts(uploader: Uploader, marker: str) -> None:
    uploader.take(f"n,t\n{marker},{marker}\n1,x\n")
    assert uploader.rows() == [(None, None), (1, "x")]


def test_none_is_a_category_and_not_missing(uploader: Uploader) -> None:
    part = uploader.take("alley,n\nNone,1\nGrvl,2\n")
    assert uploader.rows() == [("None", 1), ("Grvl", 2)]
    assert not any(column.nullable for column in part.schema.columns)


def test_spaces_around_values_and_names_are_taken_away(uploader: Uploader) -> None:
    part = uploader.take(' age ,Culmen Length (mm),class\n 39, 18.5, <=50K\n 40 ,\t19.0, "a, b" \n')
    assert part.schema.names == ("age", "Culmen Length (mm)", "class")
    assert uploader.rows() == [(39, 18.5, "<=50K"), (40, 19.0, "a, b")]


def test_a_quoted_number_is_a_number(uploader: Uploader) -> None:
    assert types(uploader.take('hr,n\n"0",1\n"1",2\n')) == {"hr": "integer", "n": "integer"}


def test_codes_of_equal_width_keep_their_zeros(uploader: Uploader) -> None:
    assert types(uploader.take("zip,hour\n00501,01\n10001,10\n")) == {
        "zip": "text",
        "hour": "integer",
    }
    assert uploader.rows() == [("00501", 1), ("10001", 10)]


def test_identifiers_too_long_for_a_number_stay_text(uploader: Uploader) -> None:
    part = uploader.take("id,n\n12345678901234567890,1\n12345678901234567891,2\n")
    assert types(part)["id"] == "text"


@pytest.mark.parametrize("written", ["0x1F", "1_000", "1,000", "1 000", "infinity km"])
def test_what_only_looks_like_a_number_is_text(uploader: Uploader, written: str) -> None:
    assert types(uploader.take(f'n,m\n"{written}",1\n'))["n"] == "text"


def test_a_time_with_an_offset_becomes_utc(uploader: Uploader) -> None:
    uploader.take("t,n\n2020-01-01T00:00:00+02:00,1\n2020-06-01,2\n")
    assert uploader.rows() == [
        (datetime.fromisoformat("2019-12-31T22:00"), 1),
        (datetime.fromisoformat("2020-06-01T00:00"), 2),
    ]


def test_day_and_month_are_told_apart_where_the_values_allow(uploader: Uploader) -> None:
    part = uploader.take("us,eu\n05/13/2017,13.01.2020\n04/03/2017,1.2.2020\n")
    assert uploader.rows()[0] == (date(2017, 5, 13), date(2020, 1, 13))
    assert [column.format for column in part.schema.columns] == ["%m/%d/%Y", "%d.%m.%Y"]
    assert part.warnings == ()


def test_an_ambiguous_date_is_said(uploader: Uploader) -> None:
    part = uploader.take("d,n\n04/03/2017,1\n05/06/2017,2\n")
    assert part.warnings == ("column 'd' is read as %m/%d/%Y and could be %d/%m/%Y as well",)


def test_the_known_way_to_write_a_date_decides_an_ambiguous_one(uploader: Uploader) -> None:
    known = uploader.take("d,n\n13/03/2017,1\n").schema
    part = uploader.take("d,n\n04/03/2017,1\n", known=known)
    assert uploader.rows() == [(date(2017, 3, 4), 1)]
    assert part.warnings == ()


def test_a_column_without_values_is_said_to_be_empty(uploader: Uploader) -> None:
    part = uploader.take("a,b\nNA,1\n,2\n")
    assert [column.empty for column in part.schema.columns] == [True, False]


def test_almost_numbers_are_text_with_a_warning(uploader: Uploader) -> None:
    part = uploader.take("boat\n" + "".join(f"{i}\n" for i in range(90)) + "A\nB\nC\nD\n")
    assert types(part) == {"boat": "text"}
    assert part.warnings == ("column 'boat' is read as text: 4 of 94 values are no integer",)


def test_parquet_keeps_its_types_and_reads_dates_out_of_texts(uploader: Uploader) -> None:
    source = write_parquet(
        uploader.directory / "given.parquet",
        "SELECT 1::TINYINT AS small, 2.5::DECIMAL(4,1) AS exact, 'NaN'::DOUBLE AS gap, '7' AS code,"
        " '2013-01-01T10:00:00Z' AS hour, TIMESTAMPTZ '2020-01-01 12:00:00+02' AS zoned,"
        " '' AS blank, [1, 2] AS listed",
    )
    part = uploader.take(source.read_bytes())
    assert types(part) == {
        "small": "integer",
        "exact": "number",
        "gap": "number",
        "code": "text",
        "hour": "timestamp",
        "zoned": "timestamp",
        "blank": "text",
    }
    assert uploader.rows() == [
        (
            1,
            2.5,
            None,
            "7",
            datetime.fromisoformat("2013-01-01T10:00"),
            datetime.fromisoformat("2020-01-01T10:00"),
            None,
        )
    ]
    assert part.warnings == ("column 'listed' is left out: INTEGER[] has no place in a table",)


def test_the_same_file_gives_the_same_part(uploader: Uploader, tmp_path: Path) -> None:
    content = "a,b,c\n" + numbered(3_000)
    first = uploader.take(content)
    written = uploader.destination.read_bytes()
    assert uploader.take(content) == first
    assert uploader.destination.read_bytes() == written
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows.parquet", "source"]
