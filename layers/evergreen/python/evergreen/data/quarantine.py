"""Rows that were refused, kept with their line, their text and all their reasons."""

from __future__ import annotations

import csv
import json
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

import duckdb

from evergreen.data.engine import identifier, literal
from evergreen.data.files import LINE, DelimitedFile, ParquetFile
from evergreen.data.inference import Inferred
from evergreen.data.readings import MISSING_MARKERS, SPACES
from evergreen.data.refusal import Reason, RejectedRow, shortened
from evergreen.data.staging import ROW, Staged

COLUMNS = (
    "{'line': 'BIGINT', 'raw': 'VARCHAR', 'reasons': "
    "'STRUCT(code VARCHAR, message VARCHAR, \"column\" VARCHAR, line BIGINT, value VARCHAR)[]'}"
)

NOUNS = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "date": "a date",
    "timestamp": "a time",
    "text": "a text",
}


def misfit_rows(
    connection: duckdb.DuckDBPyConnection,
    staged: Staged,
    columns: Sequence[Inferred],
    file: DelimitedFile | ParquetFile,
    limit: int | None = None,
) -> tuple[RejectedRow, ...]:
    """The staged rows with a value that cannot be read, in order, each with all its reasons."""
    wrong = [column for column in columns if column.misfits or column.changed]
    if not wrong:
        return ()
    raws = ", ".join(f"CAST({expression} AS VARCHAR)" for expression in staged.columns.values())
    flags = ", ".join(
        f"CASE WHEN {each.misfit} THEN CAST({each.raw} AS VARCHAR) END, ({each.looks})"
        for each in wrong
    )
    number = f"{identifier(LINE)} - 1" if isinstance(file, ParquetFile) and file.numbered else ROW
    found = connection.execute(
        f"SELECT {number}, [{raws}], {flags} FROM {staged.source} "
        f"WHERE {' OR '.join(each.misfit for each in wrong)} ORDER BY {ROW}"
        + (f" LIMIT {limit}" if limit else "")
    ).fetchall()
    located = _located(file, [(int(row[0]), row[1]) for row in found])
    names = list(staged.columns)
    rows = []
    for number, cells, *pairs in found:
        line, raw = located.get(int(number), (None, None))
        if isinstance(file, ParquetFile):
            line, raw = int(number) + 1, json.dumps(dict(zip(names, cells, strict=True)))
        reasons = tuple(
            misfit_reason(column, str(pairs[2 * n]), line, bool(pairs[2 * n + 1]), file.place)
            for n, column in enumerate(wrong)
            if pairs[2 * n] is not None
        )
        text = raw if raw is not None else json.dumps(cells, ensure_ascii=False)
        rows.append(RejectedRow(line, text, reasons))
    return tuple(rows)


def misfit_reason(
    column: Inferred,
    value: str,
    line: int | None,
    looks: bool,  # noqa: FBT001
    place: str = "line",
) -> Reason:
    """Why a value cannot be read as its column's type; `place` is what a line is called."""
    where = f"{place} {line}, " if line else ""
    if looks:
        what = f"'{shortened(value)}' is beyond what {NOUNS[column.type]} can hold"
        return Reason(
            "out_of_range", f"{where}column '{column.name}': {what}", column.name, line, value
        )
    what = f"'{shortened(value)}' is not {NOUNS[column.type]}"
    if column.format:
        what += f" written as {column.format}"
    code = f"not_{column.type}"
    message = f"{where}column '{column.name}': {what}"
    return Reason(code, message, column.name, line, shortened(value))


def write_quarantine(
    connection: duckdb.DuckDBPyConnection,
    rows: Sequence[RejectedRow],
    destination: Path,
    scratch: Path,
) -> None:
    """Write refused rows as Parquet: line, raw, reasons; in the order of their lines."""
    lines = scratch / "quarantine.jsonl"
    with lines.open("w", encoding="utf-8") as file:
        for row in sorted(rows, key=lambda each: each.line or 0):
            plain = {
                "line": row.line,
                "raw": row.raw,
                "reasons": [reason.to_plain() for reason in row.reasons],
            }
            file.write(json.dumps(plain, ensure_ascii=True) + "\n")
    connection.execute(
        f"COPY (FROM read_json({literal(str(lines))}, format = 'newline_delimited', "
        f"columns = {COLUMNS})) TO {literal(str(destination))} (FORMAT parquet)"
    )


def _located(
    file: DelimitedFile | ParquetFile, rows: Sequence[tuple[int, Sequence[str | None]]]
) -> dict[int, tuple[int, str]]:
    """Row number → its first line and its text in the source, found by its values.

    The engine does not say on which line a good record stands, so the text is read once more,
    until the last of the wanted rows; this is off the path of clean files.
    """
    if isinstance(file, ParquetFile) or not rows:
        return {}
    wanted: dict[tuple[str, ...], deque[int]] = defaultdict(deque)
    for number, cells in rows:
        wanted[_key(cells)].append(number)
    found: dict[int, tuple[int, str]] = {}
    with file.path.open(encoding="utf-8-sig", errors="replace", newline="") as text:
        for line, record, raw in _records(text, file.delimiter, file.quote):
            waiting = wanted.get(_key(record))
            if waiting:
                found[waiting.popleft()] = (line, raw)
                if len(found) == len(rows):
                    break
    return found


def _records(text: TextIO, delimiter: str, quote: str) -> Iterator[tuple[int, list[str], str]]:
    """Records with the line they begin on and their text."""
    pending: list[str] = []

    def lines() -> Iterator[str]:
        for line in text:
            pending.append(line)
            yield line

    reader = csv.reader(lines(), delimiter=delimiter, quotechar=quote, skipinitialspace=True)
    first = 1
    for record in reader:
        yield first, record, "".join(pending).rstrip("\r\n")
        pending.clear()
        first = reader.line_num + 1


def _key(cells: Sequence[str | None]) -> tuple[str, ...]:
    trimmed = ("" if cell is None else cell.strip(SPACES) for cell in cells)
    return tuple("" if cell in MISSING_MARKERS else cell for cell in trimmed)
