"""A table begins below titles and comments; what its header looks like, as tools write it."""

import pytest

from tests.unit.data.uploads import Uploader, numbered, types
from tests.unit.data.workbooks import workbook

TABLE = "id,r,name\n" + numbered(9)
NAMES = ("id", "r", "name")


@pytest.mark.parametrize(
    ("above", "line"),
    [
        ("Sales report 2024,,\n,,\n", 3),
        ("Sales report 2024\n\nPeriod: Q1\n", 4),
        ("# made by a tool\n# on a day, by me\n#\n", 4),
        ("sep=,\n", 2),
        ("\n\nReport\n", 4),
    ],
)
def test_what_stands_above_a_table_is_passed_over_and_said(
    uploader: Uploader, above: str, line: int
) -> None:
    part = uploader.take(above + TABLE + "9,1\n")
    assert (part.schema.names, part.rows, part.quarantined_rows) == (NAMES, 9, 1)
    assert f"it begins in line {line}" in part.warnings[0]
    assert above.strip()[:4] in part.warnings[0]
    ((bad, _),) = uploader.codes()
    assert bad == line + 10


def test_a_declared_delimiter_divides(uploader: Uploader) -> None:
    part = uploader.take("sep=;\na;b\n1,5;x, y\n2,5;z, w\n")
    assert types(part) == {"a": "number", "b": "text"}
    assert uploader.rows() == [(1.5, "x, y"), (2.5, "z, w")]


@pytest.mark.parametrize("declared", ["sep=\t\n", '"sep=\t"\r\n', "sep=\t \n"])
def test_a_declared_tab_divides(uploader: Uploader, declared: str) -> None:
    part = uploader.take(declared + "a\tb,c\n1\t2,5\n3\t4,6\n")
    assert part.schema.names == ("a", "b,c")
    assert uploader.rows() == [(1, "2,5"), (3, "4,6")]


@pytest.mark.parametrize("declared", ["sep=\r\n", 'sep="\n', "sep= \n"])
def test_what_cannot_divide_is_not_declared(uploader: Uploader, declared: str) -> None:
    uploader.take(declared + "a,b\n1,2\n")
    assert uploader.rows() == [(1, 2)]


def test_a_comment_may_hold_the_names(uploader: Uploader) -> None:
    part = uploader.take("# by me\n#id,name\n1,x\n2,y\n")
    assert (part.schema.names, part.rows) == (("#id", "name"), 2)


@pytest.mark.parametrize(
    "content",
    [
        "value\n1\n2\n",
        ",value\na,1\nb,2\n",
        "name,,\na,,\nb,,\n",
        "id,note\n1,\n2,\n3,\n",
        "# Title\n\nA paragraph, with commas, and more words.\nIt goes on, and on.\n",
    ],
)
def test_a_header_with_few_names_is_no_title(uploader: Uploader, content: str) -> None:
    part = uploader.take(content)
    assert not any("passed over" in warning for warning in part.warnings)


@pytest.mark.parametrize(
    "header",
    ["place,1/1/20,2/1/20,3/1/20", "2020-01-01,2020-02-01,2020-03-01,x", "0,1,2,3,4,5"],
)
def test_days_and_counted_places_above_numbers_are_names(uploader: Uploader, header: str) -> None:
    names = tuple(header.split(","))
    first = "a" if header.startswith("place") else "7"
    rows = "".join(f"{first}," + ",".join(["5"] * (len(names) - 1)) + "\n" for _ in range(5))
    part = uploader.take(f"{header}\n{rows}")
    assert (part.schema.names, part.rows, part.quarantined_rows) == (names, 5, 0)


@pytest.mark.parametrize(
    "content",
    ['"id","name"\n"1",7,"x, y"\n"2",8,"z"\n', "id\tname\na\t7\tx, y\nb\t8\tz\n"],
)
def test_names_of_rows_as_r_writes_them_are_a_column(uploader: Uploader, content: str) -> None:
    part = uploader.take(content)
    assert part.schema.names == ("column 1", "id", "name")
    assert [row[1:] for row in uploader.rows()] == [(7, "x, y"), (8, "z")]


