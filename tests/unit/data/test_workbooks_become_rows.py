"""The first sheet of a workbook with data is a table; dates are kept, formulas never evaluated."""

import io
import zipfile
from datetime import date, datetime

import pytest

from tests.unit.data.uploads import Uploader, types
from tests.unit.data.workbooks import OFFICE, PACKAGE, Formula, Raw, workbook

ERROR = Raw('<c r="{at}" t="e"><v>#DIV/0!</v></c>')


def test_cells_keep_their_types(uploader: Uploader) -> None:
    part = uploader.take(
        workbook(
            [
                ["name", "n", "r", "ok", "day", "at"],
                ["Zoé & Co", 1, 0.5, True, date(2024, 1, 5), datetime(2024, 1, 5, 12, 30)],  # noqa: DTZ001
                ["b", None, 2, False, date(2024, 2, 6), None],
            ]
        )
    )
    assert list(types(part).values()) == [
        "text",
        "integer",
        "number",
        "boolean",
        "date",
        "timestamp",
    ]
    assert uploader.rows()[0] == (
        "Zoé & Co",
        1,
        0.5,
        True,
        date(2024, 1, 5),
        datetime(2024, 1, 5, 12, 30),  # noqa: DTZ001
    )


def test_a_formula_gives_its_stored_value_and_is_never_evaluated(uploader: Uploader) -> None:
    uploader.take(workbook([["a"], [Formula('HYPERLINK("http://x.test")')], [Formula("1+1")]]))
    assert uploader.rows() == [(42,), (42,)]


def test_a_text_that_looks_like_a_formula_stays_a_text(uploader: Uploader) -> None:
    uploader.take(workbook([["a"], ["=cmd|' /C calc'!A0"], ["@SUM(A1)"]]))
    assert uploader.rows() == [("=cmd|' /C calc'!A0",), ("@SUM(A1)",)]


def test_other_sheets_are_said_and_empty_ones_passed_over(uploader: Uploader) -> None:
    part = uploader.take(workbook([], [["a"], [1]], [["b"], [2]]))
    assert uploader.rows() == [(1,)]
    assert "only the sheet 'Second' is read" in part.warnings[0]
    assert "'Third'" in part.warnings[0]


def test_cells_with_errors_are_missing_and_said(uploader: Uploader) -> None:
    part = uploader.take(workbook([["a", "b"], [ERROR, 1], [2, 2]]))
    assert uploader.rows() == [(None, 1), (2, 2)]
    assert any("1 cells hold errors" in warning for warning in part.warnings)


def test_only_errors_of_the_sheet_that_is_read_are_counted(uploader: Uploader) -> None:
    part = uploader.take(workbook([["a"], [1]], [["b"], [ERROR], [ERROR]]))
    assert not any("errors" in warning for warning in part.warnings)
    part = uploader.take(workbook([], [["a", "b"], [1, ERROR], [2, 3]], [["b"], [ERROR]]))
    assert part.warnings[-1] == "1 cells hold errors such as #DIV/0! and are missing values"


@pytest.mark.parametrize("path", ["/xl/worksheets/sheet2.xml", "worksheets/sheet2.xml"])
def test_a_sheet_is_found_by_its_path_and_not_by_its_place(uploader: Uploader, path: str) -> None:
    relations = (
        f'<Relationships xmlns="{PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{OFFICE}/worksheet" Target="{path}"/>'
        f'<Relationship Id="rId2" Type="{OFFICE}/worksheet" Target="worksheets/sheet1.xml"/>'
        "</Relationships>"
    )
    sheets = ([["a"], [ERROR]], [["a", "b"], [1, 2]])
    part = uploader.take(workbook(*sheets, parts={"xl/_rels/workbook.xml.rels": relations}))
    assert uploader.rows() == [(1, 2)]
    assert not any("errors" in warning for warning in part.warnings)


def test_a_bad_cell_is_a_bad_row_with_its_row_in_the_sheet(uploader: Uploader) -> None:
    rows = [[None], ["n"], *([i] for i in range(30)), [None], ["many"]]
    uploader.take(workbook(rows))
    ((line, _, reasons),) = uploader.bad_rows()
    assert line == 34
    assert reasons[0]["message"].startswith("row 34, column 'n': 'many' is not a whole number")


def test_a_number_beyond_range_is_a_bad_row(uploader: Uploader) -> None:
    beyond = Raw('<c r="{at}"><v>1e400</v></c>')
    uploader.take(workbook([["n"], *([i + 0.5] for i in range(9)), [beyond]]))
    ((line, _, reasons),) = uploader.bad_rows()
    assert (line, reasons[0]["code"]) == (11, "out_of_range")


@pytest.mark.parametrize(
    "part",
    ["xl/workbook.xml", "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml", "docProps/core.xml"],
)
def test_declared_entities_are_refused_wherever_they_stand(uploader: Uploader, part: str) -> None:
    bomb = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x>&b;</x>'
    (reason,) = uploader.refused(workbook([["a"], [1]], parts={part: bomb}))
    assert reason.code == "xml_entity"
    assert part in reason.message


def test_two_cells_far_apart_are_refused_without_ending_the_process(uploader: Uploader) -> None:
    far = [Raw('<c r="A1"><v>1</v></c><c r="XFD1048576"><v>1</v></c>')]
    (reason,) = uploader.refused(workbook([far]))
    assert reason.code == "bomb"
    assert "helper_memory_bytes" in reason.message


@pytest.mark.parametrize(
    ("member", "said"),
    [("word/document.xml", "a Word document"), ("xl/workbook.bin", "save it as .xlsx")],
)
def test_other_documents_are_named(uploader: Uploader, member: str, said: str) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(member, "x")
    (reason,) = uploader.refused(buffer.getvalue())
    assert reason.code == "not_a_table"
    assert said in reason.message


def test_a_damaged_workbook_is_refused(uploader: Uploader) -> None:
    (reason,) = uploader.refused(workbook([["a"]], parts={"xl/workbook.xml": "<workbook"}))
    assert reason.code in {"damaged", "empty_file"}


def test_a_workbook_without_data_is_refused(uploader: Uploader) -> None:
    (reason,) = uploader.refused(workbook([], []))
    assert (reason.code, "no sheet with data" in reason.message) == ("empty_file", True)
