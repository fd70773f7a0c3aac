"""Zip archives of strangers: looked at before anything is unpacked, then unpacked under a meter."""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from evergreen.data.limits import Limits
from evergreen.data.refusal import Reason, UploadRefusedError, printable

CHUNK = 1 << 20
PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
LITTER = (".", "__macosx", "@eadir", "thumbs.db", "desktop.ini")
"""Beginnings of files and folders that systems leave in archives; nobody means to upload them."""

_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    OverflowError,
    struct.error,
    UnicodeDecodeError,
    ValueError,
)


class Meter:
    """Counts what an object expands to, and stops it at the limits."""

    def __init__(self, packed_bytes: int, name: str, limits: Limits) -> None:
        self._name = name
        self._limits = limits
        self._expanded = 0
        self._ratio_bytes = max(limits.small_bytes, packed_bytes * limits.expansion_ratio)

    def add(self, count: int) -> None:
        """Count more bytes; raises UploadRefusedError."""
        self._expanded += count
        if self._expanded > self._limits.expanded_bytes:
            what = f"'{self._name}' expands to more than {self._limits.expanded_bytes:,} bytes"
            raise self._limits.refuse("expanded_bytes", what)
        if self._expanded > self._ratio_bytes:
            what = f"'{self._name}' expands to a multiple of itself that no table does"
            raise self._limits.refuse("expansion_ratio", what)


@dataclass(frozen=True)
class Archive:
    """An open archive whose directory was looked at; `members` are its files, in its order.

    `parts` are these and what systems leave in archives. A member's name is for people and for
    labels; no path is ever made of it.
    """

    name: str
    members: tuple[zipfile.ZipInfo, ...]
    parts: tuple[zipfile.ZipInfo, ...]
    _zip: zipfile.ZipFile
    _meter: Meter

    def chunks(self, member: zipfile.ZipInfo) -> Iterator[bytes]:
        """The content of a member; raises UploadRefusedError if it is damaged or too large."""
        try:
            with self._zip.open(member) as content:
                while chunk := content.read(CHUNK):
                    self._meter.add(len(chunk))
                    yield chunk
        except UploadRefusedError:
            raise
        except _DAMAGE as error:
            raise _damaged(f"'{printable(member.filename)}' in '{self.name}'", error) from error

    def head(self, member: zipfile.ZipInfo, count: int = 64) -> bytes:
        """The first bytes of a member, by which it is recognised."""
        try:
            with self._zip.open(member) as content:
                return content.read(count)
        except _DAMAGE as error:
            raise _damaged(f"'{printable(member.filename)}' in '{self.name}'", error) from error

    def unpack(self, member: zipfile.ZipInfo, target: Path) -> Path:
        """Write the content of a member to a file of ours."""
        with target.open("wb") as file:
            for chunk in self.chunks(member):
                file.write(chunk)
        return target


@contextmanager
def opened(path: Path, name: str, limits: Limits) -> Iterator[Archive]:
    """Open an archive; raises UploadRefusedError for members that nobody should unpack."""
    with path.open("rb") as file:
        try:
            archive = zipfile.ZipFile(_SmallReads(file, name, limits))
        except UploadRefusedError:
            raise
        except _DAMAGE as error:
            raise _damaged(f"'{name}'", error) from error
        with archive:
            members = tuple(each for each in archive.infolist() if not each.is_dir())
            _refuse_odd(members, name, limits)
            wanted = tuple(each for each in members if not _is_litter(each.filename))
            yield Archive(name, wanted, members, archive, Meter(path.stat().st_size, name, limits))


class _SmallReads(BufferedIOBase):
    """A file of which nobody reads much at once.

    `zipfile` reads the whole directory of an archive at once, as large as the archive says it is.
    """

    def __init__(self, file: BinaryIO, name: str, limits: Limits) -> None:
        self._file = file
        self._name = name
        self._limits = limits

    def read(self, size: int | None = -1, /) -> bytes:
        most = self._limits.footer_bytes
        content = self._file.read(most + 1 if size is None or size < 0 else min(size, most + 1))
        if len(content) > most:
            raise self._limits.refuse("footer_bytes", f"'{self._name}' has a larger directory")
        return content

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True


def _refuse_odd(members: tuple[zipfile.ZipInfo, ...], name: str, limits: Limits) -> None:
    if len(members) > limits.members:
        raise limits.refuse("members", f"'{name}' holds {len(members):,} files")
    reasons, seen = [], set()
    for member in members:
        odd = _oddity(member) or ("occurs twice" if member.filename in seen else None)
        seen.add(member.filename)
        if odd:
            message = f"'{printable(member.filename)}' in '{name}' {odd}; pack the plain files anew"
            reasons.append(Reason("odd_member", message))
    if reasons:
        raise UploadRefusedError(reasons[:20])
    declared = sum(member.file_size for member in members)
    if declared > limits.expanded_bytes:
        raise limits.refuse("expanded_bytes", f"'{name}' holds {declared:,} bytes unpacked")


def _oddity(member: zipfile.ZipInfo) -> str | None:
    """Why a member should not be there, if so."""
    written = member.orig_filename
    parts = PurePosixPath(written.replace("\\", "/")).parts
    if member.flag_bits & 0x1:
        return "is encrypted"
    if ".." in parts or written.startswith(("/", "\\")) or written[1:2] == ":":
        return "leads out of the archive"
    if any(ord(each) < ord(" ") or each == "\x7f" for each in written):
        return "has control characters in its name"
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in {0, stat.S_IFREG}:
        return "is a link or a device, no file"
    if member.compress_type not in PACKINGS:
        return "is packed in a way that is not read (only stored or deflated is)"
    return None


def _is_litter(filename: str) -> bool:
    """Whether a file or a folder that it lies in is hidden, or a system's own."""
    parts = PurePosixPath(filename.replace("\\", "/")).parts
    return any(part.casefold().startswith(LITTER) for part in parts)


def _damaged(what: str, error: Exception) -> UploadRefusedError:
    said = printable(str(error)) or "it ends in the middle"
    return UploadRefusedError([Reason("damaged", f"{what} is damaged: {said}; upload it anew")])
