"""Which type a column of texts has, judged by all of its values and by what is known of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import duckdb

from evergreen.data.engine import one_value
from evergreen.data.readings import (
    GROUPED,
    MAY_BE_MOMENT,
    ODD,
    READINGS,
    TEXT,
    Reading,
)
from evergreen.data.refusal import shortened
from evergreen.data.schema import SQL_TYPES, WIDER, ColumnSchema, ColumnType
from evergreen.data.staging import ROW

COLUMNS_AT_ONCE = 25
"""Asked of in one query: to plan one takes time with the square of its length."""

COLUMNS_TRIED_AT_ONCE = 100
"""Whose first values stand below each other in one query."""

SAMPLED_ROWS = 1_000
"""Readings that fit none of the first values are not tried on the rest."""

STRAY_SHARE = 0.01
FEWEST_VALUES = 20
"""From so many values on, a stray one (or 1 %) is a bad row and does not make the column text.

A value of the right form that cannot be held (1e400) is a bad row in any file."""

CHANGED_SHARE = 0.2
"""A known column of which more than this share does not fit its type has changed its type."""

MENTIONED_SHARE = 0.8
"""A column of texts of which so many would fit another type gets a warning that says so."""

CODE_WIDTH = 3
"""Whole numbers of equal width, some with leading zeros (00501), are codes from this width on."""


@dataclass(frozen=True)
class Changed:
    """A column lost its known type: which it seems to have now, and the first row that shows it."""

    found: ColumnType
    row: int
    value: str


@dataclass(frozen=True)
class Inferred:
    """How one column is read.

    `raw` is SQL for what stands there (NULL: missing), `value` for the value it is read as, NULL
    where it cannot be; `looks` is a condition on `raw`: it has the form but its value cannot be
    held. `values` counts what stands there, `misfits` what of it cannot be read. `reading` is how
    texts are read, and `certain` says that more values which it fits would not change the choice.
    """

    name: str
    type: ColumnType
    raw: str
    value: str
    looks: str
    values: int
    misfits: int
    format: str | None = None
    warnings: tuple[str, ...] = ()
    changed: Changed | None = None
    reading: Reading | None = None
    certain: bool = False

    @property
    def misfit(self) -> str:
        """SQL condition: something stands there and cannot be read."""
        return f"(({self.raw}) IS NOT NULL AND ({self.value}) IS NULL)"


@dataclass(frozen=True)
class TextColumn:
    """A column of texts: SQL for them (NULL: missing), the readings to try, what is known of it."""

    name: str
    raw: str
    readings: Sequence[Reading]
    known: ColumnSchema | None = None

    @property
    def expected(self) -> ColumnSchema | None:
        """What is known, if values have ever been seen."""
        return None if self.known is None or self.known.empty else self.known


@dataclass(frozen=True)
class _Counted:
    """How many values have the form of a reading, and how many of those it can hold.

    Forms are only counted where no reading of the column `fits` all values.
    """

    reading: Reading
    looks: int
    fits: int


@dataclass(frozen=True)
class _Counts:
    """What was counted of one column. `codes`: its texts are of one width, some begin with 0."""

    values: int
    codes: bool
    readings: tuple[_Counted, ...]


def infer(
    connection: duckdb.DuckDBPyConnection, source: str, columns: Sequence[TextColumn]
) -> tuple[Inferred, ...]:
    """Choose how to read columns of `source`, a table function with the staged rows.

    What is known of a column wins where its values allow that.
    """
    asked = [
        each
        if each.expected is None or each.expected.type != "text"
        else replace(each, readings=())
        for each in columns
    ]
    counted = []
    for first in range(0, len(asked), COLUMNS_TRIED_AT_ONCE):
        tried = _worth_trying(connection, source, asked[first : first + COLUMNS_TRIED_AT_ONCE])
        for place in range(0, len(tried), COLUMNS_AT_ONCE):
            some = _provable(connection, source, tried[place : place + COLUMNS_AT_ONCE])
            counted += _with_forms(connection, source, some, _count(connection, source, some))
    chosen = []
    for column, counts in zip(columns, counted, strict=True):
        inferred = _choose(column, counts)
        if inferred.changed is not None:
            row, value = _first_misfit(connection, source, inferred)
            inferred = replace(inferred, changed=replace(inferred.changed, row=row, value=value))
        chosen.append(inferred)
    return tuple(chosen)


def _worth_trying(
    connection: duckdb.DuckDBPyConnection, source: str, columns: Sequence[TextColumn]
) -> list[TextColumn]:
    """Only the readings that fit any of a column's first values; all where there are none.

    The columns stand below each other, so that the query has each reading once: planned for each
    column, it took more time than all else. The many ways to write a moment are asked of texts that
    may be one at all.
    """
    tried = list(dict.fromkeys(each for column in columns for each in column.readings))
    texts, places = ", ".join(column.raw for column in columns), f"range({len(columns)})"
    asked = (
        f"CASE WHEN {MAY_BE_MOMENT.replace('{v}', 'v')} THEN {each.looks_like('v')} END"
        if each in ODD
        else each.looks_like("v")
        for each in tried
    )
    fitting = ", ".join(f"count({each} OR NULL)" for each in asked) or "0"
    below = f"SELECT unnest([{texts}]) AS v, unnest({places}) AS place"
    counted = {
        int(place): dict(zip(tried, fits, strict=False))
        for place, *fits in connection.execute(
            f"SELECT place, {fitting} FROM ({below} FROM (FROM {source} LIMIT {SAMPLED_ROWS})) "
            "WHERE v IS NOT NULL GROUP BY place"
        ).fetchall()
    }
    return [
        replace(
            column,
            readings=[
                each for each in column.readings if place not in counted or counted[place][each]
            ],
        )
        for place, column in enumerate(columns)
    ]


def _provable(
    connection: duckdb.DuckDBPyConnection, source: str, columns: Sequence[TextColumn]
) -> list[TextColumn]:
    """Without readings that no value of a column proves: any plain number has their form."""
    asked = {
        (place, each): f"bool_or({each.marked(f'v{place}')})"
        for place, column in enumerate(columns)
        for each in column.readings
        if each.marks
    }
    found = _aggregated(connection, source, columns, list(asked.values()))
    lacking = {key for key, proven in zip(asked, found, strict=True) if not proven}
    return [
        replace(column, readings=[r for r in column.readings if (place, r) not in lacking])
        for place, column in enumerate(columns)
    ]


def _count(
    connection: duckdb.DuckDBPyConnection, source: str, columns: Sequence[TextColumn]
) -> list[_Counts]:
    asked = []
    for place, column in enumerate(columns):
        text = f"v{place}"
        whole = any(each.type == "integer" for each in column.readings)
        asked += [f"count({text})", _has_codes(text) if whole else "false"]
        asked += [
            f"CASE WHEN {each.proven_by(text)} THEN count({each.read(text)}) ELSE 0 END"
            for each in column.readings
        ]
    row = iter(_aggregated(connection, source, columns, asked))
    return [
        _Counts(
            int(next(row)),
            bool(next(row)),
            tuple(_Counted(each, 0, int(next(row))) for each in column.readings),
        )
        for column in columns
    ]


def _with_forms(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    columns: Sequence[TextColumn],
    counted: Sequence[_Counts],
) -> list[_Counts]:
    asked = {
        (place, each.reading): f"count({each.reading.looks_like(f'v{place}')} OR NULL)"
        for place, counts in enumerate(counted)
        if all(each.fits < counts.values for each in counts.readings)
        for each in counts.readings
    }
    row = _aggregated(connection, source, columns, list(asked.values()))
    looks = {key: int(count) for key, count in zip(asked, row, strict=True)}
    return [
        replace(
            counts,
            readings=tuple(
                replace(each, looks=looks.get((place, each.reading), each.fits))
                for each in counts.readings
            ),
        )
        for place, counts in enumerate(counted)
    ]


def _has_codes(text: str) -> str:
    shortest, longest = f"min(length({text}))", f"max(length({text}))"
    return f"{shortest} = {longest} AND {shortest} >= {CODE_WIDTH} AND bool_or({text} LIKE '0%')"


def _aggregated(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    columns: Sequence[TextColumn],
    asked: Sequence[str],
) -> tuple[Any, ...]:
    """Aggregates over all columns in one pass; `v0` is the first column's text, and so on."""
    if not asked:
        return ()
    texts = ", ".join(f"{column.raw} AS v{place}" for place, column in enumerate(columns))
    row = connection.execute(
        f"SELECT {', '.join(asked)} FROM (SELECT {texts} FROM {source})"
    ).fetchone()
    return row or ()


