"""Records of other formats, gathered into the Parquet file that staging reads."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import duckdb

from evergreen.data.column_names import column_names
from evergreen.data.engine import identifier, literal
from evergreen.data.files import LINE, ParquetFile
from evergreen.data.limits import Limits
from evergreen.data.refusal import Reason, RejectedRow, UploadRefusedError, printable, shortened
from evergreen.data.staging import MOST_REJECTED
from evergreen.data.text_encoding import is_utf8

SHOWN = 5
RAW_CHARACTERS = 4_000
"""Characters of a rejected record that are kept."""

LINE_BYTES, BUFFER_BYTES = 1 << 21, 1 << 25
HALF = "holds half a character (a surrogate), or bytes that are not UTF-8"
_LARGEST = 2**63


class Spelled(str):
    """A number that Python cannot hold, as it is spelled: 1e400, or 5,000 digits."""

    __slots__ = ()


def _integer(value: int) -> tuple[str, str]:
    return ("integer" if -_LARGEST <= value < _LARGEST else "number beyond"), str(value)


def _number(value: float) -> tuple[str, str]:
    return ("number" if math.isfinite(value) else "number beyond"), repr(value)


WRITTEN: Mapping[type, Callable[[Any], tuple[str, str]]] = {
    str: lambda value: ("text", f'"{value.replace(chr(34), chr(34) * 2)}"'),
    int: _integer,
    float: _number,
    bool: lambda value: ("boolean", "true" if value else "false"),
    date: lambda value: ("date", value.isoformat()),
    datetime: lambda value: ("timestamp", value.isoformat(sep=" ")),
    Spelled: lambda value: ("number beyond", value),
}
"""Type of a value → its kind, and how it stands in the scratch file."""

SQL_TYPE: Mapping[frozenset[str], str] = {
    frozenset({"integer"}): "BIGINT",
    frozenset({"number"}): "DOUBLE",
    frozenset({"integer", "number"}): "DOUBLE",
    frozenset({"boolean"}): "BOOLEAN",
    frozenset({"date"}): "DATE",
    frozenset({"timestamp"}): "TIMESTAMP",
    frozenset({"date", "timestamp"}): "TIMESTAMP",
    frozenset({"text"}): "VARCHAR",
    frozenset(): "VARCHAR",
}
"""Kinds of a column's values → its type; a column of other mixtures is read like text."""


