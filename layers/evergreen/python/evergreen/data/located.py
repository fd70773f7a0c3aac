"""Where rows stand in their text, found by their values."""

from __future__ import annotations

import csv
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
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
    until the last of the wanted rows; this is off the path of clean files. No row stands higher
    than with nothing but rows above it: where each line is a record, lines before are passed over.
    """
    if not rows:
        return {}
    wanted: dict[tuple[str, ...], deque[int]] = defaultdict(deque)
    for number, cells in rows:
        wanted[_key(cells, markers)].append(number)
    found: dict[int, tuple[int, str]] = {}
    order = deque(sorted(number for number, _ in rows))
    each_line = file.record_starts is None
    highest = file.skipped_lines + file.has_header + 1
    records = TextRecords(file, highest + order[0] if each_line else 0)
    for line, record, raw in records:
        waiting = wanted.get(_key(record, markers))
        if not waiting or line < highest + waiting[0]:
            continue
        number = waiting.popleft()
        found[number] = (line, raw)
        while order and order[0] in found:
            order.popleft()
        if not order:
            break
        if each_line:  # what stood between rows so far stands above the next ones too
            highest = max(highest, line - number)
            records.earliest = highest + order[0]
    return found


@dataclass
class TextRecords:
    """Records below the header, with the line that each begins on and its text.

    As for the engine, a blank line is a record of one column and none of several, and a delimiter
    at the end of a row begins no further value. Lines before the `earliest`, where a record must
    begin, are passed over unread. `errors`: what `open` makes of bytes that are not UTF-8.
    """

    file: DelimitedFile
    earliest: int = 0
    errors: str = "replace"

    def __iter__(self) -> Iterator[tuple[int, list[str], str]]:
        """Line, cells, text."""
        file = self.file
        width, line = len(file.names), file.skipped_lines + 1
        # A return inside of quotes ends no line.
        with file.path.open(encoding="utf-8-sig", errors=self.errors, newline="\n") as text:
            for _ in range(file.skipped_lines):
                text.readline()
            records = _divided(text, file)
            if file.has_header:
                _, raw = next(records, ([], ""))
                line += raw.count("\n")
            while True:
                line += sum(1 for _ in islice(text, max(0, self.earliest - line)))
                record, raw = next(records, (None, ""))
                if record is None:
                    break
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
