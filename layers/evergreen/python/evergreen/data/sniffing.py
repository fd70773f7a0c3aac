"""What an uploaded file is, judged by its content and never by its name."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from evergreen.data import archive, json_records, parquet_footer, plain_text, workbook
from evergreen.data.collection import (
    Collection,
    Medium,
    medium_of,
    medium_of_file,
    read_file,
)
from evergreen.data.delimited import Head, delimited, divide, is_prose
from evergreen.data.files import DelimitedFile, ParquetFile
from evergreen.data.limits import Limits
from evergreen.data.records import Records
from evergreen.data.refusal import Reason, UploadRefusedError, printable
from evergreen.data.text_encoding import as_utf8, form_of, utf16_of
from evergreen.data.unpacking import PACKED, unpacked

__all__ = ["ACCEPTED", "DelimitedFile", "ParquetFile", "recognise"]

HEAD_BYTES = 1 << 18
SHOWN_MEMBERS = 5

ACCEPTED = (
    "taken are delimited text (comma, semicolon, tab or '|'), JSON records, JSON Lines, Parquet, "
    "Excel (.xlsx) and plain text, each also in gzip, zstd or zip, and zip archives of pictures "
    "(PNG, JPEG), recordings (WAV, FLAC, OGG) or texts (.txt) in folders that label them"
)
FOREIGN_FORMATS = (
    (b"GIF8", "a GIF image"),
    (b"RIFF", "a film or another RIFF file"),
    (b"ID3", "a sound (MP3)"),
    (b"%PDF", "a PDF document"),
    (b"\xd0\xcf\x11\xe0", "an old Excel or Word document, or one with a password"),
    (b"SQLite format 3", "an SQLite database"),
    (b"BZh", "bzip2-compressed"),
    (b"\xfd7zXZ", "xz-compressed"),
    (b"7z\xbc\xaf", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"PARE", "an encrypted Parquet file"),
    (b"ORC", "an ORC file"),
    (b"Obj\x01", "an Avro file"),
    (b"ARROW1", "an Arrow file"),
    (b"@relation", "an ARFF file"),
    (b"@RELATION", "an ARFF file"),
    (b"\x80\x02", "a Python pickle, which is never opened"),
    (b"\x80\x03", "a Python pickle, which is never opened"),
    (b"\x80\x04", "a Python pickle, which is never opened"),
    (b"\x80\x05", "a Python pickle, which is never opened"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
)
TAR_PLACE, TAR_MAGIC = 257, b"ustar"
_ARRAY = re.compile(r"\s*\[\s*([{\[\]\"\d]|-\d|(null|true|false)\s*([,\]]|$)|$)")
_OBJECT = re.compile(r"\s*\{\s*([\"}]|$)")
_MARKUP = re.compile(rb"\s*<(!doctype|html|\?xml|[a-z]+[\s>])", re.IGNORECASE)
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")


@dataclass(frozen=True)
class Upload:
    """A file on its way to being recognised. `packed` is what it was unpacked from, if anything.

    `name` is for messages; `written` is the same as its owner wrote it.
    """

    path: Path
    name: str
    scratch: Path
    limits: Limits
    connection: duckdb.DuckDBPyConnection
    packed: str | None = None
    written: str = ""

    @property
    def head(self) -> bytes:
        """Its first bytes."""
        with self.path.open("rb") as file:
            return file.read(HEAD_BYTES)

    def records(self, place: str) -> Records:
        """To be filled with what the file holds, each called a `place`."""
        return Records(self.name, place, self.scratch, self.limits)


def recognise(
    connection: duckdb.DuckDBPyConnection,
    source: Path,
    name: str,
    scratch: Path,
    limits: Limits,
) -> ParquetFile | DelimitedFile:
    """Say what the file is; what staging does not read as it is becomes Parquet in `scratch`.

    Raises UploadRefusedError for everything that is no table, with what was seen instead.
    """
    return _recognised(Upload(source, printable(name), scratch, limits, connection, written=name))


def _recognised(upload: Upload) -> ParquetFile | DelimitedFile:
    head = upload.head
    if not head.strip():
        what = "is empty" if len(head) < HEAD_BYTES else f"begins with {HEAD_BYTES:,} blank bytes"
        raise _refused("empty_file", f"'{upload.name}' {what}; {ACCEPTED}")
    for magic, read in FORMATS:
        if head.startswith(magic):
            return read(upload)
    medium = medium_of_file(upload.path)
    if medium is not None and not upload.packed:
        return _medium(upload, medium)
    _refuse_foreign(head, upload.name)
    if utf16_of(head) is None:
        _refuse_binary(head, upload.name)
    form = form_of(upload.path, upload.name)
    path = as_utf8(upload.path, form, upload.scratch / "text.csv", upload.name)
    file = _text(replace(upload, path=path), form.quotes)
    if isinstance(file, DelimitedFile):
        file = replace(file, form=form)
    return replace(file, warnings=(*form.warnings, *file.warnings))


def _parquet(upload: Upload) -> ParquetFile:
    parquet_footer.check_footer(upload.path, upload.name, upload.scratch, upload.limits)
    return ParquetFile(upload.path)


def _packed(upload: Upload) -> ParquetFile | DelimitedFile:
    """A gzip or zstd file."""
    _refuse_nested(upload, "compressed")
    path = unpacked(upload.path, upload.name, upload.scratch / "unpacked", upload.limits)
    return _recognised(replace(upload, path=path, packed="compressed"))


def _zip(upload: Upload) -> ParquetFile | DelimitedFile:
    """A workbook, or an archive with one table."""
    with archive.opened(upload.path, upload.name, upload.limits) as opened:
        names = {member.filename for member in opened.members}
        if workbook.BOOK in names:
            return _workbook(upload, workbook.check_parts(opened, upload.name))
        for member, what in workbook.OTHER_OFFICE.items():
            if member in names:
                raise _refused("not_a_table", f"'{upload.name}' is {what}; {ACCEPTED}")
        _refuse_nested(upload, "a zip archive")
        if not opened.members:
            raise _refused("empty_file", f"'{upload.name}' is an archive without files; {ACCEPTED}")
        medium = medium_of(opened)
        if medium is not None:
            return _collection(upload, Collection(opened, medium, upload.scratch, upload.limits))
        if len(opened.members) > 1:
            shown = ", ".join(f"'{printable(each)}'" for each in sorted(names)[:SHOWN_MEMBERS])
            message = (
                f"'{upload.name}' holds {len(names):,} files ({shown} …); upload each table as a "
                "file of its own: they become parts of one dataset"
            )
            raise _refused("several_tables", message)
        path = opened.unpack(opened.members[0], upload.scratch / "unpacked")
    return _recognised(replace(upload, path=path, packed="a zip archive"))


def _medium(upload: Upload, medium: Medium) -> ParquetFile:
    with upload.records("file") as records:
        try:
            read_file(upload.path, upload.written, medium, records, upload.limits)
        except ModuleNotFoundError:
            raise _no_table(upload) from None
        return records.as_parquet(upload.connection)


def _no_table(upload: Upload) -> UploadRefusedError:
    """A function that takes tables alone is deployed without what opens pictures."""
    return _refused("not_a_table", f"'{upload.name}' holds no table, which is needed here")


def _collection(upload: Upload, collection: Collection) -> ParquetFile:
    with upload.records("file") as records:
        try:
            loose, said = collection.read(records)
        except ModuleNotFoundError:
            raise _no_table(upload) from None
        if not records.rows:
            reasons = [reason for row in records.rejected[:5] for reason in row.reasons]
            message = f"'{upload.name}' holds no {collection.medium.noun} that can be read"
            raise UploadRefusedError([Reason("no_rows", message), *reasons])
        made = records.as_parquet(upload.connection, said)
    return replace(made, loose=made.loose | loose)


def _workbook(upload: Upload, errors: Mapping[str, int]) -> ParquetFile:
    with upload.records("row") as records:
        said = workbook.read_workbook(
            upload.path, upload.name, records, upload.scratch, upload.limits, errors
        )
        return records.as_parquet(upload.connection, said)


def _text(upload: Upload, quotes: bool) -> ParquetFile | DelimitedFile:  # noqa: FBT001
    head = Head.of(upload.path)
    if _ARRAY.match(head.text):
        return _json_array(upload)
    if _OBJECT.match(head.text):
        return _json_lines(upload)
    lines = head.lines(upload.name, upload.limits)
    division = divide(lines)
    if not is_prose(lines, division):
        return delimited(upload.path, upload.name, division, upload.limits, upload.scratch, quotes)
    with upload.records("line") as records:
        said = plain_text.read_text(upload.path, head.text, records, upload.limits)
        return records.as_parquet(upload.connection, [said])


def _json_array(upload: Upload) -> ParquetFile:
    with upload.records("record") as records:
        json_records.read_array(upload.path, upload.name, records, upload.limits)
        return records.as_parquet(upload.connection)


def _json_lines(upload: Upload) -> ParquetFile:
    on_lines = json_records.is_json_lines(upload.path, upload.limits)
    if not on_lines or json_records.holds_records(upload.path, upload.limits):
        return _json_object(upload)
    with upload.records("line") as records:
        json_records.read_lines(upload.path, records, upload.limits)
        return records.as_parquet(upload.connection)


def _json_object(upload: Upload) -> ParquetFile:
    """One object, of which a key has the records."""
    with upload.records("record") as records:
        said = json_records.read_wrapped(upload.path, upload.name, records, upload.limits)
        if said is not None:
            return records.as_parquet(upload.connection, [said])
    message = (
        f"'{upload.name}' is one JSON object over several lines; upload an array of records "
        '([{"a": 1}, {"a": 2}]) or one object on each line'
    )
    raise _refused("not_a_table", message)


FORMATS: tuple[tuple[bytes, Callable[[Upload], ParquetFile | DelimitedFile]], ...] = (
    (b"PAR1", _parquet),
    (b"PK\x03\x04", _zip),
    (b"PK\x05\x06", _zip),
    *((magic, _packed) for magic in PACKED),
)
"""How a file begins → how it is read; all else is text, or foreign."""


def _refuse_nested(upload: Upload, what: str) -> None:
    if upload.packed:
        message = f"'{upload.name}' is {what} inside of {upload.packed}; pack a table once"
        raise _refused("nested", message)


def _refuse_foreign(head: bytes, name: str) -> None:
    for magic, what in FOREIGN_FORMATS:
        if head.startswith(magic):
            raise _refused("not_a_table", f"'{name}' is {what}; {ACCEPTED}")
    if head[TAR_PLACE:].startswith(TAR_MAGIC):
        raise _refused("not_a_table", f"'{name}' is a tar archive; {ACCEPTED}")
    if _MARKUP.match(head):
        raise _refused("not_a_table", f"'{name}' is an HTML or XML page, no table; {ACCEPTED}")


def _refuse_binary(head: bytes, name: str) -> None:
    if len(_CONTROL.findall(head)) > len(head) * 0.005:
        raise _refused("not_a_table", f"'{name}' is binary data, no table; {ACCEPTED}")


def _refused(code: str, message: str) -> UploadRefusedError:
    return UploadRefusedError([Reason(code, message)])
