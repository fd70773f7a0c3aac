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

    `proof` (SQL condition) holds for one value at least of a column that is read so: 1,234 alone
    may be a thousand or, elsewhere, one and a bit; beside 1,234.50 it cannot. Such a value holds
    one of the `marks`, which is asked faster.
    """

    type: ColumnType
    looks: str
    value: str
    format: str | None = None
    sure: str = "false"
    cast: str = "NULL"
    proof: str = "true"
    marks: str = ""

    def looks_like(self, text: str) -> str:
        """SQL condition: `text` has this form."""
        sure = f"{self.sure} AND {self.cast} IS NOT NULL"
        return _filled(f"CASE WHEN {sure} THEN true ELSE {self.looks} END", text)

    def marked(self, text: str) -> str:
        """SQL condition: `text` may prove the reading."""
        return " OR ".join(f"contains({text}, {literal(mark)})" for mark in self.marks) or "true"

    def proven_by(self, text: str) -> str:
        """SQL aggregate: one of the values proves the reading."""
        return "true" if self.proof == "true" else f"bool_or({_filled(self.proof, text)})"

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
        code = " AND {v} NOT LIKE '0__%'" if self.type == "integer" else ""
        value = f"CASE WHEN {self.looks}{code} THEN {self.value} END"
        # Last, for the rare texts with spaces around them: the engine trims them over and over.
        careful = (
            f"CASE WHEN {cell} IS NULL OR {clean} IS NULL THEN NULL "
            f"ELSE coalesce({_filled(value, clean)}, {FAIL}) END"
        )
        return f"coalesce({_filled(self._quick, cell)}, {_filled(value, cell)}, {careful})"


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
_ISO_TIME = (
    r"[ T]\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?( ?(Z|[+-]\d{2}(:?\d{2})?)| (UTC|GMT|[A-Z]\w+/\w+))?"
)


def _finite(expression: str) -> str:
    return f"CASE WHEN isfinite({expression}) THEN {expression} END"


def _form(pattern: str) -> str:
    return f"regexp_full_match({{v}}, {literal(pattern)})"


_DIGITS = {"%Y": "____"}


def _strptime(kind: ColumnType, format: str, pattern: str, *others: str) -> Reading:  # noqa: A002
    """Written in a format, or in any of the `others`, which then is only what it is called."""
    formats = f"[{', '.join(map(literal, others))}]" if others else literal(format)
    value = f"CAST(try_strptime({{v}}, {formats}) AS {kind})"
    if others:
        return Reading(kind, _form(pattern), value, format)
    # With two digits for each part (four for the year), and no space in place of one, nothing else
    # is read as a moment.
    written = re.sub("%.", lambda part: _DIGITS.get(part[0], "__"), format)
    spaced = "% " * (format.count(" ") + 1) + "%"
    sure = f"({{v}} LIKE {literal(written)} AND {{v}} NOT LIKE {literal(spaced)})"
    return Reading(kind, _form(pattern), value, format, sure, value)


_DAY = r"\d{1,2}{s}\d{1,2}{s}\d{4}"
_SLASHED, _DOTTED, _DASHED = (_DAY.replace("{s}", mark) for mark in ("/", r"\.", "-"))

_SHORT = _SLASHED.replace(r"\d{4}", r"\d{2}")
_MONTH = r"[A-Za-z]{3,9}"
_NAMED = (
    rf"\d{{1,2}}([- ]){_MONTH}[- ]\d{{4}}|\d{{1,2}}-{_MONTH}-\d{{2}}|{_MONTH} \d{{1,2}},? \d{{4}}"
)
_CLOCK = r"\d{1,2}:\d{2}(:\d{2})?"
_LEAST = r"[+-]?\d{1,18}"


def _thousands(marks: str, pattern: str, decimal: str, value: str, proof: str) -> Reading:
    """Numbers of at most 18 digits with a mark between thousands, or without where it is usual."""
    rest = rf"({decimal}\d+)?"
    form = _form(rf"[+-]?\d{{1,3}}({pattern}\d{{3}}){{1,5}}{rest}|{_LEAST}{rest}")
    real = _finite(f"TRY_CAST({value} AS DOUBLE)")
    proven = f"regexp_matches({{v}}, '{proof}')"
    return Reading("number", form, real, f"1{marks[0]}000", proof=proven, marks=marks)


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
        # As a zoned time: a plain cast to TIMESTAMP leaves an offset like +02:00 unread. Neither
        # reads a comma before the fraction, or a space before the offset.
        "CAST(TRY_CAST(regexp_replace(replace({v}, ',', '.'), ' ([Z+-])', '\\1') "
        "AS TIMESTAMPTZ) AS TIMESTAMP)",
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
    _strptime(
        "timestamp",
        "%d-%m-%Y %H:%M",
        rf"{_DASHED} {_CLOCK}",
        "%d-%m-%Y %H:%M",
        "%d-%m-%Y %H:%M:%S",
    ),
    _strptime(
        "timestamp",
        "%m/%d/%Y %I:%M %p",
        rf"{_SLASHED} {_CLOCK} ?[aApP][mM]",
        "%m/%d/%Y %I:%M %p",
        "%m/%d/%Y %I:%M:%S %p",
        "%m/%d/%Y %I:%M%p",
    ),
    _strptime(
        "timestamp",
        "%d/%m/%Y %I:%M %p",
        rf"{_SLASHED} {_CLOCK} ?[aApP][mM]",
        "%d/%m/%Y %I:%M %p",
        "%d/%m/%Y %I:%M:%S %p",
        "%d/%m/%Y %I:%M%p",
    ),
    _strptime("date", "%m/%d/%y", _SHORT),
    _strptime("date", "%d/%m/%y", _SHORT),
    _strptime(
        "date",
        "1 Feb 2003",
        _NAMED,
        "%d-%b-%y",  # before four digits, which take two for the year 24
        "%d-%b-%Y",
        "%d %b %Y",
        "%d-%B-%Y",
        "%d %B %Y",
        "%b %d, %Y",
        "%B %d, %Y",
        "%b %d %Y",
        "%B %d %Y",
    ),
    _strptime(
        "timestamp",
        "1 Feb 2003 4:05",
        rf"([A-Za-z]{{3}}, )?\d{{1,2}}[-/ ]{_MONTH}[-/ ]\d{{4}}[: ]{_CLOCK}"
        r"( (GMT|UTC|[+-]\d{4}))?"
        rf"|[A-Za-z]{{3}} {_MONTH} +\d{{1,2}} {_CLOCK} \d{{4}}",
        "%d-%b-%Y %H:%M:%S",
        "%d %b %Y %H:%M:%S",
        "%d-%b-%Y %H:%M",
        "%d %b %Y %H:%M",
        "%a, %d %b %Y %H:%M:%S %z",
        "%a, %d %b %Y %H:%M:%S GMT",
        "%a, %d %b %Y %H:%M:%S UTC",
        "%d/%b/%Y:%H:%M:%S %z",
        "%a %b %d %H:%M:%S %Y",
    ),
    _strptime(
        "timestamp",
        "20030201T040500",
        r"\d{8}T\d{6}Z?",
        "%Y%m%dT%H%M%SZ",
        "%Y%m%dT%H%M%S",
    ),
    _thousands(",", ",", r"\.", "replace({v}, ',', '')", r",\d{3}[.,]"),
    _thousands(
        "'\u2019", "[''\u2019]", r"\.", "regexp_replace({v}, '[''\u2019]', '', 'g')", "[''\u2019]"
    ),
)
"""In order of preference: the first that reads every value of a column is taken."""

DECIMAL_COMMA = Reading(
    "number",
    _form(r"[+-]?\d+(,\d+)?"),
    _finite("TRY_CAST(replace({v}, ',', '.') AS DOUBLE)"),
    "decimal comma",
)

DECIMAL_COMMA_AND_THOUSANDS = _thousands(
    ".\u00a0\u202f",
    "[.\u00a0\u202f]",
    ",",
    "replace(regexp_replace({v}, '[.\u00a0\u202f]', '', 'g'), ',', '.')",
    "[\u00a0\u202f]|[.]\\d{3}[.,]",
)
GROUPED = (*READINGS[-2:], DECIMAL_COMMA_AND_THOUSANDS)
"""Numbers with marks between their thousands."""

COMMA_READINGS = (
    *(each for each in READINGS if each not in GROUPED),
    DECIMAL_COMMA,
    DECIMAL_COMMA_AND_THOUSANDS,
    *READINGS[-2:],
)
"""Only in files divided by semicolons, as spreadsheets write where the comma is decimal."""

TEXT = Reading("text", "true", "{v}")


ODD = frozenset(
    each for each in READINGS if each.type in ("date", "timestamp") and each.format is not None
)
"""Readings of moments that are not written as ISO has it."""

MAY_BE_MOMENT = (
    r"regexp_matches({v}, '\d\D{1,10}\d+\D|\d[- ][A-Za-z]{3,9}[- ]\d|[A-Za-z] \d{1,2},? \d{4}"
    r"|\d\D\d+\D|\d{8}T\d')"
)
"""SQL condition: true of all texts that one of the ODD readings has the form of."""


def cleaned(expression: str, markers: Sequence[str] = MISSING) -> str:
    """SQL for a text without the spaces around it, NULL where it says missing."""
    return without_markers(trimmed(expression), markers)


def trimmed(text: str) -> str:
    """SQL for a text without the spaces around it."""
    return f"trim({text}, {literal(SPACES)})"


def without_markers(text: str, markers: Sequence[str] = MISSING) -> str:
    """SQL for a text, NULL where it says missing.

    A CASE, because DuckDB plans an IN list for 6 ms per column and this for less than one. It asks
    for the text once for each marker: in a table, one that costs time to make should be a column.
    """
    if "" not in markers:
        text = f"coalesce({text}, '')"
    cases = " ".join(f"WHEN {literal(marker)} THEN NULL" for marker in markers)
    return f"CASE {text} {cases} ELSE {text} END" if cases else text


def unclean(text: str, *, lines: bool = True, rare: bool = True) -> str:
    """SQL condition: there may be spaces around a text. It never overlooks any.

    Without `lines` no text holds the end of one, without `rare` none but the usual space. Those
    that are rare inside of texts are looked for anywhere, which is faster.
    """
    last = " \n\r" if lines else " "
    asked = [f"{text} < '!'", *(f"{text} LIKE {literal('%' + space)}" for space in last)]
    if rare:
        asked += [f"contains({text}, {literal(space)})" for space in "\t\v\f\u00a0"]
    return f"({' OR '.join(asked)})"


def says_missing(text: str, markers: Sequence[str]) -> str:
    """SQL condition: a text is one of the markers. Most texts are longer, which is seen faster."""
    if not markers:
        return "false"
    longest = max(len(marker.encode()) for marker in markers)
    same = " OR ".join(f"{text} = {literal(marker)}" for marker in markers)
    return f"(strlen({text}) <= {longest} AND ({same}))"


def readings_for(delimiter: str) -> Sequence[Reading]:
    """The readings that make sense in a file divided by `delimiter`."""
    return COMMA_READINGS if delimiter == ";" else READINGS
