"""The top of a table: titles that stand above it, and whether its first record names the columns.

Records are lists of texts, of a delimited file or of a sheet, the first ones of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from evergreen.data.refusal import shortened

MOST_TITLES = 50
"""A table that begins after more records than that is not looked for."""

FEWEST_FILLED = 3
"""Records of fewer values are not told from titles by how many they have."""

FEWEST_COUNTED = 5
"""So many numbers in a row from 0 or 1 are the names that a program gave to columns."""

_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|\.\d+)([eE][+-]?\d+)?")
_MOMENT = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ T]\d{1,2}:\d{2}.*)?")
_YEAR = re.compile(r"(19|20)\d\d")


def titles_above(records: Sequence[Sequence[str]]) -> int:
    """How many records stand above the table: blank ones, and those with few values.

    A title is in the first cell and leaves most others empty, where most records fill them. A
    table of two columns does not show it so: there a title is a single value, followed by a record
    that names the columns.
    """
    filled = [sum(bool(cell.strip()) for cell in record) for record in records]
    usual = median(filled) if filled else 0
    for place, record in enumerate(records[:MOST_TITLES]):
        if filled[place] and (not record[0].strip() or filled[place] > usual / 2):
            return place if usual >= FEWEST_FILLED or names_columns(records[place:]) else 0
    return 0


def names_columns(records: Sequence[Sequence[str]]) -> bool:
    """Whether the first record has a word above numbers or moments."""
    return any(not _kinds(top) and kinds for top, kinds in _columns(records))


def lacks_names(records: Sequence[Sequence[str]]) -> bool:
    """Whether the first record is one like those below it.

    It is where a column is numbers (or moments) from the first record on, and no column has
    something else above its numbers. Years or months in their order above numbers are names, as in
    wide tables, unless all that is below is years too; and so are 0, 1, 2 … in all columns.
    """
    alike = []
    for top, kinds in _columns(records):
        if kinds and not kinds & _kinds(top):
            return False
        if kinds:
            alike.append((top, kinds))
    tops = [top for top, _ in alike]
    rising = all(one < other for one, other in pairwise(tops))
    years = rising and all(_YEAR.fullmatch(top) for top in tops)
    named = years and not all("year" in kinds for _, kinds in alike)
    return bool(alike) and not named and not _counted(records[0])


def _counted(cells: Sequence[str]) -> bool:
    numbers = [int(cell) for cell in cells if cell.strip().isdecimal()]
    steps = all(other == one + 1 for one, other in pairwise(numbers))
    return FEWEST_COUNTED <= len(numbers) == len(cells) and numbers[0] in (0, 1) and steps


def _columns(records: Sequence[Sequence[str]]) -> list[tuple[str, frozenset[str]]]:
    """Of each column: its first cell, and what all its other values are."""
    first, below = records[0], [each for each in records[1:] if len(each) == len(records[0])]
    columns = []
    for place, top in enumerate(first):
        values = [value for record in below if (value := record[place].strip())]
        kinds = [_kinds(value) for value in values]
        columns.append((top.strip(), frozenset.intersection(*kinds) if kinds else frozenset()))
    return columns


def _kinds(value: str) -> frozenset[str]:
    """Whether a value is a number (a year?), or a moment: 1.5.2024 is only that, 1.5 a number."""
    forms = {"number": _NUMBER, "year": _YEAR, "moment": _MOMENT}
    return frozenset(name for name, form in forms.items() if form.fullmatch(value))


def without_names(where: str, first: Sequence[str]) -> str:
    """What to say of a table whose first record, there, is no header."""
    return (
        f"{where} looks like values and not like names ('{shortened(', '.join(first))}'): "
        "the columns are called 'column 1', 'column 2' …; put a header line first"
    )
