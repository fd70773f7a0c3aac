"""Delimiters, encodings and line ends are found; what is no table is refused with what it is."""

import pytest

from tests.unit.data.uploads import Uploader, types

TABLE = "name,n\nZoé,1\nJürgen,2\n"
ROWS = [("Zoé", 1), ("Jürgen", 2)]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_are_found(uploader: Uploader, delimiter: str) -> None:
    uploader.take(f'a{delimiter}"b, c; d"\n1{delimiter}"x, y;\tz|"\n')
    assert uploader.rows() == [(1, "x, y;\tz|")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_encodings_are_found(uploader: Uploader, encoding: str) -> None:
    uploader.take(TABLE.encode(encoding))
    assert uploader.rows() == ROWS


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_are_found(uploader: Uploader, end: str) -> None:
    uploader.take(TABLE.replace("\n", end))
    assert uploader.rows() == ROWS


def test_line_ends_may_be_mixed(uploader: Uploader) -> None:
    uploader.take("name,n\r\nZoé,1\nJürgen,2\r\n")
    assert uploader.rows() == ROWS


def test_line_ends_inside_quotes_are_part_of_the_value(uploader: Uploader) -> None:
    uploader.take('a,b\n"x\ny",1\n')
    assert uploader.rows() == [("x\ny", 1)]


def test_a_decimal_comma_is_read_where_semicolons_divide(uploader: Uploader) -> None:
    part = uploader.take("a;b\n1,5;x\n2;y\n")
    assert types(part) == {"a": "number", "b": "text"}
    assert uploader.rows() == [(1.5, "x"), (2.0, "y")]


def test_blank_lines_before_the_header_and_between_rows_are_passed_over(
    uploader: Uploader,
) -> None:
    uploader.take("\n\na,b\n1,2\n\n3,4\n\n")
    assert uploader.rows() == [(1, 2), (3, 4)]


def test_a_nameless_column_is_called_by_its_place(uploader: Uploader) -> None:
    part = uploader.take(",a\n1,2\n")
    assert part.schema.names == ("column 1", "a")
    assert part.warnings == ("column 1 has no name and is called 'column 1'",)


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        (b"", "empty_file", "is empty"),
        (b" \n\n", "empty_file", "is empty"),
        (b"a,b\n", "no_rows", "a header and no rows"),
        (b"<!DOCTYPE html>\n<html><body>404</body></html>", "not_a_table", "an HTML or XML page"),
        (b'{\n"a": 1\n}\n', "not_a_table", "one JSON object over several lines"),
        (b"PK\x03\x04rest", "damaged", "not a zip file"),
        (bytes(257) + b"ustar", "not_a_table", "a tar archive"),
        (b"\x80\x05rest", "not_a_table", "a Python pickle, which is never opened"),
        (b"\x89PNG\r\n\x1a\nrest", "not_a_picture", "is no PNG or JPEG picture"),
        (bytes(range(256)) * 16, "not_a_table", "binary data"),
        (b"PAR1 and then nothing of the kind", "damaged", "its end is missing"),
        (b"Dear all, please find\nattached nothing.\n", "too_many_bad_rows", "1 bad rows of 1"),
        (",".join(f"c{i}" for i in range(6_000)).encode(), "too_many_columns", "2,000"),
        (b"a,b\n" + b"1,2\n" * 999 + b"3\x00,4\n", "nul_character", "from line 1001 on"),
    ],
)
def test_what_is_no_table_is_refused(
    uploader: Uploader, content: bytes, code: str, said: str
) -> None:
    reason = uploader.refused(content)[0]
    assert reason.code == code
    assert said in reason.message
    assert "people.csv" in reason.message


def test_a_damaged_parquet_file_is_refused_without_a_path_of_ours(uploader: Uploader) -> None:
    (reason,) = uploader.refused(b"PAR1" + bytes(5_000))
    assert reason.code == "damaged"
    assert str(uploader.directory) not in reason.message


def test_duplicate_names_are_refused_with_their_places(uploader: Uploader) -> None:
    reasons = uploader.refused("a,b,A,b\n1,2,3,4\n")
    assert [(reason.code, reason.column, reason.line) for reason in reasons] == [
        ("duplicate_column", "A", 1),
        ("duplicate_column", "b", 1),
    ]


def test_a_missing_required_column_names_what_was_probably_meant(uploader: Uploader) -> None:
    (reason,) = uploader.refused("island,species\nx,y\n", required=["Species"])
    assert (reason.code, reason.column) == ("missing_column", "Species")
    assert "did you mean 'species'?" in reason.message
