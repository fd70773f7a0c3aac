"""Text files of other encodings and line ends, made UTF-8 with one kind of line end."""

from __future__ import annotations

import codecs
import io
import re
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

import numpy as np

from evergreen.data.refusal import Reason, UploadRefusedError

CHUNK = 1 << 20
LONGEST_CHARACTER = 4
"""Bytes of UTF-8."""

_BROKEN = re.compile("[\udc80-\udcff]")
_FOREIGN = re.compile("[^\x00-\x7f\udc80-\udcff]")
_RARE_SPACES = (b"\t", b"\v", b"\f", b"\xa0")
"""The last one ends the no-break space in UTF-8 (as it does some letters), and is it in 1252."""


@dataclass(frozen=True)
class TextForm:
    """How a text file is written: its encoding, and whether its line ends are of several kinds.

    `mixed`: most of it is Windows-1252, and some is UTF-8. `quotes`: it may hold double quotes.
    `plain_numbers`: nothing after the first line is written like 1_000 or +-1.
    `plain_spaces`: of all kinds of space there is the usual one alone.
    """

    encoding: str
    mixed_line_ends: bool
    mixed: bool = False
    quotes: bool = True
    plain_numbers: bool = False
    plain_spaces: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether it can be read as it is."""
        return self.encoding == "utf-8" and not self.mixed_line_ends

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to say of an encoding that was guessed."""
        if self.mixed:
            return ("the text is in two encodings, UTF-8 and Windows-1252, told apart by lines",)
        return ("the text is not UTF-8 and is read as Windows-1252",) * (self.encoding == "cp1252")


UNKNOWN_FORM = TextForm("utf-8", mixed_line_ends=False)


def form_of(source: Path, name: str) -> TextForm:
    """Find out how a text file is written, reading it once; raises UploadRefusedError for NUL.

    Bytes that are not UTF-8 mean Windows-1252, unless the file also holds more characters that
    are UTF-8 beyond ASCII: then it is UTF-8 with broken rows, which are quarantined one by one.
    """
    with source.open("rb") as file:
        head = file.read(4096)
        encoding = utf16_of(head)
        if encoding:
            return TextForm(encoding, mixed_line_ends=True)
        file.seek(0)
        seen = _Seen()
        while chunk := file.read(CHUNK):
            if b"\0" in chunk:
                raise _nul(name, _line_of_nul(source))
            seen.add(chunk)
    mixed_ends = (
        (seen.pairs > 0 and seen.feeds > seen.pairs)
        or (seen.feeds == 0 and seen.returns > 0)
        or (seen.returns > seen.pairs and _any_lone_return(source))
    )
    mixed = False
    encoding = "utf-8-sig" if head.startswith(codecs.BOM_UTF8) else "utf-8"
    if seen.broken > seen.foreign:
        encoding, mixed = "cp1252", seen.foreign > 0
    return TextForm(encoding, mixed_ends, mixed, seen.quotes, seen.plain_numbers, seen.plain_spaces)


def _any_lone_return(source: Path) -> bool:
    """Whether a return outside of quotes ends a line all by itself; engines stumble over it."""
    inside = 0
    with source.open("rb") as file:
        while chunk := file.read(CHUNK):
            chunk += file.read(1) if chunk.endswith(b"\r") else b""
            text = np.frombuffer(chunk, dtype=np.uint8)
            quotes = np.flatnonzero(text == ord('"'))
            ends = np.flatnonzero(text == ord("\r"))
            lone = ends[text[np.minimum(ends + 1, len(text) - 1)] != ord("\n")]
            if ((np.searchsorted(quotes, lone) + inside) % 2 == 0).any():
                return True
            inside = (inside + len(quotes)) % 2
    return False


class _Seen:
    """What was counted in a file so far. Most chunks are ASCII without returns: that is quick."""

    def __init__(self) -> None:
        self.broken = self.foreign = self.feeds = self.returns = self.pairs = 0
        self.quotes = False
        self.plain_numbers = self.plain_spaces = True
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._last = b""

    def add(self, chunk: bytes) -> None:
        """Count a chunk.

        Looking for a byte is many times faster than counting or decoding: most files are ASCII
        with plain line ends and need no more.
        """
        first = not self._last
        if b"\r" in chunk or self._last == b"\r":
            self.feeds += chunk.count(b"\n")
            self.returns += chunk.count(b"\r")
            self.pairs += chunk.count(b"\r\n")
            self.pairs += self._last == b"\r" and chunk.startswith(b"\n")
        elif b"\n" in chunk:
            self.feeds += 1
        self._last = chunk[-1:]
        self.quotes = self.quotes or b'"' in chunk
        self.plain_numbers = self.plain_numbers and not _has_odd_numbers(chunk, first)
        self.plain_spaces = self.plain_spaces and not any(each in chunk for each in _RARE_SPACES)
        if chunk.isascii() and not self._decoder.getstate()[0]:
            return
        text = self._decoder.decode(chunk)
        self.broken += len(_BROKEN.findall(text))
        self.foreign += len(_FOREIGN.findall(text))


