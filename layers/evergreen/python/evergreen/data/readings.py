"""The ways to read a text as a value, as one table: a new way joins by being listed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from evergreen.contracts.data_section import MISSING
from evergreen.data.engine import literal
from evergreen.data.schema import ColumnType

SPACES = " \t\n\v\f\r\u00a0"


@dataclass(frozen=True)
class Reading:
    """One way to read a text `{v}`, trimmed and not missing.

    `looks` (SQL condition): the text has this form. `value` (SQL): what it says, NULL where the
    value cannot be held (1e400). `format` is None for the usual form.

    `sure` (SQL condition) holds for the way most texts are written, and costs a fraction of the
    pattern in `looks`. If it holds and `cast` is not NULL, the text, spaces around it aside, has
    the form and means just what `cast` gives.
    """

    type: ColumnType
    looks: str
    value: str
    format: str | None = None
    sure: str = "false"
    cast: str = "NULL"

    def looks_like(self, text: str) -> str:
        """SQL condition: `text` has this form."""
        sure = f"{self.sure} AND {self.cast} IS NOT NULL"
        return _filled(f"CASE WHEN {sure} THEN true ELSE {self.looks} END", text)

    def read(self, text: str) -> str:
        """SQL for the value of `text`, NULL where it has not the form or cannot be held."""
        careful = f"CASE WHEN {self.looks} THEN {self.value} END"
        return _filled(f"coalesce({self._quick}, {careful})", text)

    @property
    def _quick(self) -> str:
        return f"CASE WHEN {self.sure} THEN {self.cast} END"

    def read_or_fail(self, cell: str) -> str:
        """SQL for the value of an uncleaned cell, NULL where it says missing; else an error.

        Also an error: a whole number with leading zeros, which may be a code (see inference).
        """
        clean = f"({cleaned(cell)})"
        value = _filled(f"CASE WHEN {self.looks} THEN {self.value} END", clean)
        code = f"WHEN {clean} LIKE '0__%' THEN {FAIL} " if self.type == "integer" else ""
        careful = (
            f"CASE WHEN {cell} IS NULL OR {clean} IS NULL THEN NULL "
            f"{code}ELSE coalesce({value}, {FAIL}) END"
        )
        return _filled(f"coalesce({self._quick}, {careful})", cell)


def _filled(template: str, text: str) -> str:
    return template.replace("{v}", text)


MISFIT = "evergreen.misfit"
FAIL = f"error({literal(MISFIT)})"
"""SQL that ends the query; MISFIT is in the message."""

_WHOLE = r"[+-]?\d+"
# Whole numbers of more than 18 digits are identifiers: as float64 they would lose their last ones.
# Infinity is a number that cannot be held, like 1e400.
_REAL = (
    r"[+-]?(\d{1,18}|\d+\.\d*|\.\d+|(\d+\.?\d*|\.\d+)[eE][+-]?\d+"
    r"|[iI][nN][fF]([iI][nN][iI][tT][yY])?)"
)
_ISO_DAY = r"\d{4}[-/]\d{1,2}[-/]\d{1,2}"
_ISO_TIME = r"[ T]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}(:?\d{2})?)?"


def _finite(expression: str) -> str:
    return f"CASE WHEN isfinite({expression}) THEN {expression} END"


def _form(pattern: str) -> str:
    return f"regexp_full_match({{v}}, {literal(pattern)})"


_DIGITS = {"%Y": "____"}


def _strptime(kind: ColumnType, format: str, pattern: str) -> Reading:  # noqa: A002
    value = f"try_strptime({{v}}, {literal(format)})"
    if kind == "date":
        value = f"CAST({value} AS DATE)"
    # With two digits for each part (four for the year) nothing else is read as a moment.
    written = re.sub("%.", lambda part: _DIGITS.get(part[0], "__"), format)
    return Reading(kind, _form(pattern), value, format, f"{{v}} LIKE {literal(written)}", value)


_DAY = r"\d{1,2}{s}\d{1,2}{s}\d{4}"
_SLASHED, _DOTTED, _DASHED = (_DAY.replace("{s}", mark) for mark in ("/", r"\.", "-"))

READINGS: tuple[Reading, ...] = (
    Reading(
        "integer",
        _form(_WHOLE),
        "TRY_CAST({v} AS BIGINT)",
        sure="CAST(TRY_CAST({v} AS BIGINT) AS VARCHAR) = {v}",
        cast="TRY_CAST({v} AS BIGINT)",
    ),
    Reading(
        "number",
        f"({_form(_REAL)} OR (length({{v}}) > 308 AND {_form(_WHOLE)}))",
        _finite("TRY_CAST({v} AS DOUBLE)"),
        # DuckDB reads 1_000 and +-1 too.
        sure="(isfinite(TRY_CAST({v} AS DOUBLE)) AND NOT contains({v}, '_') "
        "AND NOT contains({v}, '+') AND (strlen({v}) <= 18 OR contains({v}, '.')))",
        cast="TRY_CAST({v} AS DOUBLE)",
    ),
    Reading(
        "boolean",
        "(lower({v}) = 'true' OR lower({v}) = 'false')",
        "lower({v}) = 'true'",
        sure="true",
        cast="CASE WHEN {v} = 'true' THEN true WHEN {v} = 'false' THEN false END",
    ),
    Reading(
        "date",
        _form(_ISO_DAY),
        "TRY_CAST({v} AS DATE)",
        # DuckDB writes years before the first like this: 0044-03-15 (BC).
        sure="(CAST(TRY_CAST({v} AS DATE) AS VARCHAR) = {v} AND strlen({v}) = 10)",
        cast="TRY_CAST({v} AS DATE)",
    ),
    Reading(
        "timestamp",
        _form(f"{_ISO_DAY}({_ISO_TIME})?"),
        # As a zoned time: a plain cast to TIMESTAMP leaves an offset like +02:00 unread.
        "CAST(TRY_CAST({v} AS TIMESTAMPTZ) AS TIMESTAMP)",
        # The cast comes first: there the engine sees that it is needed twice, and casts once.
        sure="(CAST(TRY_CAST({v} AS TIMESTAMP) AS VARCHAR) = {v} AND strlen({v}) = 19 "
        "OR replace(CAST(TRY_CAST({v} AS TIMESTAMP) AS VARCHAR), ' ', 'T') || 'Z' = {v} "
        "AND strlen({v}) = 20)",
        cast="TRY_CAST({v} AS TIMESTAMP)",
    ),
    _strptime("date", "%m/%d/%Y", _SLASHED),
    _strptime("date", "%d/%m/%Y", _SLASHED),
    _strptime("date", "%d.%m.%Y", _DOTTED),
    _strptime("date", "%d-%m-%Y", _DASHED),
    _strptime("timestamp", "%m/%d/%Y %H:%M", rf"{_SLASHED} \d{{1,2}}:\d{{2}}"),
    _strptime("timestamp", "%d/%m/%Y %H:%M", rf"{_SLASHED} \d{{1,2}}:\d{{2}}"),
    _strptime("timestamp", "%m/%d/%Y %H:%M:%S", rf"{_SLASHED} \d{{1,2}}:\d{{2}}:\d{{2}}"),
    _strptime("timestamp", "%d/%m/%Y %H:%M:%S", rf"{_SLASHED} \d{{1,2}}:\d{{2}}:\d{{2}}"),
    _strptime("timestamp", "%d.%m.%Y %H:%M", rf"{_DOTTED} \d{{1,2}}:\d{{2}}"),
    _strptime("timestamp", "%d.%m.%Y %H:%M:%S", rf"{_DOTTED} \d{{1,2}}:\d{{2}}:\d{{2}}"),
)
"""In order of preference: the first that reads every value of a column is taken."""

DECIMAL_COMMA = Reading(
    "number",
    _form(r"[+-]?\d+(,\d+)?"),
    _finite("TRY_CAST(replace({v}, ',', '.') AS DOUBLE)"),
    "decimal comma",
)
"""Only in files divided by semicolons, as spreadsheets write where the comma is decimal."""

TEXT = Reading("text", "true", "{v}")


def cleaned(expression: str, markers: Sequence[str] = MISSING) -> str:
    """SQL for a text without the spaces around it, NULL where it says missing.

    A CASE, because DuckDB plans an IN list for 6 ms per column and this for less than one.
    """
    trimmed = f"trim({expression}, {literal(SPACES)})"
    if "" not in markers:
        trimmed = f"coalesce({trimmed}, '')"
    cases = " ".join(f"WHEN {literal(marker)} THEN NULL" for marker in markers)
    return f"CASE {trimmed} {cases} ELSE {trimmed} END" if cases else trimmed


def unclean(text: str, lines: bool = True) -> str:  # noqa: FBT001, FBT002
    """SQL condition: there may be spaces around a text. It never overlooks any.

    Spaces that are rare inside of texts are looked for anywhere, which is faster. Without `lines`
    no text holds the end of one.
    """
    last = " \n\r" if lines else " "
    ends = " OR ".join(f"{text} LIKE {literal('%' + space)}" for space in last)
    rare = " OR ".join(f"contains({text}, {literal(space)})" for space in "\t\v\f\u00a0")
    return f"({text} < '!' OR {ends} OR {rare})"


def readings_for(delimiter: str) -> Sequence[Reading]:
    """The readings that make sense in a file divided by `delimiter`."""
    return (*READINGS, DECIMAL_COMMA) if delimiter == ";" else READINGS
