"""Workbooks as Excel writes them, as far as a reader looks; parts can be replaced by worse ones."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from xml.sax.saxutils import escape

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
EPOCH = date(1899, 12, 30)


class Formula(str):
    """What a cell computes, with the value 42 stored beside it."""

    __slots__ = ()


class Raw(str):
    """A cell as XML, with `{at}` for its place."""

    __slots__ = ()


def workbook(
    *sheets: Sequence[Sequence[Any]], parts: Mapping[str, str | bytes] | None = None
) -> bytes:
    """A file with these sheets, called First, Second …"""
    names = ("First", "Second", "Third")[: len(sheets)]
    links = "".join(
        f'<Relationship Id="rId{n}" Type="{OFFICE}/worksheet" Target="worksheets/sheet{n}.xml"/>'
        for n in range(1, len(sheets) + 1)
    )
    content: dict[str, str | bytes] = {
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types">'
        '<Default Extension="xml" ContentType="application/xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="rId1" '
        f'Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>'
        + "".join(
            f'<sheet name="{name}" sheetId="{n}" r:id="rId{n}"/>'
            for n, name in enumerate(names, start=1)
        )
        + "</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships">{links}'
        f'<Relationship Id="rId99" Type="{OFFICE}/styles" Target="styles.xml"/></Relationships>',
        "xl/styles.xml": f'<styleSheet xmlns="{MAIN}"><cellXfs count="3"><xf numFmtId="0"/>'
        '<xf numFmtId="14"/><xf numFmtId="22"/></cellXfs></styleSheet>',
    }
    for n, rows in enumerate(sheets, start=1):
        content[f"xl/worksheets/sheet{n}.xml"] = sheet(rows)
    content.update(parts or {})
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in content.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def sheet(rows: Sequence[Sequence[Any]]) -> str:
    """The XML of a sheet; None is a cell that is not there."""
    written = "".join(
        f'<row r="{n}">'
        + "".join(cell(value, f"{chr(64 + k)}{n}") for k, value in enumerate(row, start=1))
        + "</row>"
        for n, row in enumerate(rows, start=1)
    )
    return f'<worksheet xmlns="{MAIN}"><sheetData>{written}</sheetData></worksheet>'


def cell(value: Any, at: str) -> str:  # noqa: PLR0911
    if value is None:
        return ""
    if isinstance(value, Raw):
        return value.replace("{at}", at)
    if isinstance(value, Formula):
        return f'<c r="{at}"><f>{escape(value)}</f><v>42</v></c>'
    if isinstance(value, str):
        return f'<c r="{at}" t="inlineStr"><is><t>{escape(value)}</t></is></c>'
    if isinstance(value, bool):
        return f'<c r="{at}" t="b"><v>{int(value)}</v></c>'
    if isinstance(value, datetime):
        days = (value.date() - EPOCH).days + (value.hour * 60 + value.minute) / 1440
        return f'<c r="{at}" s="2"><v>{days}</v></c>'
    if isinstance(value, date):
        return f'<c r="{at}" s="1"><v>{(value - EPOCH).days}</v></c>'
    return f'<c r="{at}"><v>{value}</v></c>'
