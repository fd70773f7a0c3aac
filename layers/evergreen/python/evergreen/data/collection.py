"""Archives of pictures, recordings or documents: one row for each file, labelled by its folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from zipfile import ZipInfo

from evergreen.data.archive import Archive
from evergreen.data.limits import Limits
from evergreen.data.manifest import LABEL, Manifest, manifest_of
from evergreen.data.records import Records
from evergreen.data.refusal import Reason, UploadRefusedError, printable
from evergreen.data.text_encoding import as_utf8, form_of
from evergreen.media.damage import MediaRefusedError

FILE, TEXT = "file", "text"
"""Columns of a row beside LABEL, its folder: its path in the archive; the content of a document."""

LOOKED_AT = 200
"""Members whose beginning tells what an archive holds."""

HEAD_BYTES = 12
Described = Iterable[tuple[str, Any]]


@dataclass(frozen=True)
class Medium:
    """One kind of content: what a file of it is called, how it begins, what is made of it.

    `guessed` says what had to be guessed to read one.
    """

    noun: str
    begins: Callable[[bytes, str], bool]
    describe: Callable[[Path, str, Limits], Described]
    guessed: Callable[[Path, str], tuple[str, ...]] = lambda *_: ()


# Imported where they are needed: functions that read tables alone have not what these import.
def _pictured(path: Path, name: str, limits: Limits) -> Described:  # noqa: ARG001
    from evergreen.media.picture_numbers import describe_picture

    with path.open("rb") as file:
        return describe_picture(file, limits.pixels).items()


def _sounded(path: Path, name: str, limits: Limits) -> Described:  # noqa: ARG001
    from evergreen.media.sound_numbers import describe_sound

    with path.open("rb") as file:
        return describe_sound(file, limits.audio_seconds).items()


def _written(path: Path, name: str, limits: Limits) -> Described:
    if path.stat().st_size > 2 * limits.cell_bytes:
        raise MediaRefusedError("too_long", f"is longer than {limits.cell_bytes:,} bytes")
    plain = as_utf8(path, form_of(path, name), path.with_suffix(".utf8"), name)
    try:
        text = plain.read_text(encoding="utf-8-sig").strip()
    except UnicodeDecodeError:
        raise MediaRefusedError("undecodable", "is not UTF-8 text") from None
    return [(TEXT, text or None)]


MEDIA: Mapping[str, Medium] = {
    "image": Medium(
        "PNG or JPEG picture",
        lambda head, _: head.startswith((b"\x89PNG", b"\xff\xd8\xff")),
        _pictured,
    ),
    "audio": Medium(
        "WAV, FLAC or OGG recording",
        lambda head, _: (
            head.startswith((b"fLaC", b"OggS"))
            or (head.startswith((b"RIFF", b"RF64")) and head[8:12] == b"WAVE")
        ),
        _sounded,
    ),
    "text": Medium(
        "text (.txt)",
        lambda _, name: name.lower().endswith(".txt"),
        _written,
        lambda path, name: form_of(path, name).warnings,
    ),
}
"""In the order in which they count when an archive holds as many of two kinds."""


def medium_of(archive: Archive) -> Medium | None:
    """What an archive is a collection of, if it is one: the kind of most of its first files.

    A single text is no collection: its lines may be.
    """
    found: Counter[str] = Counter()
    looked_at = archive.members[:LOOKED_AT]
    for member in looked_at:
        try:
            head = archive.head(member, HEAD_BYTES)
        except UploadRefusedError:
            continue
        found.update(kind for kind in MEDIA if MEDIA[kind].begins(head, member.filename))
    others = len(looked_at) - found.total()
    kind = max(MEDIA, key=lambda each: found[each])
    few = 1 if kind == "text" else 0
    return MEDIA[kind] if found[kind] > few and found[kind] >= others else None


def medium_of_file(path: Path) -> Medium | None:
    """Whether a file is itself a picture or a recording; a text is a table or not by its lines."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    return next((each for each in MEDIA.values() if each.begins(head, "")), None)


