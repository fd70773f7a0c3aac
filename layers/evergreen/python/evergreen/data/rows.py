"""Small tables as rows of plain values: files to score, label files, and what is answered."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

from evergreen.data.engine import connect, identifier, literal, within_memory, within_time
from evergreen.data.limits import DEFAULT_LIMITS, Limits
from evergreen.data.refusal import UploadRefusedError
from evergreen.data.schema import SQL_TYPES, ColumnSchema, ColumnType, Schema
from evergreen.data.sniffing import recognise
from evergreen.data.understanding import understand

BATCH = 2_000
"""Rows held as Python values at a time."""

TYPE_OF: Mapping[type, ColumnType] = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "text",
    date: "date",
    datetime: "timestamp",
}

OPTIONS = {".csv": "FORMAT csv, HEADER true", ".parquet": "FORMAT parquet, COMPRESSION zstd"}
"""How a file is written, by the suffix of its name."""


def read_rows(
    path: Path,
    name: str,
    types: Mapping[str, ColumnType] | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Iterator[dict[str, Any]]:
    """Rows of a file in any format that is recognised, in order.

    Values are float, int, bool, str, date, datetime or None. `types` says what columns are where
    the file alone could be misread (an id of digits is text). Every row is given or none: raises
    UploadRefusedError with the reasons, before the first row, if any row cannot be read.
    """
    known = Schema(tuple(ColumnSchema(column, kind) for column, kind in (types or {}).items()))
    with (
        tempfile.TemporaryDirectory() as directory,
        connect(Path(directory)) as connection,
        within_memory(name),
    ):
        with within_time(name, limits, connection):
            file = recognise(connection, path, name, Path(directory), limits)
            made = understand(connection, file, name, Path(directory), known=known)
            if made.quarantined_rows:
                bad = made.bad_rows(connection)
                raise UploadRefusedError([reason for row in bad for reason in row.reasons])
            names = [column.name for column in made.columns]
            result = connection.execute(made.good_rows)
        while batch := result.fetchmany(BATCH):
            for values in batch:
                yield dict(zip(names, values, strict=True))


def write_rows(
    path: Path,
    rows: Iterable[Mapping[str, Any]],
    types: Mapping[str, ColumnType] | None = None,
) -> None:
    """Write rows of plain values as Parquet or CSV, by the suffix of `path`.

    Columns are those of all rows in order of first occurrence, those of `types` first; a value
    that a row lacks is null. Types that are not given are found from the values; a column of
    several types is written as text, one of integers and floats as numbers.
    """
    written = list(rows)
    columns = _columns(written, types or {})
    if not columns:
        raise ValueError(f"nothing to write to {path.name}: there are neither rows nor types")
    spelled = ", ".join(
        f"{literal(f'c{place}')}: {literal(SQL_TYPES[kind])}"
        for place, kind in enumerate(columns.values())
    )
    named = ", ".join(f"c{place} AS {identifier(name)}" for place, name in enumerate(columns))
    with tempfile.TemporaryDirectory() as directory, connect(Path(directory)) as connection:
        lines = Path(directory, "rows.jsonl")
        with lines.open("w", encoding="utf-8") as file:
            file.writelines(_line(row, columns) for row in written)
        connection.execute(
            f"COPY (SELECT {named} FROM read_json({literal(str(lines))}, "
            f"format = 'newline_delimited', columns = {{{spelled}}})) "
            f"TO {literal(str(path))} ({OPTIONS[path.suffix]})"
        )


def _columns(
    rows: Sequence[Mapping[str, Any]], types: Mapping[str, ColumnType]
) -> dict[str, ColumnType]:
    seen: dict[str, set[ColumnType]] = {name: {kind} for name, kind in types.items()}
    for row in rows:
        for name, value in row.items():
            kinds = seen.setdefault(name, set())
            if value is not None and name not in types:
                kinds.add(TYPE_OF[type(value)])
    return {name: _one(kinds) for name, kinds in seen.items()}


def _one(kinds: set[ColumnType]) -> ColumnType:
    if len(kinds) == 1:
        return next(iter(kinds))
    if kinds == {"integer", "number"}:
        return "number"
    if kinds == {"date", "timestamp"}:
        return "timestamp"
    return "text"


def _line(row: Mapping[str, Any], columns: Mapping[str, ColumnType]) -> str:
    plain = {
        f"c{place}": _json(row.get(name), kind)
        for place, (name, kind) in enumerate(columns.items())
    }
    return json.dumps(plain, ensure_ascii=True, allow_nan=False) + "\n"


def _json(value: Any, kind: ColumnType) -> Any:
    if value is None or (isinstance(value, float) and value != value):  # noqa: PLR0124
        return None
    if isinstance(value, date):
        return value.isoformat()
    if kind == "text" and not isinstance(value, str):
        return json.dumps(value)
    return value