def _first_misfit(
    connection: duckdb.DuckDBPyConnection, source: str, column: Inferred
) -> tuple[int, str]:
    row = connection.execute(
        f"SELECT {ROW}, {column.raw} FROM {source} WHERE {column.misfit} ORDER BY {ROW} LIMIT 1"
    ).fetchone()
    return (int(row[0]), shortened(str(row[1]))) if row else (0, "")


def _choose(column: TextColumn, counts: _Counts) -> Inferred:
    if counts.values == 0:
        kind: ColumnType = column.known.type if column.known else "text"
        null = f"CAST(NULL AS {SQL_TYPES[kind]})"
        written = column.known.format if column.known else None
        return Inferred(column.name, kind, column.raw, null, "true", 0, 0, written, certain=True)
    expected = column.expected
    free, said = _preferred(counts, expected)
    coded = expected is None and free.type == "integer" and counts.codes
    if coded:
        free = TEXT
    if expected is None or _compatible(expected.type, free.type):
        warnings = tuple(f"column '{column.name}' {each}" for each in said)
        read = _as(column, free, counts)
        # A text that is a number more often than not may, with more values, be a number.
        mixed = free is TEXT and any(2 * each.fits > counts.values for each in counts.readings)
        certain = not (said or coded or mixed or read.misfits)
        return replace(read, warnings=warnings, certain=certain)
    usable = [each for each in counts.readings if _compatible(expected.type, each.reading.type)]
    if usable:
        asked = expected.type
        best = max(usable, key=lambda each: (each.fits, each.reading.type == asked)).reading
    else:
        best = next(each for each in READINGS if each.type == expected.type)
    read = _as(column, best, counts)
    if read.misfits <= CHANGED_SHARE * counts.values:
        return read
    return replace(read, changed=Changed(free.type, 0, ""))


