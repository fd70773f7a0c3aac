"""A bad row is kept with its line, its text and all its reasons; good + bad = input."""

import csv
import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.data.uploads import Uploader, numbered, types, write_parquet

HEADER = "id,x,c\n"
GOOD = HEADER + numbered(100)


def test_ragged_rows_never_shift_their_values(uploader: Uploader) -> None:
    part = uploader.take(GOOD + "200,1\n201,1,a,surplus,more\n202,2,z\n")
    assert (part.rows, part.quarantined_rows) == (101, 2)
    assert uploader.rows()[-1] == (202, 2.0, "z")
    assert uploader.codes() == [(102, ["too_few_values"]), (103, ["too_many_values"])]
    (_, raw, (few,)), (_, _, (many,)) = uploader.bad_rows()
    assert raw == "200,1"
    assert few["message"] == "line 102 has fewer values (2) than the header (3)"
    assert many["message"] == "line 103 has more values (5) than the header (3)"


def test_a_number_beyond_float64_never_becomes_infinity(uploader: Uploader) -> None:
    part = uploader.take(GOOD + "200,1e400,a\n201,-1E999,a\n202,inf,a\n")
    assert types(part)["x"] == "number"
    assert uploader.codes() == [(line, ["out_of_range"]) for line in (102, 103, 104)]
    assert all(abs(row[1]) < 1000 for row in uploader.rows())


def test_a_number_beyond_float64_is_bad_in_the_smallest_file(uploader: Uploader) -> None:
    part = uploader.take("x,y\n1,1\n2,1\n3,1\n4,1\n5,1\n1e400,1\n")
    assert (part.rows, part.quarantined_rows) == (5, 1)


def test_a_row_carries_all_its_reasons(uploader: Uploader) -> None:
    uploader.take("id,x,d\n" + numbered(100, "{i},{i}.5,2020-01-01") + 'no,"so\nso",2020-02-30\n')
    ((line, raw, reasons),) = uploader.bad_rows()
    assert (line, raw) == (102, 'no,"so\nso",2020-02-30')
    assert [(each["code"], each["column"], each["value"]) for each in reasons] == [
        ("not_integer", "id", "no"),
        ("not_number", "x", "so so"),
        ("out_of_range", "d", "2020-02-30"),
    ]


def test_lines_are_lines_of_the_file_whatever_stands_before(uploader: Uploader) -> None:
    uploader.take(HEADER + '0,1,"two\nlines"\n\n\n1,2\n' + numbered(50) + "7,bad,x\n1,2,3,4\n")
    assert uploader.codes() == [
        (6, ["too_few_values"]),
        (57, ["not_number"]),
        (58, ["too_many_values"]),
    ]


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    lines=st.lists(
        st.sampled_from(["1,2.5,a", "no,2.5,a", "no,2.5,b", "", "1,2", " , ,", "2,1.5,a\u2028b"]),
        max_size=20,
    ),
    above=st.sampled_from(["0,1.5,a", '0,1.5,"two\nlines"', '0,1.5,"a\rreturn"']),
)
def test_every_bad_row_is_found_on_its_line(
    uploader: Uploader, lines: list[str], above: str
) -> None:
    content = "\n".join([HEADER.strip(), above, *numbered(150).split(), *lines, "no,1.5,c"])

    uploader.take(content, declared={"columns": {"id": {"type": "integer"}}})

    bad = {"no,2.5,a", "no,2.5,b", "1,2", "no,1.5,c"}
    assert [line for line, _ in uploader.codes()] == [
        number for number, line in enumerate(content.split("\n"), 1) if line in bad
    ]


def test_equal_bad_rows_have_a_line_each(uploader: Uploader) -> None:
    uploader.take(GOOD.replace("{", "") + "1,bad,x\n" + numbered(200) + "1,bad,x\n")
    assert uploader.codes() == [(102, ["not_number"]), (303, ["not_number"])]


def test_bytes_that_are_no_text_spoil_their_row_only(uploader: Uploader) -> None:
    part = uploader.take((GOOD + "200,1,né\n").encode() + b"201,1,n\xe9\n202,1,x\n")
    assert (part.rows, part.quarantined_rows) == (102, 1)
    assert uploader.codes() == [(103, ["undecodable"])]


def test_an_open_quote_gives_back_the_rows_that_it_swallowed(uploader: Uploader) -> None:
    part = uploader.take(GOOD + '200,1,"open\n201,1,a\n202,1,b\n')
    assert (part.rows, part.quarantined_rows) == (100, 3)
    assert [line for line, _ in uploader.codes()] == [102, 103, 104]


