"""Excel workbooks (.xlsx): the first sheet with data becomes a table, formulas their values."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from itertools import chain, islice
from pathlib import Path
from typing import Any

from evergreen.data.archive import Archive
from evergreen.data.column_names import column_names
from evergreen.data.confinement import confined
from evergreen.data.limits import Limits
from evergreen.data.records import Records
from evergreen.data.refusal import Reason, UploadRefusedError, printable, shortened
from evergreen.data.table_top import lacks_names, titles_above, without_names

BOOK = "xl/workbook.xml"
XML = (".xml", ".rels", ".vml")
_DECLARED = re.compile(rb"<!(DOCTYPE|ENTITY)", re.IGNORECASE)
_ERROR_CELL = re.compile(rb"""\st\s*=\s*["']e["']""")
_TAIL = 32

SAMPLED_ROWS = 200
"""So many rows show where the table begins."""

OTHER_OFFICE = {
    "xl/workbook.bin": "a binary Excel workbook (.xlsb); save it as .xlsx",
    "word/document.xml": "a Word document",
    "ppt/presentation.xml": "a PowerPoint presentation",
    "content.xml": "an OpenDocument file; save it as .xlsx",
}
"""A member → what an archive with it is."""


def check_parts(archive: Archive, name: str) -> Mapping[str, int]:
    """Expand every part of a workbook under the meter, keeping nothing.

    Gives for each part that is a sheet how many of its cells hold errors.

    Raises UploadRefusedError if it expands too far, or if its XML declares entities: no workbook
    needs them, and what they expand to no meter of ours would see.
    """
    errors: Counter[str] = Counter()
    for member in archive.parts:
        is_sheet = member.filename.startswith("xl/worksheets/")
        tail = b""
        for chunk in archive.chunks(member):
            text = tail + chunk
            if member.filename.lower().endswith(XML):
                _refuse_declarations(text, member.filename, name)
            if is_sheet:
                found = len(_ERROR_CELL.findall(text)) - len(_ERROR_CELL.findall(tail))
                errors[member.filename] += found
            tail = text[-_TAIL:]
    return errors


def _refuse_declarations(text: bytes, member: str, name: str) -> None:
    shown = f"'{printable(member)}' in '{name}'"
    if _DECLARED.search(text):
        message = f"{shown} declares XML entities, which no workbook needs; save it anew in Excel"
        raise UploadRefusedError([Reason("xml_entity", message)])
    if b"\0" in text:
        message = f"{shown} is no XML in UTF-8; save the workbook anew in Excel"
        raise UploadRefusedError([Reason("damaged", message)])


def read_workbook(
    path: Path,
    name: str,
    records: Records,
    scratch: Path,
    limits: Limits,
    errors: Mapping[str, int],
) -> tuple[str, ...]:
    """Give the rows of the first sheet with data to the records, by their numbers in the sheet.

    `errors`: part → its cells with errors. Gives what there is to say. Raises UploadRefusedError.
    """
    cells = scratch / "cells.jsonl"
    found = confined("evergreen.data.workbook_cells", path, cells, name, limits)
    if found["sheet"] is None:
        raise UploadRefusedError([Reason("empty_file", f"'{name}' has no sheet with data")])
    first = int(found["row"])
    with cells.open(encoding="utf-8") as file:
        rows = _rows(file, first)
        top = list(islice(rows, SAMPLED_ROWS))
        texts = [["" if cell is None else str(_value(cell)) for cell in row] for _, row in top]
        above = titles_above(texts)
        line, header = top[above][0], texts[above]
        said = tuple(_said_of_titles(texts[:above], line))
        if lacks_names(texts[above:]):
            names, _ = column_names([""] * len(header), name, line, limits)
            said += (without_names(f"row {line}", header),)
            top = top[above:]
        else:
            names, unnamed = column_names(header, name, line, limits)
            said += unnamed
            top = top[above + 1 :]
        for line, row in chain(top, rows):
            values = [_value(cell) for cell in row]
            records.add(line, zip(names, values, strict=True), json.dumps(row, ensure_ascii=False))
    cells.unlink()
    return (*_passed_over(found), *said, *_said_of_errors(errors, found["part"]))


def _said_of_titles(titles: Sequence[Sequence[str]], line: int) -> Iterator[str]:
    if titles:
        shown = ", ".join(f"'{shortened(' '.join(filter(None, title)))}'" for title in titles)
        yield f"what stands above the table is passed over ({shown}); it begins in row {line}"


def _rows(file: Iterable[str], first: int) -> Iterator[tuple[int, list[Any]]]:
    """Rows that are not empty, with their numbers."""
    for number, text in enumerate(file, start=first):
        row = json.loads(text)
        if any(cell is not None for cell in row):
            yield number, row


def _value(cell: Any) -> Any:
    if isinstance(cell, dict):
        return (
            datetime.fromisoformat(cell["timestamp"])
            if "timestamp" in cell
            else date.fromisoformat(cell["date"])
        )
    return cell


def _said_of_errors(errors: Mapping[str, int], part: str | None) -> Iterator[str]:
    here = errors.get(part or "")
    count, where = (sum(errors.values()), " of all sheets") if here is None else (here, "")
    if count:
        yield f"{count:,} cells{where} hold errors such as #DIV/0! and are missing values"


def _passed_over(found: dict[str, Any]) -> Iterator[str]:
    sheet = printable(found["sheet"])
    if found["others"]:
        others = ", ".join(f"'{printable(each)}'" for each in found["others"][:20])
        yield f"only the sheet '{sheet}' is read, not {others}: upload each as a file of its own"
