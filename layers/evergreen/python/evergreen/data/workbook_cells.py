"""The cells of a workbook's first sheet with data, as JSON Lines; runs as a confined helper."""

from __future__ import annotations

import json
import posixpath
from datetime import date, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET
from zipfile import ZipFile

from python_calamine import (
    CalamineError,
    CalamineSheet,
    CalamineWorkbook,
    SheetTypeEnum,
    SheetVisibleEnum,
    WorksheetNotFound,
)

from evergreen.data.confinement import UnreadableError, helper

FOLDER = "xl"
"""Of the workbook's parts in its package."""

EXACT = 2.0**53
"""Excel holds every number as float64; whole ones below this are what somebody typed."""

MOST_ROWS, MOST_COLUMNS = 1 << 20, 1 << 14
"""Of a sheet in Excel."""


def write_cells(source: Path, target: Path) -> dict[str, Any]:
    """Write rows as arrays; say which sheet they are of, its first row, and what was passed over.

    And which part of the package the sheet is, None if that is not told. A formula gives the
    value that is stored with it. Raises UnreadableError.
    """
    try:
        workbook = CalamineWorkbook.from_path(str(source))
        sheets = [
            sheet for sheet in workbook.sheets_metadata if sheet.typ is SheetTypeEnum.WorkSheet
        ]
        sheets.sort(key=lambda sheet: sheet.visible is not SheetVisibleEnum.Visible)
        for metadata in sheets:
            sheet = _opened(workbook, metadata.name)
            if sheet.end is not None:
                if sheet.end[0] >= MOST_ROWS or sheet.end[1] >= MOST_COLUMNS:
                    said = f"the sheet '{metadata.name}' has a cell beyond where sheets end"
                    raise UnreadableError(said)
                written = 0
                with target.open("w", encoding="utf-8") as file:
                    for row in sheet.iter_rows():
                        file.write(json.dumps([_plain(cell) for cell in row]) + "\n")
                        written += 1
                others = [each.name for each in sheets if each is not metadata]
                return {
                    "sheet": metadata.name,
                    "part": _part_of(source, metadata.name),
                    "others": others,
                    # The last row written is the last one of the sheet, counted from 0 there.
                    "row": sheet.end[0] + 2 - written,
                }
    except (CalamineError, OSError, ValueError) as error:
        raise UnreadableError(str(error)) from error
    return {"sheet": None}


def _part_of(source: Path, name: str) -> str | None:
    """The part of a sheet: the workbook calls it by an id, for which its relations have a path.

    XML that declares entities was refused before.
    """
    with ZipFile(source) as package:
        try:
            sheets, relations = (
                ET.fromstring(package.read(f"{FOLDER}/{part}"))  # noqa: S314 - see check_parts
                for part in ("workbook.xml", "_rels/workbook.xml.rels")
            )
        except (KeyError, ET.ParseError):
            return None
    paths = {each.get("Id"): each.get("Target") for each in relations}
    for sheet in sheets.iterfind("{*}sheets/{*}sheet"):
        if sheet.get("name") == name:
            ids = (value for key, value in sheet.items() if key.endswith("}id"))
            path = paths.get(next(ids, None))
            return posixpath.normpath(posixpath.join(f"/{FOLDER}", path))[1:] if path else None
    return None


def _opened(workbook: CalamineWorkbook, name: str) -> CalamineSheet:
    try:
        return workbook.get_sheet_by_name(name)
    except WorksheetNotFound as error:
        said = f"the sheet '{name}' is listed, and what it should hold is not there"
        raise UnreadableError(said) from error


def _plain(cell: Any) -> Any:
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < EXACT:
        return int(cell)
    if isinstance(cell, datetime):
        return {"timestamp": cell.isoformat()}
    if isinstance(cell, date):
        return {"date": cell.isoformat()}
    if isinstance(cell, bool | int | float | str):
        return None if cell == "" else cell
    return str(cell)  # a time of day or a duration


if __name__ == "__main__":
    helper(write_cells)
