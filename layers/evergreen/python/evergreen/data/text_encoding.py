"""Text files of other encodings and line ends, made UTF-8 with one kind of line end."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from pathlib import Path

from evergreen.data.refusal import Reason, UploadRefusedError

CHUNK = 1 << 20
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_BROKEN = re.compile("[\udc80-\udcff]")
_FOREIGN = re.compile("[^\x00-\x7f\udc80-\udcff]")


@dataclass(frozen=True)
class TextForm:
    """How a text file is written: its encoding, and whether its line ends are of several kinds."""

    encoding: str
    mixed_line_ends: bool

    @property
    def is_plain(self) -> bool:
        """Whether it can be read as it is."""
        return self.encoding == "utf-8" and not self.mixed_line_ends


def form_of(source: Path) -> TextForm:
    """Find out how a text file is written, reading it once.

    Bytes that are not UTF-8 mean Windows-1252, unless the file also holds more characters that
    are UTF-8 beyond ASCII: then it is UTF-8 with broken rows, which are quarantined one by one.
    """
    with source.open("rb") as file:
        head = file.read(4096)
        marked = next((name for mark, name in MARKS if head.startswith(mark)), None)
        encoding = marked or _unmarked_utf16(head)
        if encoding and encoding.startswith("utf-16"):
            return TextForm(encoding, mixed_line_ends=True)
        file.seek(0)
        broken = foreign = feeds = returns = pairs = 0
        decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        last = b""
        while chunk := file.read(CHUNK):
            # Looking for a byte is many times faster than counting or decoding: most files are
            # ASCII with plain line ends and need no more.
            if b"\r" in chunk or last == b"\r":
                feeds += chunk.count(b"\n")
                returns += chunk.count(b"\r")
                pairs += chunk.count(b"\r\n") + (last == b"\r" and chunk.startswith(b"\n"))
            elif b"\n" in chunk:
                feeds += 1
            last = chunk[-1:]
            if chunk.isascii() and not decoder.getstate()[0]:
                continue
            text = decoder.decode(chunk)
            broken += len(_BROKEN.findall(text))
            foreign += len(_FOREIGN.findall(text))
    mixed = (pairs > 0 and feeds > pairs) or (feeds == 0 and returns > 0)
    if broken > foreign:
        return TextForm("cp1252", mixed)
    return TextForm(encoding or "utf-8", mixed)


def as_utf8(source: Path, form: TextForm, target: Path, name: str) -> Path:
    """The file itself where it is plain UTF-8, else a copy that is; raises UploadRefusedError."""
    if form.is_plain:
        return source
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
                copy.write(chunk)
                lines += chunk.count("\n")
    except UnicodeError as error:
        raise UploadRefusedError(
            [
                Reason(
                    "undecodable",
                    f"'{name}' is neither UTF-8, UTF-16 nor Windows-1252 text; save it as UTF-8 "
                    f"({form.encoding} fails after line {lines})",
                    line=lines,
                )
            ]
        ) from error
    return target


def _unmarked_utf16(head: bytes) -> str | None:
    """UTF-16 without a mark shows in Western text: every other byte is zero."""
    half = len(head) // 2
    if half == 0:
        return None
    if head[1::2].count(0) > half * 0.4 and head[0::2].count(0) < half * 0.1:
        return "utf-16-le"
    if head[0::2].count(0) > half * 0.4 and head[1::2].count(0) < half * 0.1:
        return "utf-16-be"
    return None