def read_file(path: Path, name: str, medium: Medium, records: Records, limits: Limits) -> None:
    """Take a picture or a recording that was uploaded by itself; raises UploadRefusedError."""
    try:
        found = medium.describe(path, name, limits)
    except MediaRefusedError as error:
        message = f"'{printable(name)}' {error.problem}"
        raise UploadRefusedError([Reason(error.code, message)]) from error
    records.add(1, [(FILE, name), (LABEL, folder_of(name)), *found], name)


@dataclass(frozen=True)
class Collection:
    """An archive of one kind of content, on its way to rows."""

    archive: Archive
    medium: Medium
    scratch: Path
    limits: Limits

    def read(self, records: Records) -> tuple[frozenset[str], tuple[str, ...]]:
        """Take every file as a record; columns that are to be read like text, and what to know.

        A file that cannot be read is rejected with its name; files and lines of the manifest that
        were taken or rejected are all there are.
        """
        manifest = manifest_of(self.archive, self.scratch, self.limits)
        listed: set[str] = set()
        guessed: Counter[str] = Counter()
        members = [each for each in self.archive.members if each is not manifest.member]
        for number, member in enumerate(members, start=1):
            listed.add(member.filename)
            guessed.update(self._take(number, member, manifest, records))
        for name, line in manifest.lines.items():
            if name not in listed:
                said = f"is in line {line} of '{manifest.name}' and not in the archive"
                _reject(records, line, name, "missing_file", said)
        for row in manifest.rejected:
            records.reject(row.line or 0, row.raw, row.reasons)
        for line, name in manifest.twice:
            said = f"is in line {line} of '{manifest.name}' again; each file is listed once"
            _reject(records, line, name, "duplicate_key", said)
        unlisted = len(listed - set(manifest.rows)) if manifest.member else 0
        notes = [f"'{manifest.name}': {each}" for each in manifest.warnings]
        notes += [f"in {count:,} files {each}" for each, count in guessed.items()]
        if unlisted:
            notes.append(
                f"{unlisted:,} files are not in '{manifest.name}': its columns are missing there"
            )
        return manifest.columns, tuple(notes)

    def _take(
        self, number: int, member: ZipInfo, manifest: Manifest, records: Records
    ) -> tuple[str, ...]:
        """Take or reject a file; what was guessed to read it."""
        name = member.filename
        if name in manifest.unfit:
            _reject(records, number, name, *manifest.unfit[name])
            return ()
        try:
            path = self.archive.unpack(member, self.scratch / "member")
            found = self.medium.describe(path, name, self.limits)
        except MediaRefusedError as error:
            _reject(records, number, name, error.code, error.problem)
            return ()
        except UploadRefusedError as error:
            # Only what is wrong with this file; a bomb is wrong with the whole archive.
            if {reason.code for reason in error.reasons} <= OF_ONE_FILE:
                records.reject(number, name, error.reasons)
                return ()
            raise
        told = manifest.rows.get(name, {})
        own = [] if manifest.has_labels else [(LABEL, folder_of(name))]
        cells = [(FILE, name), *own]
        cells += [(column, told.get(column)) for column in sorted(manifest.columns)]
        records.add(number, [*cells, *found], name)
        return self.medium.guessed(path, name)


OF_ONE_FILE = frozenset({"damaged", "nul_character", "undecodable"})


def folder_of(name: str) -> str | None:
    """The folder that a file lies in, which labels it.

    >>> folder_of("photos/cat/1.png"), folder_of("1.png")
    ('cat', None)
    """
    return PurePosixPath(name.replace("\\", "/")).parent.name or None


def _reject(records: Records, number: int, name: str, code: str, problem: str) -> None:
    """Reject a file by its number in the archive, or by its line in the manifest."""
    message = f"'{printable(name)}' {problem}"
    records.reject(number, name, [Reason(code, message, line=number)])
