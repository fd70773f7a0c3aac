"""Header lines, quotes and encodings are found in delimited text; running text is documents."""

import time
from pathlib import Path

import pytest

from evergreen.data.text_encoding import CHUNK, as_utf8, form_of
from tests.unit.data.uploads import Uploader, types

# ---- header --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        "1,ann,2.5\n2,bob,3.5\n3,cy,4\n",
        "2024-01-01;x\n2024-01-02;y\n",
        "5,5,3\n6,6,4\n",
        "ann,1950,1975\nbob,1961,2002\ncy,1949,1980\n",
        "ann,1999\nbob,2001\n",
    ],
)
def test_a_missing_header_is_said_and_no_row_is_lost(uploader: Uploader, content: str) -> None:
    part = uploader.take(content)
    assert part.rows == content.count("\n")
    assert part.schema.names[0] == "column 1"
    assert "looks like values" in part.warnings[0]
    assert "put a header line first" in part.warnings[0]


@pytest.mark.parametrize(
    "content",
    [
        "a,b\n1,2\n3,4\n",
        "country,2019,2020\nFR,1,2\nDE,3,4\n",
        "2019,2020,2021\n1,2,3\n4,5,6\n",
        "name,town\nann,Bern\nbob,Basel\n",
        "id,1st\n7,x\n8,y\n",
        "x,1\n?,?\n",
    ],
)
def test_names_are_taken_for_names(uploader: Uploader, content: str) -> None:
    part = uploader.take(content)
    assert part.schema.names == tuple(content.split("\n", maxsplit=1)[0].split(","))
    assert part.rows == content.count("\n") - 1


# ---- quotes --------------------------------------------------------------------------------------


def test_apostrophes_may_quote(uploader: Uploader) -> None:
    uploader.take("'id','said'\n1,'a, b'\n2,'it''s'\n")
    assert uploader.rows() == [(1, "a, b"), (2, "it's")]


def test_apostrophes_inside_of_words_are_letters(uploader: Uploader) -> None:
    uploader.take("id,name\n1,O'Brien\n2,d'Arc\n3,'tis\n")
    assert [name for _, name in uploader.rows()] == ["O'Brien", "d'Arc", "'tis"]


def test_a_backslash_may_stand_before_a_quote(uploader: Uploader) -> None:
    lines = "".join(rf'{i},"say \"hi, you\"",C:\x' + "\n" for i in range(9))
    part = uploader.take("id,said,path\n" + lines + '10,"a",b,c\n')
    assert (part.rows, uploader.codes()) == (9, [(11, ["too_many_values"])])
    assert uploader.rows()[0] == (0, 'say "hi, you"', r"C:\x")


def test_a_path_may_end_in_a_backslash(uploader: Uploader) -> None:
    uploader.take('id,path,x\n1,"C:\\dir\\",2\n2,"D:\\",3\n')
    assert [row[1] for row in uploader.rows()] == ["C:\\dir\\", "D:\\"]


# ---- line ends -----------------------------------------------------------------------------------


def test_a_return_alone_ends_a_line_and_refuses_no_file(uploader: Uploader) -> None:
    good = "".join(f"{i},x\n" for i in range(20))
    part = uploader.take(f"id,v\n{good}20,y\rz\n")
    assert (part.rows, uploader.codes()) == (21, [(23, ["too_few_values"])])


def test_line_ends_of_three_characters_are_read(uploader: Uploader) -> None:
    part = uploader.take("id,v\r\r\n1,x\r\r\n2,y\r\r\n")
    assert (part.rows, uploader.rows()) == (2, [(1, "x"), (2, "y")])


def test_a_return_between_quotes_stays(uploader: Uploader) -> None:
    uploader.take('id,v\n1,"a\rb"\n2,c\n')
    assert uploader.rows()[0] == (1, "a\rb")


# ---- encodings -----------------------------------------------------------------------------------


def test_rows_that_are_not_utf8_in_a_utf8_file_are_quarantined_alone(uploader: Uploader) -> None:
    good = "".join(f"é{i},{i}\n" for i in range(20)).encode()
    part = uploader.take(b"name,n\n" + good + "è,7\n".encode("latin-1") + b"x,8\n")
    assert (part.rows, uploader.codes()) == (21, [(22, ["undecodable"])])


