"""The manifest of an archive: a delimited text in it that says something of its other files."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from zipfile import ZipInfo

from evergreen.data.archive import Archive
from evergreen.data.delimited import Head, delimited, divide
from evergreen.data.files import DelimitedFile
from evergreen.data.limits import Limits
from evergreen.data.refusal import Reason, UploadRefusedError, did_you_mean, printable
from evergreen.data.text_encoding import as_utf8, form_of

SUFFIXES = (".csv", ".tsv")
FILE_COLUMNS = ("file", "path", "filename", "file_name")
"""What the column is called that names the files, from the manifest's folder."""


@dataclass(frozen=True)
class Manifest:
    """What is said of files: name in the archive → column → text.

    `lines`: name → the line that says it. `twice`: lines, and the names that they repeat.
    """

    member: ZipInfo | None = None
    columns: frozenset[str] = frozenset()
    rows: Mapping[str, Mapping[str, str | None]] = field(default_factory=dict)
    lines: Mapping[str, int] = field(default_factory=dict)
    twice: tuple[tuple[int, str], ...] = ()

    @property
    def name(self) -> str:
        """Its name, as a message may hold it."""
        return printable(self.member.filename) if self.member else ""


def manifest_of(archive: Archive, scratch: Path, limits: Limits) -> Manifest:
    """Read the only delimited text of an archive; nothing if there is none, or several.

    Raises UploadRefusedError if it does not name files.
    """
    found = [each for each in archive.members if each.filename.lower().endswith(SUFFIXES)]
    if len(found) != 1:
        return Manifest()
    member, name = found[0], printable(found[0].filename)
    path = archive.unpack(member, scratch / "manifest")
    path = as_utf8(path, form_of(path, name), scratch / "manifest.utf8", name)
    lines = Head.of(path).lines(name, limits)
    skipped = next((number for number, line in enumerate(lines) if line.strip()), None)
    if skipped is None:
        return Manifest()
    file = delimited(path, name, skipped, divide(lines[skipped:]), limits)
    places = {each.casefold(): place for place, each in enumerate(file.names)}
    key = next((places[each] for each in FILE_COLUMNS if each in places), None)
    if key is None or not file.has_header:
        message = (
            f"the manifest '{name}' has no column '{FILE_COLUMNS[0]}' that names the files; "
            f"{did_you_mean(FILE_COLUMNS[0], file.names)}"
        )
        raise UploadRefusedError([Reason("missing_column", message, FILE_COLUMNS[0], 1)])
    return _read(file, member, key)


def _read(file: DelimitedFile, member: ZipInfo, key: int) -> Manifest:
    folder = PurePosixPath(member.filename.replace("\\", "/")).parent
    columns = [each for place, each in enumerate(file.names) if place != key]
    rows: dict[str, dict[str, str | None]] = {}
    lines: dict[str, int] = {}
    twice: list[tuple[int, str]] = []
    with file.path.open(encoding="utf-8-sig", errors="replace", newline="") as text:
        for _ in range(file.skipped_lines + 1):
            text.readline()
        reader = csv.reader(text, delimiter=file.delimiter, quotechar=file.quote)
        for cells in reader:
            if not cells or len(cells) <= key:
                continue
            name = str(folder / cells[key].strip().replace("\\", "/"))
            line = reader.line_num + file.skipped_lines + 1
            if name in rows:
                twice.append((line, name))
                continue
            values = [each.strip() or None for place, each in enumerate(cells) if place != key]
            lines[name] = line
            rows[name] = dict(zip(columns, values, strict=False))
    return Manifest(member, frozenset(columns), rows, lines, tuple(twice))
