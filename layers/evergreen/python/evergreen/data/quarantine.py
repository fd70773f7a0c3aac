"""Rows that were refused, kept with their line, their text and all their reasons."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from evergreen.data.declared import markers_of
from evergreen.data.engine import literal
from evergreen.data.files import DelimitedFile, ParquetFile
from evergreen.data.inference import Inferred
from evergreen.data.located import located
from evergreen.data.refusal import Reason, RejectedRow, shortened
from evergreen.data.repairs import (
    IDENTITY,
    RAW,
    REASONS,
    RESERVED,
    identity_in,
    identity_of,
    is_repair,
)
from evergreen.data.rules import Key, Rule
from evergreen.data.schema import Schema
from evergreen.data.sieve import Sieve
from evergreen.data.spreadsheets import inert

COLUMNS = (
    f"{{'{IDENTITY}': 'VARCHAR', 'key': 'VARCHAR', 'version_id': 'VARCHAR', "
    "'line': 'BIGINT', 'raw': 'VARCHAR', 'reasons': "
    "'STRUCT(code VARCHAR, message VARCHAR, \"column\" VARCHAR, line BIGINT, value VARCHAR)[]'}"
)


@dataclass(frozen=True)
class SourceObject:
    """Where a file came from: its key and version in the bucket, and the digest of its bytes."""

    key: str
    version_id: str | None
    content: str


NOUNS = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "date": "a date",
    "timestamp": "a time",
    "text": "a text",
}


def bad_rows(
    connection: duckdb.DuckDBPyConnection,
    sieve: Sieve,
    file: DelimitedFile | ParquetFile,
    known: Schema | None,
    limit: int | None = None,
) -> tuple[RejectedRow, ...]:
    """The staged rows that a sieve holds back, in order, each with all its reasons."""
    found = sieve.bad_rows(connection, limit)
    names = list(sieve.staged.columns)
    markers = [markers_of(known, name) for name in names]
    places = {}
    if isinstance(file, DelimitedFile):
        places = located(file, [(row.number, row.texts) for row in found], markers)
    rows = []
    for row in found:
        if row.good:  # it was only looked for to tell it from those that repeat its key
            continue
        line, raw = places.get(row.number, (None, None))
        if isinstance(file, ParquetFile):
            line, raw = row.line, json.dumps(dict(zip(names, row.texts, strict=True)))
        reasons = (
            *(
                misfit_reason(sieve.wrong[place], value, line, looks, file.place)
                for place, (value, looks) in row.misfits.items()
            ),
            *(
                rule_reason(sieve.rules[place], value, line, file.place)
                for place, value in row.rules.items()
            ),
            *(key_reason(sieve.keys[place], line, file.place) for place in row.keys),
        )
        text = raw if raw is not None else json.dumps(row.texts, ensure_ascii=False)
        rows.append(RejectedRow(line, text, reasons, row.texts))
    return tuple(rows[:limit])


def rule_reason(rule: Rule, value: str | None, line: int | None, place: str) -> Reason:
    """Why a row may not be as it is; `place` is what a line is called."""
    where = f"{place} {line}, " if line else ""
    if rule.column is None:
        return Reason(rule.code, f"{where}{rule.said}", line=line)
    shown = None if value is None else shortened(value)
    what = f"'{shown}' {rule.said}" if shown is not None else rule.said
    message = f"{where}column '{rule.column}': {what}"
    if rule.label not in (f"{rule.code}:{rule.column}", rule.code):
        message += f" ({rule.label})"
    return Reason(rule.code, message, rule.column, line, shown)


def key_reason(key: Key, line: int | None, place: str) -> Reason:
    """Why a row is one too many."""
    where = f"{place} {line}: " if line else ""
    said = f"{where}it repeats the key '{', '.join(key.columns)}' of another row"
    return Reason(key.code, said, key.columns[0], line)


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
        message = f"{where}column '{column.name}': {what}"
        return Reason("out_of_range", message, column.name, line, shortened(value))
    what = f"'{shortened(value)}' is not {NOUNS[column.type]}"
    if column.format:
        what += f" written as {column.format}"
    code = f"not_{column.type}"
    message = f"{where}column '{column.name}': {what}"
    return Reason(code, message, column.name, line, shortened(value))


def identities(rows: Sequence[RejectedRow], names: Sequence[str], content: str) -> list[str | None]:
    """What each row is called: as it was before if it comes back, else by where it stands."""
    if is_repair(names):
        place = [name.casefold() for name in names].index(IDENTITY)
        return [row.cells[place] if row.cells else identity_in(row.raw) for row in rows]
    seen: dict[str, int] = {}
    called: list[str | None] = []
    for order, row in enumerate(rows):
        where = f"{row.line}" if row.line is not None else f"n{order}"
        seen[where] = seen.get(where, 0) + 1
        called.append(identity_of(content, where if seen[where] == 1 else f"{where}.{seen[where]}"))
    return called


def write_quarantine(
    connection: duckdb.DuckDBPyConnection,
    rows: Sequence[RejectedRow],
    called: Sequence[str | None],
    source: SourceObject,
    destination: Path,
    scratch: Path,
) -> None:
    """Write refused rows as Parquet: identity, source, line, raw, reasons; in their order."""
    lines = scratch / "quarantine.jsonl"
    with lines.open("w", encoding="utf-8") as file:
        for row, name in zip(rows, called, strict=True):
            plain = {
                IDENTITY: name,
                "key": source.key,
                "version_id": source.version_id,
                "line": row.line,
                "raw": row.raw,
                "reasons": [reason.to_plain() for reason in row.reasons],
            }
            file.write(json.dumps(plain, ensure_ascii=True) + "\n")
    connection.execute(
        f"COPY (FROM read_json({literal(str(lines))}, format = 'newline_delimited', "
        f"columns = {COLUMNS})) TO {literal(str(destination))} (FORMAT parquet)"
    )


def write_repairable(
    rows: Sequence[RejectedRow],
    called: Sequence[str | None],
    markers: Mapping[str, Sequence[str]],
    destination: Path,
) -> None:
    """Write refused rows as CSV with the columns of their file, to be repaired and uploaded.

    `markers`: the file's columns, in order, with the texts that say missing. A row that has not a
    value for each column has none: only its text, in a column of its own. What a spreadsheet would
    run is written as a text, and read as what it was.
    """
    kept = [name for name in markers if name.casefold() not in RESERVED]
    with destination.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([IDENTITY, *map(inert, kept), REASONS, RAW])
        for row, name in zip(rows, called, strict=True):
            cells = dict(zip(markers, row.cells, strict=True)) if row.cells else {}
            values = [_offered(cells.get(each), markers[each]) for each in kept]
            said = "; ".join(reason.message for reason in row.reasons)
            raw = "" if cells else inert(row.raw)
            writer.writerow([name or "", *map(inert, values), inert(said), raw])


def _offered(cell: str | None, markers: Sequence[str]) -> str:
    """A missing value is written so that it is read as one."""
    if cell is not None:
        return cell
    return "" if "" in markers or not markers else markers[0]