def test_lines_of_utf8_in_a_windows_file_are_not_garbled(uploader: Uploader) -> None:
    windows = "".join(f"é{i},{i}\r\n" for i in range(20)).encode("cp1252")
    part = uploader.take(b"name,n\r\n" + windows + "Zoé,7\n€,8\n".encode())
    names = [name for name, _ in uploader.rows()]
    assert (names[0], names[-2:]) == ("é0", ["Zoé", "€"])
    assert any("two encodings" in warning for warning in part.warnings)


@pytest.mark.parametrize(("letter", "before"), [("é", 1), ("€", 1), ("€", 2), ("😀", 1), ("😀", 3)])
def test_no_letter_is_cut_where_a_long_line_of_two_encodings_is(
    tmp_path: Path, letter: str, before: int
) -> None:
    source = tmp_path / "source"
    windows = "é\n".encode("cp1252") * 9
    source.write_bytes(windows + b"x" * (CHUNK - before) + f"{letter}x\n".encode())
    form = form_of(source, "x.csv")
    assert form.mixed
    text = as_utf8(source, form, tmp_path / "copy", "x.csv").read_text("utf-8")
    assert text == "é\n" * 9 + "x" * (CHUNK - before) + f"{letter}x\n"


def test_a_line_end_on_the_cut_of_a_long_line_stays_one(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes("é\n€\n".encode("cp1252") + b"x" * (CHUNK - 1) + "\r\né\n".encode())
    form = form_of(source, "x.csv")
    assert form.mixed
    assert form.mixed_line_ends
    written = as_utf8(source, form, tmp_path / "copy", "x.csv").read_bytes()
    assert written == "é\n€\n".encode() + b"x" * (CHUNK - 1) + "\né\n".encode()


def test_utf_32_is_read_by_its_mark(uploader: Uploader) -> None:
    uploader.take("name,n\nZoé,7\n".encode("utf-32"))
    assert uploader.rows() == [("Zoé", 7)]


def test_a_table_for_weka_is_named(uploader: Uploader) -> None:
    (reason,) = uploader.refused("@relation iris\n@attribute a numeric\n@data\n1\n2\n")
    assert "is an ARFF file" in reason.message


def test_a_nul_is_refused_with_its_line_even_late_in_the_file(uploader: Uploader) -> None:
    (reason,) = uploader.refused(b"a,b\n" + b"1,2\n" * 300_000 + b"\x00\n")
    assert (reason.code, reason.line) == ("nul_character", 300_002)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_a_nul_is_refused_with_its_line_in_every_encoding(
    uploader: Uploader, encoding: str
) -> None:
    (reason,) = uploader.refused("id,v\r\n1,x\r\n2,y\x00z\r\n3,w\r\n".encode(encoding))
    assert (reason.code, reason.line) == ("nul_character", 3)


# ---- running text --------------------------------------------------------------------------------


def test_lines_of_sentences_are_documents(uploader: Uploader) -> None:
    part = uploader.take("The soup was cold, and so was I.\n\nWould come again any time!\n")
    assert types(part) == {"text": "text"}
    assert part.rows == 1
    assert uploader.rows()[0][0].count("\n") == 2


def test_each_line_is_a_document_where_no_blank_line_divides(uploader: Uploader) -> None:
    part = uploader.take("The soup was cold, and so was I.\nWould come again any time!\n")
    assert [row[0] for row in uploader.rows()] == [
        "The soup was cold, and so was I.",
        "Would come again any time!",
    ]
    assert "each line is a document" in part.warnings[0]


@pytest.mark.parametrize(
    "content",
    [
        "# Title\n\nA paragraph, with commas, and more words.\nIt goes on, and on.\n\n* a point\n",
        "Version: 2\nThings:\n  one: 1\n  two: 2\n  three: [1, 2]\n",
    ],
)
def test_text_that_is_set_in_some_way_is_one_document(uploader: Uploader, content: str) -> None:
    part = uploader.take(content)
    assert types(part) == {"text": "text"}
    assert sum(row[0].count("\n") + 1 for row in uploader.rows()) >= 5


def test_a_column_of_long_texts_is_a_table(uploader: Uploader) -> None:
    part = uploader.take("review\nThe soup was really rather cold\nWould come again any time\n")
    assert (part.schema.names, part.rows) == (("review",), 2)


def test_a_table_with_broken_rows_is_not_taken_for_text(uploader: Uploader) -> None:
    reasons = uploader.refused(
        "id,review\n1,it was good, really good\n2,not good, at all, no\n3,x\n"
    )
    assert reasons[0].code == "too_many_bad_rows"


# ---- lines ---------------------------------------------------------------------------------------

SEPARATORS = ("\u2028", "\x85", "\x0b", "\x0c")
"""Python ends lines here, CSV does not."""


@pytest.mark.parametrize("mark", SEPARATORS)
def test_only_line_ends_divide_a_header(uploader: Uploader, mark: str) -> None:
    if mark < " ":
        (reason,) = uploader.refused(f"id,no{mark}te,x\n1,2,3\n")
        assert reason.code == "bad_column_name"
        return
    part = uploader.take(f"id,no{mark}te,x\n" + "1,2,3\n" * 9)
    assert part.schema.names == ("id", f"no{mark}te", "x")
    assert (part.rows, part.quarantined_rows) == (9, 0)


@pytest.mark.parametrize("mark", SEPARATORS)
def test_a_bad_row_counts_once_whatever_it_holds(uploader: Uploader, mark: str) -> None:
    part = uploader.take("a,b\n" + "1,2\n" * 50 + f"1{mark}2\n" * 3)
    assert (part.rows, part.quarantined_rows) == (50, 3)


@pytest.mark.timed
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_long_lines_of_words_are_looked_through_once(uploader: Uploader, end: str) -> None:
    words = "some words of a very long line " * 4_000
    began = time.monotonic()
    assert uploader.take(f"{words}{end}{words}{end}").rows == 2
    assert time.monotonic() - began < 10


def test_paragraphs_are_one_document_whatever_ends_their_lines(uploader: Uploader) -> None:
    for end in ("\n", "\r\n"):
        text = end.join(["This is a sentence of one paragraph.", "", "And this is the other one."])
        assert uploader.take(text).rows == 1


def test_a_header_that_is_no_text_is_refused_and_its_names_are_not_made_up(
    uploader: Uploader,
) -> None:
    (reason,) = uploader.refused(b"a,b\xe9,\xc3\xa9t\xc3\xa9\n1,2,3\n4,5,6\n")
    assert (reason.code, reason.line) == ("undecodable", 1)


def test_a_byte_that_is_no_text_is_told_in_a_document_too(uploader: Uploader) -> None:
    good = "Zoé a dit à Léa que l'été était passé.\n\n".encode() * 9
    reasons = uploader.refused(good + b"Et l'hiver \xe9tait venu, sans neige.\n\n" + good)
    assert [(reason.code, reason.line) for reason in reasons][1:] == [("undecodable", 19)]


@pytest.mark.parametrize("encoding", ["utf-32", "utf-16", "utf-8-sig"])
def test_a_mark_at_the_beginning_tells_the_encoding(uploader: Uploader, encoding: str) -> None:
    uploader.take("n,town\n1,Zürich\n2,Bern\n".encode(encoding))
    assert uploader.rows() == [(1, "Zürich"), (2, "Bern")]


def test_many_blank_lines_are_not_called_an_empty_file(uploader: Uploader) -> None:
    (reason,) = uploader.refused("\n" * 300_000 + "a,b\n1,2\n")
    assert "begins with 262,144 blank bytes" in reason.message


@pytest.mark.parametrize("end", ["\r", "\n\r", "\r\r\n"])
def test_returns_between_lines_end_them_too(uploader: Uploader, end: str) -> None:
    uploader.take(f"a,b\n1,2\n3,4{end}5,6\n")
    assert uploader.rows() == [(1, 2), (3, 4), (5, 6)]