def test_a_comma_too_many_in_each_row_never_shifts_values(uploader: Uploader) -> None:
    reasons = uploader.refused("id,price,review\n1,2.5,good,bad\n2,3.5,bad,good\n")
    assert reasons[0].code == "too_many_bad_rows"


@pytest.mark.parametrize(
    "content", ["a;b\n1;x;\n2;y;\n", "a;b;\n1;x\n2;y\n", "a,b,\n" + "1,x\n2,y\n"]
)
def test_a_delimiter_at_the_end_of_lines_is_no_column(uploader: Uploader, content: str) -> None:
    part = uploader.take(content)
    assert part.schema.names == ("a", "b")
    assert uploader.rows() == [(1, "x"), (2, "y")]


def test_headers_of_files_that_were_joined_are_bad_rows(uploader: Uploader) -> None:
    part = uploader.take(TABLE * 3)
    assert types(part) == {"id": "integer", "r": "number", "name": "text"}
    assert part.rows == 27
    assert uploader.codes() == [(11, ["repeated_header"]), (21, ["repeated_header"])]


@pytest.mark.parametrize("header", [",a,b", "a,,b", "a,NA,b", ' , a ,"b"'])
def test_a_header_with_a_nameless_column_is_found_again(uploader: Uploader, header: str) -> None:
    rows = "".join(f"k{i},x,y\n" for i in range(9))
    part = uploader.take(f"{header}\n{rows}" * 2)
    assert (part.rows, uploader.codes()) == (18, [(11, ["repeated_header"])])
    ((_, raw, _),) = uploader.bad_rows()
    assert raw == header


def test_a_row_that_leaves_out_what_the_header_names_is_none(uploader: Uploader) -> None:
    part = uploader.take(",a,b\n7,a,b\n,a,\n,a,x\n8,c,d\n")
    assert (part.rows, part.quarantined_rows) == (4, 0)


def test_a_header_that_says_missing_everywhere_repeats_in_no_row(uploader: Uploader) -> None:
    part = uploader.take("NA,NULL\nx,2\n,\ny,4\n")
    assert (part.schema.names, part.rows) == (("NA", "NULL"), 3)


@pytest.mark.parametrize("header", [",first,2019", "first, second,2019", "NA,first,2019"])
def test_such_headers_are_found_in_large_files_too(uploader: Uploader, header: str) -> None:
    piece = f"{header}\n" + "a,some words,5\n" * 400_000
    part = uploader.take(piece * 2)
    assert (part.rows, uploader.codes()) == (800_000, [(400_002, ["repeated_header"])])


def test_headers_are_found_in_large_files_of_texts_too(uploader: Uploader) -> None:
    piece = "first,2019\n" + "some words,5\n" * 400_000
    part = uploader.take(piece * 2)
    assert (part.rows, uploader.codes()) == (800_000, [(400_002, ["repeated_header"])])


def test_titles_above_a_sheet_are_passed_over_and_said(uploader: Uploader) -> None:
    rows = [[i, f"n{i}", i / 2] for i in range(5)]
    part = uploader.take(workbook([["Report"], [], ["id", "name", "r"], *rows]))
    assert (part.schema.names, part.rows) == (("id", "name", "r"), 5)
    assert "'Report'" in part.warnings[0]
    assert "it begins in row 3" in part.warnings[0]


def test_a_sheet_without_a_header_loses_no_row(uploader: Uploader) -> None:
    part = uploader.take(workbook([[7, "x", 1.5], [8, "y", 2.5]]))
    assert (part.schema.names[0], part.rows) == ("column 1", 2)
    assert "row 1 looks like values" in part.warnings[0]


@pytest.mark.parametrize(("mark", "called"), [("^", "'^'"), ("~", "'~'"), ("   ", "space")])
def test_a_column_that_another_mark_divides_is_said(
    uploader: Uploader, mark: str, called: str
) -> None:
    part = uploader.take("".join(f"{i}{mark}a{mark}7\n" for i in range(9)))
    assert len(part.schema.columns) == 1
    assert f"if {called} divides it" in part.warnings[0]


def test_a_column_of_words_is_one(uploader: Uploader) -> None:
    part = uploader.take("name\n" + "ann\nbob lee\n" * 9)
    assert (part.rows, part.warnings) == (18, ())
