"""An upload may be so large and no larger; what was passed and how to change it is said."""

import json
import struct
from typing import Any

import pytest

from evergreen.data.ingestion import UploadRefusedError, ingest
from evergreen.data.limits import CODES, Limits, LimitsInvalidError
from evergreen.data.rows import read_rows
from tests.unit.data.uploads import Uploader, write_parquet
from tests.unit.data.workbooks import workbook


def refusal(uploader: Uploader, content: bytes, **limits: int) -> tuple[str, str]:
    source = uploader.directory / "source"
    source.write_bytes(content)
    with pytest.raises(UploadRefusedError) as caught:
        ingest(source, "big", uploader.destination, limits=Limits(**limits))
    with pytest.raises(UploadRefusedError):
        list(read_rows(source, "big", limits=Limits(**limits)))
    assert not uploader.destination.exists()
    reason = caught.value.reasons[0]
    return reason.code, reason.message


def parquet(uploader: Uploader, query: str) -> bytes:
    return write_parquet(uploader.directory / "made", query).read_bytes()


def records(*values: Any) -> bytes:
    return json.dumps([{"a": value} for value in values]).encode()


def test_rows_are_counted_in_every_format(uploader: Uploader) -> None:
    for content in (
        b"a\n1\n2\n3\n",
        records(1, 2, 3),
        b'{"a": 1}\n{"a": 2}\n{"a": 3}\n',
        workbook([["a"], [1], [2], [3]]),
        parquet(uploader, "SELECT * FROM range(3)"),
    ):
        code, message = refusal(uploader, content, rows=2)
        assert code == "too_many_rows"
        assert "rows of the setting UPLOAD_LIMITS" in message


def test_columns_are_counted_in_every_format(uploader: Uploader) -> None:
    for content in (
        b"a,b,c\n1,2,3\n",
        b'{"a": 1}\n{"b": {"c": 1, "d": 2}}\n',
        workbook([["a", "b", "c"], [1, 2, 3]]),
        parquet(uploader, "SELECT 1 AS a, 2 AS b, 3 AS c"),
        parquet(uploader, "SELECT {'x': 1, 'y': 2, 'z': 3} AS a"),
    ):
        assert refusal(uploader, content, columns=2)[0] == "too_many_columns"


def test_long_values_are_refused_in_every_format(uploader: Uploader) -> None:
    long = "x" * 3_000
    for content in (
        b"a,b\n" + long.encode() + b",2\n",
        records(long),
        workbook([["a"], [long]]),
        parquet(uploader, f"SELECT '{long}' AS a"),
        f"Some words in a line and then {long}\n".encode() * 2,
    ):
        source = uploader.directory / "source"
        source.write_bytes(content)
        with pytest.raises(UploadRefusedError) as caught:
            ingest(source, "big", uploader.destination, limits=Limits(cell_bytes=2_000))
        assert "too_long" in {reason.code for reason in caught.value.reasons}


def test_a_long_record_is_refused_alone_where_lines_divide(uploader: Uploader) -> None:
    lines = [f'{{"a": {i}}}' for i in range(9)]
    lines[4] = json.dumps({"a": 1, "b": "x" * 5_000})
    source = uploader.directory / "source"
    source.write_text("\n".join(lines))
    part = ingest(source, "big", uploader.destination, limits=Limits(record_bytes=2_000))
    assert (part.rows, part.quarantined_rows) == (8, 1)


def test_a_footer_that_claims_a_billion_columns_is_refused(uploader: Uploader) -> None:
    content = parquet(uploader, "SELECT 1 AS a")
    length = struct.unpack("<I", content[-8:-4])[0]
    footer = content[-8 - length : -8]
    # Version; then the list of columns with a size of 2^30 instead of its own.
    claimed = footer[:2] + b"\x19\xfc\x80\x80\x80\x80\x04" + footer[4:]
    bomb = content[: -8 - length] + claimed + struct.pack("<I", len(claimed)) + b"PAR1"
    code, message = refusal(uploader, bomb)
    assert code == "bomb"
    assert "more memory than its table is worth" in message


@pytest.mark.parametrize(
    ("cut", "said"), [(slice(0, -1), "its end is missing"), (slice(0, 30), "its end is missing")]
)
def test_a_parquet_file_cut_off_is_refused(uploader: Uploader, cut: slice, said: str) -> None:
    content = parquet(uploader, "SELECT range AS a FROM range(1000)")
    code, message = refusal(uploader, content[cut])
    assert (code, said in message) == ("damaged", True)


def test_a_parquet_file_with_a_footer_larger_than_the_limit_is_refused(uploader: Uploader) -> None:
    content = parquet(uploader, "SELECT 1 AS a, 2 AS b")
    assert refusal(uploader, content, footer_bytes=100)[0] == "bomb"


def test_parquet_columns_that_differ_in_case_only_are_refused(uploader: Uploader) -> None:
    content = parquet(uploader, "SELECT 1 AS abc, 2 AS xyz").replace(b"xyz", b"ABC")
    code, message = refusal(uploader, content)
    assert (code, "occurs twice" in message) == ("duplicate_column", True)


def test_limits_are_set_by_name() -> None:
    limits = Limits.from_setting("columns=7, cell_bytes=9  rows=11")
    assert (limits.columns, limits.cell_bytes, limits.rows) == (7, 9, 11)
    assert Limits.from_setting("") == Limits()


@pytest.mark.parametrize("setting", ["colums=7", "columns=0", "columns=-1", "columns=x", "columns"])
def test_a_setting_that_cannot_be_meant_is_refused(setting: str) -> None:
    with pytest.raises(LimitsInvalidError):
        Limits.from_setting(setting)


def test_every_limit_has_a_reason() -> None:
    assert set(CODES) == set(Limits.__dataclass_fields__) - {"small_bytes"}


@pytest.mark.slow
def test_a_table_of_as_many_columns_as_allowed_is_taken(uploader: Uploader) -> None:
    width = Limits().columns
    rows = [",".join(f"c{i}" for i in range(width))]
    rows += [",".join(str(n * i) if i % 3 else f"abc{n}" for i in range(width)) for n in range(50)]

    part = uploader.take("\n".join(rows))

    assert (part.rows, len(part.schema.columns)) == (50, width)