class Records:
    """Takes records one by one, in bounded memory; `as_parquet` makes the file of them.

    `place` is what a record is called where it came from: line, record, row.
    """

    def __init__(self, name: str, place: str, scratch: Path, limits: Limits) -> None:
        self.rejected: list[RejectedRow] = []
        self.rows = 0
        self._name = name
        self._place = place
        self._limits = limits
        self._path = scratch / "records.csv"
        self._target = scratch / "records.parquet"
        self._file = self._path.open("wb")
        self._columns: dict[str, int] = {}
        self._names: list[str] = []
        self._spellings: dict[str, int] = {}
        self._kinds: list[set[str]] = []
        self._longest = 0

    def __enter__(self) -> Records:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def add(self, line: int, values: Iterable[tuple[str, Any]], raw: str) -> None:
        """Take the record of a line: column name → str, int, float, bool, date, datetime, None.

        A record that cannot be taken is rejected with its text `raw`; raises UploadRefusedError
        at a limit.
        """
        cells = [""] * len(self._names)
        kinds: dict[int, str | None] = {}
        reasons: list[Reason] = []
        for column, value in values:
            place = self._place_of(column)
            if place is None:
                reasons.append(self._reason("undecodable", line, column, HALF))
                continue
            if place >= len(cells):
                cells += [""] * (place + 1 - len(cells))
            if place in kinds:
                reasons.append(self._reason("duplicate_key", line, column, "occurs twice"))
            kinds[place] = None
            if value is None:
                continue
            kinds[place], cells[place] = WRITTEN[type(value)](value)
            reasons += self._wrong(line, column, cells[place])
        if not reasons:
            reasons = self._write(line, cells)
        if reasons:
            self.reject(line, raw, reasons)
            return
        for place, kind in kinds.items():
            if kind is not None:
                self._kinds[place].add(kind)

    def _wrong(self, line: int, column: str, written: str) -> list[Reason]:
        if len(written) > self._limits.cell_bytes:
            said = f"has {len(written):,} characters, too many (cell_bytes of UPLOAD_LIMITS)"
            return [self._reason("too_long", line, column, said)]
        if "\0" in written:
            return [self._reason("nul_character", line, column, "holds a NUL character")]
        return []

    def _write(self, line: int, cells: Sequence[str]) -> list[Reason]:
        try:
            row = f"{line},{','.join(cells)}\n".encode()
        except UnicodeEncodeError:
            return [self._reason("undecodable", line, None, HALF)]
        self._longest = max(self._longest, len(row))
        self._file.write(row)
        self.rows += 1
        if self.rows > self._limits.rows:
            what = f"'{self._name}' has more than {self._limits.rows:,} rows"
            raise self._limits.refuse("rows", what, line)
        return []

    def reject(self, line: int, raw: str, reasons: Sequence[Reason]) -> None:
        """Keep a record that cannot be taken, with its reasons."""
        clean = raw[:RAW_CHARACTERS].encode("utf-8", "backslashreplace").decode()
        self.rejected.append(RejectedRow(line, clean.replace("\0", "\\x00"), tuple(reasons)))
        if len(self.rejected) > MOST_REJECTED:
            what = f"'{self._name}' has more than {MOST_REJECTED:,} bad rows; none was taken"
            raise UploadRefusedError([Reason("too_many_bad_rows", what), *reasons])

    def as_parquet(
        self, connection: duckdb.DuckDBPyConnection, warnings: Sequence[str] = ()
    ) -> ParquetFile:
        """The records as typed columns; raises UploadRefusedError if their names cannot be used."""
        self._file.close()
        if not self.rows:
            found = f"{len(self.rejected):,} that cannot be taken" if self.rejected else "none"
            message = f"'{self._name}' has no {self._place}s of a table: there are {found}"
            shown = [reason for row in self.rejected[:SHOWN] for reason in row.reasons]
            raise UploadRefusedError([Reason("no_rows", message), *shown])
        names, said = column_names(self._names, self._name, None, self._limits)
        loose, columns = set(), [f"c0 AS {identifier(LINE)}"]
        for place, (column, kinds) in enumerate(zip(names, self._kinds, strict=True), start=1):
            kind = SQL_TYPE.get(frozenset(kinds))
            if kind is None:
                loose.add(column)
            columns.append(f"CAST(c{place} AS {kind or 'VARCHAR'}) AS {identifier(column)}")
        spelled = ", ".join(f"'c{place}': 'VARCHAR'" for place in range(1, len(columns)))
        connection.execute(
            f"COPY (SELECT {', '.join(columns)} FROM read_csv({literal(str(self._path))}, "
            f"auto_detect = false, columns = {{'c0': 'BIGINT', {spelled}}}, header = false, "
            "delim = ',', quote = '\"', escape = '\"', nullstr = '', allow_quoted_nulls = false, "
            "null_padding = true, parallel = false, new_line = '\\n', "
            f"max_line_size = {max(LINE_BYTES, self._longest)}, "
            f"buffer_size = {max(BUFFER_BYTES, 2 * self._longest)}"
            f")) TO {literal(str(self._target))} (FORMAT parquet)"
        )
        self._path.unlink()
        return ParquetFile(
            self._target,
            self._place,
            numbered=True,
            loose=frozenset(loose),
            rejected=tuple(self.rejected),
            warnings=(*warnings, *said),
        )

    def _place_of(self, column: str) -> int | None:
        """The place of a name; none of one that holds half a character."""
        place = self._columns.get(column)
        if place is None and is_utf8(column):
            place = self._new(column)
        return place

    def _new(self, column: str) -> int:
        """The place of a name not met before; spaces around it and its case do not count."""
        same = self._spellings.get(column.strip().casefold())
        if same is None:
            same = len(self._names)
            if same == self._limits.columns:
                what = f"'{self._name}' has more than {same:,} columns"
                raise self._limits.refuse("columns", what)
            self._spellings[column.strip().casefold()] = same
            self._names.append(column)
            self._kinds.append(set())
        self._columns[column] = same
        return same

    def _reason(self, code: str, line: int, column: str | None, what: str) -> Reason:
        subject = f"'{printable(column)}' " if column is not None else ""
        message = f"{self._place} {line}: {subject}{what}"
        return Reason(code, message, None if column is None else shortened(column), line)
