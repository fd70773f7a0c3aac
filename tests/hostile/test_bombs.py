"""Files that are small outside and large inside are refused before they unfold."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path
from typing import Any

import pytest

from tests.hostile.attack import SLOWEST_OF_LARGE, Attack, check, delivered
from tests.hostile.bombs import (
    GIB,
    claimed_in_zip64,
    endless_name,
    gzip_bomb,
    many_members,
    overlapping,
    zip_bomb,
    zstd_bomb,
)
from tests.hostile.parquet_writer import (
    BINARY,
    I32,
    I64,
    LIST,
    STRUCT,
    column_of_one_text,
    file_of,
    struct_of,
)
from tests.unit.data.uploads import write_parquet
from tests.unit.data.workbooks import MAIN, Formula, workbook

LAUGHS = '<!DOCTYPE l [<!ENTITY a "ha">' + "".join(
    f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(10)
)
FAR_APART = (
    f'<worksheet xmlns="{MAIN}"><sheetData><row r="1"><c r="A1"><v>1</v></c></row>'
    '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData></worksheet>'
)
SHEET = "xl/worksheets/sheet1.xml"
BEYOND = (
    f'<worksheet xmlns="{MAIN}"><sheetData><row r="4294967295"><c r="A4294967295"><v>1</v></c>'
    "</row></sheetData></worksheet>"
)
ENDLESS_DATE = (
    f'<worksheet xmlns="{MAIN}"><sheetData><row r="1"><c r="A1" t="str"><v>a</v></c></row>'
    '<row r="2"><c r="A2" s="1"><v>-1e300</v></c></row></sheetData></worksheet>'
)
DATES = (
    f'<styleSheet xmlns="{MAIN}"><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs>'
    "</styleSheet>"
)
RELATIONS = "xl/_rels/workbook.xml.rels"
OUTSIDE = (
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/'
    'relationships/worksheet" Target="../../../../etc/passwd"/></Relationships>'
)
RUNS = Formula('WEBSERVICE("http://127.0.0.1:9/")&cmd|"/C touch pwned"!A0')


def altered(content: str, part: str = SHEET) -> bytes:
    return workbook([["a"], [1]], parts={part: content})


def many_columns(path: Path) -> None:
    path.write_bytes(file_of(b"", [b"c%d" % n for n in range(100_000)], 0, []))


def claimed_columns(path: Path) -> None:
    footer = b"\x15\x02\x19\xfc\xff\xff\xff\xff\x07" + struct_of((4, 8, b"schema"))
    path.write_bytes(b"PAR1" + footer + struct.pack("<I", len(footer)) + b"PAR1")


def large_footer(path: Path) -> None:
    footer = bytes(32 << 20)
    path.write_bytes(b"PAR1" + footer + struct.pack("<I", len(footer)) + b"PAR1")


def of_lists_alone(path: Path) -> None:
    write_parquet(path, "SELECT [1, 2] AS a, {'x': 1} AS b FROM range(50)")


def deep(path: Path, depth: int = 100_000) -> None:
    """Groups in groups."""
    groups = [struct_of((3, I32, 1), (4, BINARY, b"a"), (5, I32, 1))] * depth
    leaf = struct_of((1, I32, 1), (3, I32, 1), (4, BINARY, b"z"))
    schema = [struct_of((4, BINARY, b"schema"), (5, I32, 1)), *groups, leaf]
    footer = struct_of(
        (1, I32, 1), (2, LIST, (STRUCT, schema)), (3, I64, 0), (4, LIST, (STRUCT, []))
    )
    path.write_bytes(b"PAR1" + footer + struct.pack("<I", len(footer)) + b"PAR1")


def truncated(path: Path) -> None:
    write_parquet(path, "SELECT range AS a, hash(range) AS b FROM range(100000)")
    path.write_bytes(path.read_bytes()[:-1000])


def damaged_pages(path: Path) -> None:
    write_parquet(path, "SELECT range AS a, hash(range) AS b FROM range(100000)")
    content = bytearray(path.read_bytes())
    content[100:5_000] = bytes(4_900)
    path.write_bytes(content)


BOMBS = {
    "gzip of nothing": Attack.made(gzip_bomb, "bomb"),
    "gzip of rows": Attack.made(lambda path: gzip_bomb(path, b"1,2\n"), "bomb"),
    "zstd of rows": Attack.made(zstd_bomb, "bomb"),
    "zip of rows": Attack.made(zip_bomb, "bomb"),
    "zip that says it is small": Attack.made(lambda path: zip_bomb(path, declared=100), "damaged"),
    "zip that says it is large": Attack.made(
        lambda path: zip_bomb(path, size=1 << 26, declared=(1 << 32) - 1), "damaged", "too_large"
    ),
    "zip of zip marks": Attack.made(lambda path: zip_bomb(path, content=b"PK\x03\x04"), "bomb"),
    "zip of 300,000 names": Attack.made(many_members, "too_many_members"),
    "gzip of a name that never ends": Attack.made(endless_name, "damaged"),
    "gzip of a million members": Attack.of(
        gzip.compress(b"a,b\n1,2\n") + gzip.compress(b"") * 1_000_000, rows=1
    ),
    "gzip with something behind it": Attack.of(gzip.compress(b"a,b\n1,2\n") + b"x", "damaged"),
    "zip of members over each other": Attack.made(overlapping, "several_tables"),
    "zip64 that says it is endless": Attack.made(claimed_in_zip64, "too_large"),
    "workbook of nothing": Attack.made(
        lambda path: zip_bomb(path, b"xl/workbook.xml", content=b"    "), "bomb"
    ),
    "workbook with a thousand million laughs": Attack.of(
        altered(LAUGHS + "]><sst><si><t>&k;</t></si></sst>", "xl/sharedStrings.xml"), "xml_entity"
    ),
    "workbook with an entity of a file": Attack.of(
        altered('<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>'), "xml_entity"
    ),
    "workbook with entities in UTF-16": Attack.of(
        workbook([["a"]], parts={SHEET: LAUGHS.encode("utf-16")}), "damaged"
    ),
    "workbook with entities in its relations": Attack.of(
        altered(LAUGHS + "]><x>&k;</x>", "_rels/.rels"), "xml_entity"
    ),
    "workbook with a cell beyond its end": Attack.of(altered(BEYOND), "damaged"),
    "workbook with a date at the end of time": Attack.of(
        workbook([["a"]], parts={SHEET: ENDLESS_DATE, "xl/styles.xml": DATES}), "damaged"
    ),
    "workbook that leads out": Attack.of(altered(OUTSIDE, RELATIONS), "damaged"),
    "workbook with cells far apart": Attack.of(altered(FAR_APART), "bomb"),
    "workbook with deep XML": Attack.of(altered("<a>" * 1_000_000), "damaged", "empty_file"),
    "Parquet with 100,000 columns": Attack.made(many_columns, "too_many_columns"),
    "Parquet of lists alone": Attack.made(of_lists_alone, "no_columns"),
    "Parquet 100,000 deep": Attack.made(deep, "damaged", "bomb"),
    "Parquet that claims 2^31 columns": Attack.made(claimed_columns, "bomb", "damaged"),
    "Parquet with a footer of 32 MiB": Attack.made(large_footer, "bomb"),
    "Parquet of 10^9 rows": Attack.of(column_of_one_text(b"x" * 1_000, 10**9), "too_many_rows"),
    "Parquet of one text 10^6 times": Attack.of(
        column_of_one_text(b"x" * 1_900_000, 10**6), "too_large"
    ),
    "Parquet with a page that claims 2 GiB": Attack.of(
        column_of_one_text(b"hello", 10, page_bytes=2**31 - 1), "too_large"
    ),
    "Parquet cut off": Attack.made(truncated, "damaged"),
    "Parquet with damaged pages": Attack.made(damaged_pages, "damaged"),
    "formulas": Attack.of(workbook([["a", "b"], [RUNS, "=1+1"], [1, "@SUM(1)"]]), rows=2),
}
"""Everything that fits into seconds."""

LARGE_BOMBS = {
    "gzip of 20 GiB": Attack.made(lambda path: gzip_bomb(path, size=20 * GIB), "too_large"),
    "zip of 4 GiB": Attack.made(
        lambda path: zip_bomb(path, size=20 * GIB, declared=4 * GIB - 1), "too_large", "damaged"
    ),
}


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return delivered(BOMBS, tmp_path_factory.mktemp("bombs"))


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused(reports: dict[str, Any], name: str) -> None:
    check(BOMBS[name], reports[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGE_BOMBS)
def test_a_large_bomb_is_refused(tmp_path: Path, name: str) -> None:
    only = {name: LARGE_BOMBS[name]}
    check(only[name], delivered(only, tmp_path)[name], SLOWEST_OF_LARGE)
