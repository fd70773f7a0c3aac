"""gzip, zstd and zip around one table are unpacked under a meter; all else in them is refused."""

import gzip
import io
import json
import stat
import struct
import zipfile
from collections.abc import Callable, Mapping

import pytest
import zstandard

from evergreen.data.ingestion import UploadRefusedError, ingest
from evergreen.data.limits import Limits
from tests.unit.data.uploads import Uploader, write_parquet
from tests.unit.data.workbooks import workbook

TABLE = b"name,n\nann,1\nbob,2\n"
ROWS = [("ann", 1), ("bob", 2)]


def zipped(members: Mapping[str, bytes]) -> bytes:
    """An archive of these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def member(name: str, **attributes: int) -> bytes:
    """An archive with one member that says something odd of itself."""
    buffer = io.BytesIO()
    info = zipfile.ZipInfo(name)
    for attribute, value in attributes.items():
        setattr(info, attribute, value)
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(info, TABLE)
    return buffer.getvalue()


PACKINGS: tuple[Callable[[bytes], bytes], ...] = (
    gzip.compress,
    lambda content: gzip.compress(content[:9]) + gzip.compress(content[9:]),
    zstandard.compress,
    lambda content: zstandard.compress(content[:9]) + zstandard.compress(content[9:]),
    lambda content: zipped({"table": content}),
    lambda content: zipped({"a/": b"", "a/b/é": content, "__MACOSX/é": b"x", "a/.DS_Store": b"x"}),
)


@pytest.mark.parametrize("pack", PACKINGS)
def test_a_packed_table_is_read_as_the_table(
    uploader: Uploader, pack: Callable[[bytes], bytes]
) -> None:
    parquet = write_parquet(uploader.directory / "t", "SELECT 'ann' AS name, 1 AS n")
    for content, rows in (
        (TABLE, ROWS),
        (b"\n".join(json.dumps({"name": a, "n": n}).encode() for a, n in ROWS), ROWS),
        (json.dumps([{"name": a, "n": n} for a, n in ROWS]).encode(), ROWS),
        (workbook([["name", "n"], *ROWS]), ROWS),
        (parquet.read_bytes(), ROWS[:1]),
    ):
        uploader.take(pack(content))
        assert uploader.rows() == rows


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        (gzip.compress(TABLE)[:-9], "damaged", "it ends in the middle"),
        (gzip.compress(TABLE) + b"trailing", "damaged", "damaged: incorrect header check"),
        (zstandard.compress(TABLE * 99)[:-3], "damaged", "ends in the middle"),
        (zstandard.compress(TABLE) + b"trailing", "damaged", "zstd"),
        (zipped({"t": TABLE})[:-30], "damaged", "not a zip file"),
        (member("t").replace(b"ann", b"eve", 1), "damaged", "is damaged"),
        (gzip.compress(gzip.compress(TABLE)), "nested", "compressed inside of compressed"),
        (gzip.compress(zipped({"t": TABLE})), "nested", "a zip archive inside of compressed"),
        (zipped({"t": zipped({"t": TABLE})}), "nested", "a zip archive inside of a zip archive"),
        (zipped({"a": TABLE, "b": TABLE}), "several_tables", "holds 2 files ('a', 'b'"),
        (zipped({}), "empty_file", "without files"),
        (gzip.compress(b""), "empty_file", "is empty"),
        (member("../../etc/passwd"), "odd_member", "'../../etc/passwd' in 'people.csv' leads out"),
        (member("/etc/passwd"), "odd_member", "leads out"),
        (member("..\\windows.csv"), "odd_member", "leads out"),
        (member("C:\\windows.csv"), "odd_member", "leads out"),
        (member("a\x1b[31m\n.csv"), "odd_member", "'a\\x1b[31m\\n.csv'"),
        (member("link", external_attr=stat.S_IFLNK << 16), "odd_member", "is a link"),
        (member("pipe", external_attr=stat.S_IFIFO << 16), "odd_member", "is a link"),
        (member("t.csv", compress_type=zipfile.ZIP_LZMA), "odd_member", "packed in a way"),
    ],
    ids=lambda value: "file" if isinstance(value, bytes) else None,
)
def test_what_cannot_be_unpacked_safely_is_refused(
    uploader: Uploader, content: bytes, code: str, said: str
) -> None:
    (reason,) = uploader.refused(content)
    assert reason.code == code
    assert said in reason.message


def test_an_encrypted_member_is_refused(uploader: Uploader) -> None:
    content = bytearray(zipped({"t": TABLE}))
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    (reason,) = uploader.refused(bytes(content))
    assert (reason.code, "is encrypted" in reason.message) == ("odd_member", True)


def test_a_directory_that_claims_to_be_huge_is_not_read(uploader: Uploader) -> None:
    content = bytearray(zipped({"t": TABLE}))
    place = content.index(b"PK\x05\x06")
    limits = Limits(footer_bytes=64)
    content[place + 12 : place + 16] = struct.pack("<I", place)
    content[place + 16 : place + 20] = bytes(4)
    with pytest.raises(UploadRefusedError, match="larger directory"):
        take(uploader, bytes(content), limits)


def take(uploader: Uploader, content: bytes, limits: Limits) -> None:
    source = uploader.directory / "source"
    source.write_bytes(content)
    ingest(source, "people.csv", uploader.destination, limits=limits)


@pytest.mark.parametrize("pack", PACKINGS)
def test_a_bomb_is_stopped_at_the_limits(
    uploader: Uploader, pack: Callable[[bytes], bytes]
) -> None:
    zeros = b"a,b\n" + b"1,2\n" * 500_000
    with pytest.raises(UploadRefusedError) as caught:
        take(uploader, pack(zeros), Limits(expanded_bytes=100_000))
    assert caught.value.reasons[0].code == "too_large"
    with pytest.raises(UploadRefusedError) as caught:
        take(uploader, pack(zeros), Limits(small_bytes=1_000, expansion_ratio=20))
    assert caught.value.reasons[0].code == "bomb"
    left = sorted(each.name for each in uploader.directory.iterdir())
    assert left == ["source"]


def test_a_workbook_is_measured_with_all_its_parts(uploader: Uploader) -> None:
    content = workbook([["a"], [1]], parts={"xl/media/image1.png": "\0" * 2_000_000})
    with pytest.raises(UploadRefusedError) as caught:
        take(uploader, content, Limits(expanded_bytes=1_000_000))
    assert caught.value.reasons[0].code == "too_large"
