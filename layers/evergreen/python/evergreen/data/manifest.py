"""The manifest of an archive: a delimited text in it that says something of its other files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from zipfile import ZipInfo

from evergreen.data.archive import Archive
from evergreen.data.delimited import Head, delimited, divide
from evergreen.data.files import DelimitedFile
from evergreen.data.limits import Limits
from evergreen.data.located import TextRecords
from evergreen.data.refusal import Reason, RejectedRow, UploadRefusedError, printable
from evergreen.data.text_encoding import as_utf8, form_of, is_utf8

SUFFIXES = (".csv", ".tsv")
LABEL = "label"
SHOWN_COLUMNS = 20
TAKEN = frozenset({"file", "text"})
"""Columns that rows have without a manifest; its own of these names are called otherwise."""


@dataclass(frozen=True)
class Manifest:
    """What is said of files: name in the archive → column → text.

    `lines`: name → the line that says it. `twice`: lines, and the names that they repeat.
    `unfit`: name → why its line cannot be taken, as a code and a sentence. `rejected`: lines that
    cannot be divided, or name no file.
    `warnings`: what to say of how it was read.
    """

    member: ZipInfo | None = None
    columns: frozenset[str] = frozenset()
    rows: Mapping[str, Mapping[str, str | None]] = field(default_factory=dict)
    lines: Mapping[str, int] = field(default_factory=dict)
    twice: tuple[tuple[int, str], ...] = ()
    unfit: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    rejected: tuple[RejectedRow, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Its name, as a message may hold it."""
        return file_name(self.member) if self.member else ""

    @property
    def has_labels(self) -> bool:
        """Whether it labels files, so that their folders do not."""
        return any(each.casefold() == LABEL for each in self.columns)


def manifest_of(archive: Archive, scratch: Path, limits: Limits) -> Manifest:
    """Read the only delimited text of an archive; nothing if there is none, or several.

    Raises UploadRefusedError if it does not name files.
    """
    found = [each for each in archive.members if each.filename.lower().endswith(SUFFIXES)]
    if len(found) != 1:
        return Manifest()
    member, name = found[0], printable(found[0].filename)
    path = archive.unpack(member, scratch / "manifest")
    form = form_of(path, name)
    path = as_utf8(path, form, scratch / "manifest.utf8", name)
    lines = Head.of(path).lines(name, limits)
    if not any(line.strip() for line in lines):
        return Manifest()
    file = delimited(path, name, divide(lines), limits, scratch)
    file = replace(file, warnings=(*form.warnings, *file.warnings))
    text = TextRecords(file, errors="surrogateescape")
    records = [record for record in text if any(record[1])]
    files = _Files.of(archive, member)
    meets = [
        tuple(
            sum(find(cells[place]) is not None for _, cells, _ in records if place < len(cells))
            for find in (files.at_path, files.named)
        )
        for place in range(len(file.names))
    ]
    if not any(found for _, found in meets):
        message = (
            f"the manifest '{name}' has no column that names files of the archive, in columns "
            + ", ".join(f"'{each}'" for each in file.names[:SHOWN_COLUMNS])
        )
        raise UploadRefusedError([Reason("missing_column", message, line=1)])
    return _read(file, records, member, meets.index(max(meets)), files)


