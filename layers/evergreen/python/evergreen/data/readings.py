"""The ways to read a text as a value, as one table: a new way joins by being listed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evergreen.data.engine import literal
from evergreen.data.schema import ColumnType

MISSING_MARKERS = ("", "NA", "N/A", "NaN", "nan", "NULL", "null", "?")
"""Texts that say that a value is missing, spaces around them aside.

`None` is not one of them: it is a category in real data (no basement, no alley).
"""

SPACES = " \t\n\r\u00a0"


@dataclass(frozen=True)
class Reading:
    """One way to read a text `{v}`, trimmed and not missing.

    `looks` (SQL condition): the text has this form. `value` (SQL): what it says, NULL where the
    value cannot be held (1e400). `format` is None for the usual form.
    """

    type: ColumnType
    looks: str
    value: str
    format: str | None = None

    def looks_like(self, text: str) -> str:
        """SQL condition: `text` has this form."""
        return self.looks.replace("{v}", text)

    def read(self, text: str) -> str:
        """SQL for the value of `text`, NULL where it has not the form or cannot be held."""
        return f"CASE WHEN {self.looks_like(text)} THEN {self.value.replace('{v}', text)} END"


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


def _strptime(kind: ColumnType, format: str, pattern: str) -> Reading:  # noqa: A002
    value = f"try_strptime({{v}}, {literal(format)})"
    if kind == "date":
        value = f"CAST({value} AS DATE)"
    return Reading(kind, _form(pattern), value, format)


_DAY = r"\d{1,2}{s}\d{1,2}{s}\d{4}"
_SLASHED, _DOTTED, _DASHED = (_DAY.replace("{s}", mark) for mark in ("/", r"\.", "-"))

READINGS: tuple[Reading, ...] = (
    Reading("integer", _form(_WHOLE), "TRY_CAST({v} AS BIGINT)"),
    Reading(
        "number",
        f"({_form(_REAL)} OR (length({{v}}) > 308 AND {_form(_WHOLE)}))",
        _finite("TRY_CAST({v} AS DOUBLE)"),
    ),
    Reading("boolean", "(lower({v}) = 'true' OR lower({v}) = 'false')", "lower({v}) = 'true'"),
    Reading("date", _form(_ISO_DAY), "TRY_CAST({v} AS DATE)"),
    Reading(
        "timestamp",
        _form(f"{_ISO_DAY}({_ISO_TIME})?"),
        # As a zoned time: a plain cast to TIMESTAMP leaves an offset like +02:00 unread.
        "CAST(TRY_CAST({v} AS TIMESTAMPTZ) AS TIMESTAMP)",
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


def cleaned(expression: str) -> str:
    """SQL for a text without the spaces around it, NULL where it says missing.

    A CASE, because DuckDB plans an IN list for 6 ms per column and this for less than one.
    """
    trimmed = f"trim({expression}, {literal(SPACES)})"
    markers = " ".join(f"WHEN {literal(marker)} THEN NULL" for marker in MISSING_MARKERS)
    return f"CASE {trimmed} {markers} ELSE {trimmed} END"


def readings_for(delimiter: str) -> Sequence[Reading]:
    """The readings that make sense in a file divided by `delimiter`."""
    return (*READINGS, DECIMAL_COMMA) if delimiter == ";" else READINGS