def _has_odd_numbers(chunk: bytes, first: bool) -> bool:  # noqa: FBT001
    """Whether a number may be written as only few read it; the first line has names, not numbers.

    One byte is found many times faster than two.
    """
    after = chunk.find(b"\n") if first else 0
    return chunk.find(b"_", after) >= 0 or (
        b"+" in chunk and (b"+-" in chunk or chunk.endswith(b"+"))
    )


def _line_of_nul(source: Path) -> int:
    line = 1
    with source.open("rb") as file:
        while b"\0" not in (chunk := file.read(CHUNK)):
            line += chunk.count(b"\n")
    return line + chunk[: chunk.index(b"\0")].count(b"\n")


def _nul(name: str, line: int) -> UploadRefusedError:
    message = f"'{name}' holds NUL characters from line {line} on: it is damaged or no text"
    return UploadRefusedError([Reason("nul_character", message, line=line)])


def as_utf8(source: Path, form: TextForm, target: Path, name: str) -> Path:
    """The file itself where it is plain UTF-8, else a copy that is; raises UploadRefusedError.

    In a file that is mostly Windows-1252, lines that are UTF-8 are read as UTF-8; of a line of
    more than 1 MiB, pieces of so many bytes are.
    """
    if form.is_plain:
        return source
    if form.mixed:
        return _line_by_line(source, form, target, name)
    ends = None if form.mixed_line_ends else ""
    lines = 1
    # Broken rows of a UTF-8 file stay broken in the copy, so that they can be quarantined.
    errors = "surrogateescape" if form.encoding.startswith("utf-8") else "strict"
    try:
        with (
            source.open(encoding=form.encoding, errors=errors, newline=ends) as text,
            target.open("w", encoding="utf-8", errors=errors, newline="") as copy,
        ):
            while chunk := text.read(CHUNK):
                if "\0" in chunk:
                    raise _nul(name, lines + chunk[: chunk.index("\0")].count("\n"))
                copy.write(chunk)
                lines += chunk.count("\n")
    except UnicodeError as error:
        raise _undecodable(name, form.encoding, lines) from error
    return target


def _line_by_line(source: Path, form: TextForm, target: Path, name: str) -> Path:
    line = 1
    with source.open("rb") as file, target.open("wb") as copy:
        while written := _line_or_piece(file):
            if form.mixed_line_ends:
                written = written.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
            try:
                written.decode("utf-8")
            except UnicodeDecodeError:
                try:
                    written = written.decode("cp1252").encode()
                except UnicodeDecodeError as error:
                    raise _undecodable(name, "cp1252", line) from error
            copy.write(written)
            line += written.endswith(b"\n")
    return target


def _line_or_piece(file: BufferedReader) -> bytes:
    """The next line, or a piece of a long one, which cuts no character and no line end.

    Letters of UTF-8 go on in up to three bytes that begin with the bits 10.
    """
    written = file.readline(CHUNK)
    for _ in range(LONGEST_CHARACTER - 1):
        following = file.peek(1)[:1]
        in_character = written[-1:] >= b"\x80" and b"\x80" <= following < b"\xc0"
        if not in_character and not (written.endswith(b"\r") and following == b"\n"):
            break
        written += file.read(1)
    return written


def _undecodable(name: str, encoding: str, line: int) -> UploadRefusedError:
    message = (
        f"'{name}' is neither UTF-8, UTF-16, UTF-32 nor Windows-1252 text; save it as UTF-8 "
        f"({encoding} fails after line {line})"
    )
    return UploadRefusedError([Reason("undecodable", message, line=line)])


def is_utf8(text: str) -> bool:
    r"""Whether a text can be UTF-8: halves of characters, and bytes kept as such, cannot.

    >>> is_utf8("é"), is_utf8(b"\xe9".decode("utf-8", "surrogateescape")), is_utf8("\ud800")
    (True, False, False)
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def lines_of(text: str) -> list[str]:
    r"""The lines of a text with their ends, divided as the engine and CSV divide them.

    `str.splitlines` also divides at separators that stand inside of values.

    >>> lines_of("a\u2028b,c\r\nd\x0be")
    ['a\u2028b,c\r\n', 'd\x0be']
    """
    return io.StringIO(text, newline="").readlines()


def utf16_of(head: bytes) -> str | None:
    """Which UTF-16 or UTF-32 a text begins in, if any.

    Without a mark it shows in Western text: every other byte is zero.
    """
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    head = head[:4096]
    half = len(head) // 2
    if half == 0:
        return None
    if head[1::2].count(0) > half * 0.4 and head[0::2].count(0) < half * 0.1:
        return "utf-16-le"
    if head[0::2].count(0) > half * 0.4 and head[1::2].count(0) < half * 0.1:
        return "utf-16-be"
    return None
