"""Running text: a document on each line, or one document in the file."""

from __future__ import annotations

from pathlib import Path

from evergreen.data.limits import Limits
from evergreen.data.records import Records
from evergreen.data.refusal import Reason
from evergreen.data.text_encoding import LONGEST_CHARACTER

COLUMN = "text"


def read_text(path: Path, head: str, records: Records, limits: Limits) -> str:
    """Take documents as records with one column, `text`; gives what there is to say.

    Blank lines between others make paragraphs, and the file one document (`head` is its
    beginning); without them each line is a document.
    """
    if any(not line.strip() for line in head.strip().split("\n")):
        _take_whole(path, records, limits)
        return f"plain text in paragraphs: the file is one document, in the column '{COLUMN}'"
    line = 0
    with path.open("rb") as file:
        while written := file.readline(limits.cell_bytes):
            line += 1
            long = False
            while written and len(written) == limits.cell_bytes and not written.endswith(b"\n"):
                long, written = True, file.readline(limits.cell_bytes)
            if long:
                said = f"line {line} is longer than {limits.cell_bytes:,} bytes"
                records.reject(line, "", [Reason("too_long", said, line=line)])
                continue
            _take(line, written, records)
    return f"plain text: each line is a document, in the column '{COLUMN}'"


def _take_whole(path: Path, records: Records, limits: Limits) -> None:
    most = LONGEST_CHARACTER * limits.cell_bytes
    with path.open("rb") as file:
        written = file.read(most + 1)
    if len(written) > most:
        raise limits.refuse("cell_bytes", "the text is longer", 1)
    try:
        document = written.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        _reject(1 + written.count(b"\n", 0, error.start), written[error.start :], records)
        return
    if len(document) > limits.cell_bytes:
        raise limits.refuse("cell_bytes", "the text is longer", 1)
    records.add(1, [(COLUMN, document)], document)


def _take(line: int, written: bytes, records: Records) -> None:
    try:
        document = written.decode("utf-8-sig" if line == 1 else "utf-8").strip()
    except UnicodeDecodeError:
        _reject(line, written, records)
        return
    if document:
        records.add(line, [(COLUMN, document)], document)


def _reject(line: int, written: bytes, records: Records) -> None:
    said = f"line {line} is not UTF-8 text"
    records.reject(line, repr(written[:200]), [Reason("undecodable", said, line=line)])