def test_infinity_in_parquet_is_a_bad_row_with_its_number(uploader: Uploader) -> None:
    source = write_parquet(
        uploader.directory / "given.parquet",
        "SELECT i, CASE WHEN i = 7 THEN 'infinity'::DOUBLE ELSE i END AS x FROM range(100) r(i)",
    )
    part = uploader.take(source.read_bytes())
    assert (part.rows, part.quarantined_rows) == (99, 1)
    assert uploader.codes() == [(8, ["out_of_range"])]


def test_a_file_with_too_many_bad_rows_is_refused_whole_with_examples(uploader: Uploader) -> None:
    reasons = uploader.refused(HEADER + numbered(3) + "1\n")
    assert [reason.code for reason in reasons] == ["too_many_bad_rows", "too_few_values"]
    assert "1 bad rows of 4, more than 20%" in reasons[0].message
    assert uploader.take(HEADER + numbered(4) + "1\n").quarantined_rows == 1


def test_a_clean_file_has_no_quarantine(uploader: Uploader) -> None:
    assert uploader.take(GOOD).quarantined_rows == 0
    assert not uploader.quarantine.exists()


CELL = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=8)
ROW = st.lists(CELL.filter(str.strip), min_size=1, max_size=5)


@settings(max_examples=25)
@given(rows=st.lists(ROW, min_size=1, max_size=30))
def test_good_and_bad_rows_are_all_rows(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]
) -> None:
    uploader = Uploader(tmp_path_factory.mktemp("law"))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    padding = [["p", "q", "r"]] * (len(rows) * 5)
    writer.writerows([["a", "b", "c"], *padding, *rows])
    part = uploader.take(text.getvalue())
    bad = sum(len(row) != 3 for row in rows)
    assert part.quarantined_rows == bad
    assert part.rows == len(padding) + len(rows) - bad


def test_more_values_of_bad_rows_than_can_be_kept_refuse_the_file(
    uploader: Uploader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evergreen.data.ingestion.MOST_REJECTED_CELLS", 6)
    declared = {"columns": {"x": {"type": "number"}}}
    two = GOOD + "200,low,a\n201,high,a\n"
    assert uploader.take(two + "202\n", declared=declared).quarantined_rows == 3
    reasons = uploader.refused(two + "202,top,a\n", declared=declared)
    assert [reason.code for reason in reasons] == ["too_many_bad_rows", *["not_number"] * 3]
    assert "3 bad rows of 3 values, together more than the 6 that can be kept" in reasons[0].message
    assert reasons[0].message.endswith("or divide the file")


def test_more_bad_rows_than_can_be_kept_refuse_the_file(
    uploader: Uploader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evergreen.data.ingestion.MOST_REJECTED", 1)
    reasons = uploader.refused(
        GOOD + "200,low,a\n201,high,a\n", declared={"columns": {"x": {"type": "number"}}}
    )
    assert reasons[0].code == "too_many_bad_rows"
    assert "2 bad rows of 102, more than the 1 that can be kept" in reasons[0].message
    assert uploader.take(GOOD + "200,low,a\n").quarantined_rows == 1


def test_a_reason_repeats_no_control_of_a_value_or_a_name(uploader: Uploader) -> None:
    uploader.take("a\u202eb\n" + "1\n" * 99 + "\x1b[2J\u202e\n")
    ((_, _, reasons),) = uploader.bad_rows()
    assert reasons[0]["value"] == r"\x1b[2J\u202e"
    assert reasons[0]["message"].isprintable()


@pytest.mark.parametrize(
    ("content", "line", "raw"),
    [
        ("a,b\n" + numbered(50, "{i},{i},") + "7,x,\n", 52, "7,x,"),
        ("name\n" + numbered(50, "n{i}") + "\nlast\n", 52, ""),
        ('a,b\n1,"x\ry"\n' + numbered(300, "{i},b{i}") + "x,7\n", 303, "x,7"),
    ],
)
def test_a_bad_row_has_its_line_whatever_ends_the_rows(
    uploader: Uploader, content: str, line: int, raw: str
) -> None:
    first = "name" if content.startswith("name") else "a"
    uploader.take(content, declared={"constraints": [{"not_null": first}]})
    ((at, text, _),) = uploader.bad_rows()
    assert (at, text) == (line, raw)