def _as(column: TextColumn, reading: Reading, counts: _Counts) -> Inferred:
    fits = counts.values if reading is TEXT else 0
    fits = next((each.fits for each in counts.readings if each.reading is reading), fits)
    return Inferred(
        column.name,
        reading.type,
        column.raw,
        reading.read(column.raw),
        reading.looks_like(column.raw),
        counts.values,
        counts.values - fits,
        reading.format,
        reading=reading,
    )


def misfitting_rows(
    connection: duckdb.DuckDBPyConnection, source: str, columns: Sequence[Inferred]
) -> int:
    """How many rows hold a value that cannot be read."""
    wrong = [column.misfit for column in columns if column.misfits]
    if not wrong:
        return 0
    return one_value(connection, f"SELECT count(*) FROM {source} WHERE {' OR '.join(wrong)}")


def _compatible(known: ColumnType, found: ColumnType) -> bool:
    return known == found or frozenset({known, found}) in WIDER


def _preferred(counts: _Counts, known: ColumnSchema | None) -> tuple[Reading, tuple[str, ...]]:
    """The reading that its values ask for, and what should be said about the choice."""
    counted, values = counts.readings, counts.values
    exact = [each.reading for each in counted if each.fits == values]
    if exact:
        return _exact(exact, known)
    strays = max(1, int(values * STRAY_SHARE)) if values >= FEWEST_VALUES else 0
    nearly = [
        each.reading for each in counted if each.looks >= values - strays and each.fits * 2 > values
    ]
    if nearly:
        return nearly[0], ()
    doubtful = [each.reading for each in counted if each.looks == values and not each.fits]
    if any(each in GROUPED for each in doubtful):
        said = "is read as text: its commas may divide thousands or begin fractions"
        return TEXT, (f"{said}; write its numbers without marks between thousands",)
    best = max(counted, key=lambda each: each.fits, default=None)
    if best and best.fits >= MENTIONED_SHARE * values:
        off = values - best.fits
        return TEXT, (f"is read as text: {off:,} of {values:,} values are no {best.reading.type}",)
    return TEXT, ()


def _exact(
    readings: Sequence[Reading], known: ColumnSchema | None
) -> tuple[Reading, tuple[str, ...]]:
    chosen = readings[0]
    if known is not None:
        same = [each for each in readings if (each.type, each.format) == (known.type, known.format)]
        chosen = same[0] if same else chosen
        if known.type == chosen.type and known.format != chosen.format and not same:
            usual = "ISO" if known.type in ("date", "timestamp") else "plain"
            was = known.format or usual
            return chosen, (f"is written as {chosen.format or usual} here and as {was} before",)
        return chosen, ()
    others = [each for each in readings if each.type == chosen.type and each is not chosen]
    if chosen in ODD and others:
        return chosen, (f"is read as {chosen.format} and could be {others[0].format} as well",)
    if chosen in GROUPED:
        return chosen, (f"is read as numbers written like {chosen.format}",)
    return chosen, ()