@dataclass(frozen=True)
class _Files:
    """The other files of an archive, as a manifest may name them, in upper or lower case.

    `paths`: their paths, `ends`: ends of these of whole names, with and without the file's ending,
    each by the one file that has it. A path that is right to the letter is right first.
    """

    folder: PurePosixPath
    exact: frozenset[str]
    paths: Mapping[str, str]
    ends: Mapping[str, str]

    @staticmethod
    def of(archive: Archive, manifest: ZipInfo) -> _Files:
        """All files but the manifest itself."""
        names = [each.filename for each in archive.members if each.filename != manifest.filename]
        paths, ends = _OfOne(), _OfOne()
        for name in names:
            path = _path(name)
            paths.add(str(path), name)
            for end in {*_ends(path), *_ends(path.with_suffix(""))}:
                ends.add(end, name)
        return _Files(_path(manifest.filename).parent, frozenset(names), paths.found, ends.found)

    def at_path(self, cell: str) -> str | None:
        """The file at a path from the manifest's folder, or in the archive."""
        written = _path(cell.strip())
        paths = (str(self.folder / written), str(written))
        exact = (path for path in paths if path in self.exact)
        alike = (self.paths[key] for path in paths if (key := path.casefold()) in self.paths)
        return next(exact, None) or next(alike, None)

    def named(self, cell: str) -> str | None:
        r"""The file that is meant: at a path, or at one that ends so, or where this path ends.

        A manifest may be written where the files lay in other folders: `C:\photos\cat\1.png`.
        """
        written = _path(cell.strip())
        whole = str(written).casefold()
        lay = (self.paths[end] for end in _ends(written) if end in self.paths)
        return self.at_path(cell) or self.ends.get(whole) or next(lay, None)


@dataclass
class _OfOne:
    """What only one file is called."""

    found: dict[str, str] = field(default_factory=dict)
    several: set[str] = field(default_factory=set)

    def add(self, called: str, name: str) -> None:
        """Call a file so, in whatever case."""
        key = called.casefold()
        if self.found.get(key, name) != name:
            self.several.add(key)
            del self.found[key]
        elif key not in self.several:
            self.found[key] = name


def _ends(path: PurePosixPath) -> list[str]:
    """The path, then without its first folder, and so on, in small letters."""
    return ["/".join(path.parts[first:]).casefold() for first in range(len(path.parts))]


def _path(name: str) -> PurePosixPath:
    return PurePosixPath(name.replace("\\", "/"))


def _read(
    file: DelimitedFile,
    records: list[tuple[int, list[str], str]],
    member: ZipInfo,
    key: int,
    files: _Files,
) -> Manifest:
    columns = [
        f"{each} in the manifest" if each.casefold() in TAKEN else each
        for place, each in enumerate(file.names)
        if place != key
    ]
    rows: dict[str, dict[str, str | None]] = {}
    lines: dict[str, int] = {}
    twice: list[tuple[int, str]] = []
    unfit: dict[str, tuple[str, str]] = {}
    called = file_name(member)
    rejected = [
        replace(row, reasons=tuple(_within(called, reason) for reason in row.reasons))
        for row in file.rejected
    ]
    for line, cells, raw in records:
        count = f"has {len(cells)} values and the header {len(file.names)}"
        if len(cells) <= key:
            reason = Reason("ragged_row", f"line {line} {count}", line=line)
            rejected.append(RejectedRow(line, raw, (_within(called, reason),)))
            continue
        if not is_utf8(cells[key]):
            reason = Reason("undecodable", f"line {line} is not UTF-8 text", line=line)
            shown = raw.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
            rejected.append(RejectedRow(line, shown, (_within(called, reason),)))
            continue
        name = files.named(cells[key]) or cells[key].strip()
        if name in rows:
            twice.append((line, name))
            continue
        where = f"is in line {line} of '{called}', which"
        if not is_utf8(raw):
            unfit[name] = ("undecodable", f"{where} is not UTF-8 text")
        elif len(cells) != len(file.names):
            unfit[name] = ("ragged_row", f"{where} {count}")
        values = [each.strip() or None for place, each in enumerate(cells) if place != key]
        lines[name] = line
        rows[name] = dict(zip(columns, values, strict=False))
    return Manifest(
        member,
        frozenset(columns),
        rows,
        lines,
        tuple(twice),
        unfit,
        tuple(rejected),
        file.warnings,
    )


def _within(called: str, reason: Reason) -> Reason:
    return replace(reason, message=f"in '{called}', {reason.message}")


def file_name(member: ZipInfo) -> str:
    """The name of a file of an archive, as a message may hold it."""
    return printable(member.filename)
