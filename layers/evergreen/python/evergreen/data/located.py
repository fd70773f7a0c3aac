"""Where rows stand in their text, found by their values."""

from __future__ import annotations

import csv
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from typing import TextIO

from evergreen.data.files import DelimitedFile
from evergreen.data.readings import SPACES


def located(
    file: DelimitedFile,
    rows: Sequence[tuple[int, Sequence[str | None]]],
    markers: Sequence[Sequence[str]],
) -> dict[int, tuple[int, str]]:
    """Row number → its first line and its text in the source, found by its values.

    The engine does not say on which line a good record stands, so the text is read once more,
    until the last of the wanted rows; this is off the path of clean files.
    """
    if not rows:
        return {}
    wanted: dict[tuple[str, ...], deque[int]] = defaultdict(deque)
    for number, cells in rows:
        wanted[_key(cells, markers)].append(number)
    found: dict[int, tuple[int, str]] = {}
    for line, record, raw in records_of(file):
        waiting = wanted.get(_key(record, markers))
        if waiting:
            found[waiting.popleft()] = (line, raw)
            if len(found) == len(rows):
                break
    return found


def records_of(file: DelimitedFile) -> Iterator[tuple[int, list[str], str]]:
    """Records below the header, with the line that each begins on and its text.

    As for the engine, a blank line is a record of one column and none of several, and a delimiter
    at the end of a row begins no further value.
    """
    width, line = len(file.names), file.skipped_lines + 1
    with file.path.open(encoding="utf-8-sig", errors="replace", newline="") as text:
        for _ in range(file.skipped_lines):
            text.readline()
        records = _divided(text, file)
        if file.has_header:
            _, raw = next(records, ([], ""))
            line += raw.count("\n")
        for record, raw in records:
            if record or width == 1:
                beyond = len(record) == width + 1 and not record[-1].strip(SPACES)
                cells = record[:width] if beyond else record or [""]
                yield line, cells, raw.rstrip("\r\n")
            line += raw.count("\n")


def _divided(text: TextIO, file: DelimitedFile) -> Iterator[tuple[list[str], str]]:
    """Records with their text and its end."""
    pending: list[str] = []

    def lines() -> Iterator[str]:
        for line in text:
            pending.append(line)
            yield line

    doubled = file.escape == file.quote
    reader = csv.reader(
        lines(),
        delimiter=file.delimiter,
        quotechar=file.quote,
        skipinitialspace=True,
        doublequote=doubled,
        escapechar=None if doubled else file.escape,
    )
    for record in reader:
        yield record, "".join(pending)
        pending.clear()


def _key(cells: Sequence[str | None], markers: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Cells as they can be recognised: trimmed, and empty where they say missing."""
    trimmed = ("" if cell is None else cell.strip(SPACES) for cell in cells)
    marked = (*markers, *((),) * (len(cells) - len(markers)))
    return tuple("" if cell in m else cell for cell, m in zip(trimmed, marked, strict=False))
