"""What the columns of a file are called, as far as that can be used."""

from __future__ import annotations

from collections.abc import Sequence

from evergreen.data.limits import Limits
from evergreen.data.refusal import Reason, UploadRefusedError, printable, shortened
from evergreen.data.text_encoding import is_utf8

LONGEST_NAME = 200
LONGEST_NAMES = 200_000
"""Characters; the schema of a dataset is kept with each of its parts."""


def column_names(
    written: Sequence[str], name: str, line: int | None, limits: Limits
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Trimmed names, and what to say of them; a nameless column is called by its place.

    `line` is where they stand in the file called `name`. Raises UploadRefusedError if there are
    too many of them, if one is too long, no UTF-8, or has a control character, or if two are the
    same.
    """
    if len(written) > limits.columns:
        raise limits.refuse("columns", f"'{name}' has {len(written):,} columns", line)
    names, warnings, reasons = [], [], []
    places: dict[str, int] = {}
    for place, each in enumerate(written, start=1):
        column = each.strip()
        if not column:
            column = f"column {place}"
            warnings.append(f"column {place} has no name and is called '{column}'")
        reasons += _unusable(column, place, line)
        first = places.setdefault(column.casefold(), place)
        if first != place:
            message = (
                f"column '{printable(column)}' occurs twice, at {first} and {place} "
                "(upper and lower case are the same); give each column its own name"
            )
            reasons.append(Reason("duplicate_column", message, printable(column), line))
        names.append(column)
    if sum(map(len, names)) > LONGEST_NAMES:
        what = f"the names of the columns have more than {LONGEST_NAMES:,} characters together"
        reasons.append(Reason("bad_column_name", what, line=line))
    if reasons:
        raise UploadRefusedError(reasons)
    return tuple(names), tuple(warnings)


def _unusable(column: str, place: int, line: int | None) -> list[Reason]:
    if len(column) > LONGEST_NAME:
        message = f"the name of column {place} is longer than {LONGEST_NAME} characters"
        return [Reason("bad_column_name", message, shortened(column), line)]
    if not is_utf8(column):
        message = f"the name of column {place} is not UTF-8 text: '{printable(column)}'"
        return [Reason("undecodable", message, printable(column), line)]
    if any(ord(each) < ord(" ") and each not in "\t\r\n" for each in column):
        message = f"the name of column {place} has control characters: '{printable(column)}'"
        return [Reason("bad_column_name", message, printable(column), line)]
    return []
