"""A quote that quotes nothing is a letter, or spoils one row; it never swallows others."""

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.unit.data.uploads import Uploader

HEAD = "id,item,note,price\n"
QUOTED, PLAIN = '{i},box,"a, {i}",{i}.5\n', "{i},box,b{i},{i}.5\n"
OPEN, LETTER, WORD = '{i},"5 screen,x,{i}.5\n', '{i},5" screen,x,{i}.5\n', '{i},5"x,y,{i}.5\n'
LINES = '{i},"two\nlines, {i}",x,{i}.5\n'
AFTER_LINES = ('{i},"two\nlines","a "5" screen",{i}.5\n', '{i},"two\nlines","5 screen,{i}.5\n')
AT_END, TWICE = '{i},5",x,{i}.5\n', '{i},"5" screen",x,{i}.5\n'


def lines(count: int, usual: str, odd: dict[int, str]) -> str:
    return "".join(odd.get(i, usual).replace("{i}", str(i)) for i in range(count))


@pytest.mark.parametrize("usual", [QUOTED, PLAIN])
@pytest.mark.parametrize("odd", [LETTER, WORD, AT_END])
def test_an_inch_mark_behind_a_number_is_a_letter(uploader: Uploader, usual: str, odd: str) -> None:
    part = uploader.take(HEAD + lines(1_000, usual, {500: odd}))
    assert (part.rows, part.quarantined_rows) == (1_000, 0)
    assert uploader.rows()[500][1] == odd.split(",")[1]


@pytest.mark.parametrize("usual", [QUOTED, PLAIN])
@pytest.mark.parametrize("odd", [OPEN, TWICE])
def test_a_quote_that_opens_and_does_not_close_is_one_bad_row(
    uploader: Uploader, usual: str, odd: str
) -> None:
    part = uploader.take(HEAD + lines(1_000, usual, {500: odd}))
    assert (part.rows, uploader.codes()) == (999, [(502, ["broken_quote"])])
    assert uploader.bad_rows()[0][1] == odd.replace("{i}", "500").strip()
    assert [row[0] for row in uploader.rows()][499:501] == [499, 501]


@pytest.mark.parametrize("odd", [{100: AFTER_LINES[0], 200: OPEN}, {100: AFTER_LINES[1]}])
def test_a_stray_quote_behind_a_value_of_two_lines_spoils_its_row_alone(
    uploader: Uploader, odd: dict[int, str]
) -> None:
    uploader.take(HEAD + lines(300, PLAIN, odd))
    assert [row[0] for row in uploader.rows()] == [i for i in range(300) if i not in odd]
    (line, raw, (reason,)), *others = uploader.bad_rows()
    assert (line, raw) == (102, odd[100].replace("{i}", "100").strip())
    assert (reason["line"], reason["message"][:13]) == (103, "line 103 has ")
    assert [line for line, *_ in others] == [203] * (len(odd) - 1)


@pytest.mark.parametrize("second", [OPEN, AT_END, LETTER])
def test_rows_between_two_stray_quotes_are_rows(uploader: Uploader, second: str) -> None:
    part = uploader.take(HEAD + lines(1_000, PLAIN, {300: OPEN, 800: second}))
    bad = [(302, ["broken_quote"])] + [(802, ["broken_quote"])] * (second == OPEN)
    assert (part.rows, uploader.codes()) == (1_000 - len(bad), bad)


def test_a_large_file_with_one_stray_quote_is_taken(uploader: Uploader) -> None:
    part = uploader.take(HEAD + lines(600_000, QUOTED, {300_000: OPEN}))
    assert (part.rows, uploader.codes()) == (599_999, [(300_002, ["broken_quote"])])


@pytest.mark.parametrize("inner", ["one, two, three", "no comma", "x,y,z,1", ""])
def test_values_of_many_lines_stay_values(uploader: Uploader, inner: str) -> None:
    value = "\n".join([inner] * 40)
    good = lines(50, PLAIN, {}) + '7,5",x,1\n'
    part = uploader.take(f'{HEAD}{good}8,"first, of\n{value}\nlast",x,2.5\n')
    assert (part.rows, part.quarantined_rows) == (52, 0)
    assert uploader.rows()[-1][1] == f"first, of\n{value}\nlast"


def test_what_follows_an_open_quote_and_is_no_row_refuses_the_file(uploader: Uploader) -> None:
    text = "And more words,\nand more.\n" * 500
    (reason,) = uploader.refused(f'{HEAD}{lines(50, QUOTED, {})}50,"A letter. {text}')
    assert (reason.code, reason.line) == ("broken_quote", 52)


def test_a_column_alone_is_never_divided_anew(uploader: Uploader) -> None:
    (reason,) = uploader.refused('name\n"open\n' + "a word\n" * 5_000)
    assert (reason.code, reason.line) == ("broken_quote", 2)


@given(
    odd=st.dictionaries(
        st.integers(0, 99), st.sampled_from([OPEN, LETTER, WORD, TWICE, LINES, *AFTER_LINES])
    )
)
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None
)
@example(odd={40: AFTER_LINES[0], 80: OPEN})
@example(odd={0: OPEN, 2: AFTER_LINES[1]})
@pytest.mark.parametrize("usual", [QUOTED, PLAIN, LINES])
def test_good_and_bad_rows_are_all_rows(tmp_path: Path, usual: str, odd: dict[int, str]) -> None:
    uploader = Uploader(tmp_path)
    part = uploader.take(HEAD + lines(100, usual, odd), declared={"most_bad_rows": 1.0})
    kept = [row[0] for row in uploader.rows()]
    held = "\n".join(raw for _, raw, _ in uploader.bad_rows()) if part.quarantined_rows else ""
    begun = [int(each) for each in re.findall(r"^(\d+),", held, re.MULTILINE)]
    assert sorted([*kept, *begun]) == list(range(100))
