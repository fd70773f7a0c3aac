"""Values of uploaded columns in requests, typed as ingestion typed them for training."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any

from evergreen.features.online_values import key_text
from evergreen.serving.cells import number_of, read_moment, text_of, wrong
from evergreen.serving.request_error import RequestInvalidError

if TYPE_CHECKING:
    from evergreen.data.schema import ColumnType

LARGEST_WHOLE = 2**63

SPACES = " \t\n\v\f\r\u00a0"
"""What ingestion takes from around a text."""

_WHOLE = re.compile(r"-?\d{1,18}")


def read_raw(kind: ColumnType | None, value: Any, field: str) -> Any:
    """A value of a column of that type, or of the wider one that holds it; None if missing.

    As in a dataset, a number may stand in a column of whole numbers and a time in one of dates:
    the column is then one of numbers, or of times, for this row. Raises RequestInvalidError.
    """
    if kind is None:
        raise RequestInvalidError(field, "cannot be sent; send the columns that it is made of")
    if value is None:
        return None
    return _READERS[kind](value, field)


def trimmed(text: str) -> str | None:
    """A text as ingestion stores it: without spaces around it, missing if nothing is left."""
    return text.strip(SPACES) or None


def key_as(kind: ColumnType | None, value: Any) -> Any:
    """An entity in the way its column writes keys: 17, 17.0 and "17" are the same."""
    key = key_text(value)
    if kind == "text" and key is not None:
        return key
    if kind == "integer" and key is not None and _WHOLE.fullmatch(key):
        return int(key)
    return value


def is_wider(kind: ColumnType | None, value: Any) -> bool:
    """Whether a value that was read makes its column one of the wider type."""
    if kind == "integer":
        return isinstance(value, float)
    return kind == "date" and isinstance(value, datetime)


def _whole(value: Any, field: str) -> int | float | None:
    if isinstance(value, int) and abs(value) < LARGEST_WHOLE:
        return int(value)
    number = number_of(value, field)
    if number is not None and number.is_integer() and abs(number) < LARGEST_WHOLE:
        return int(number)
    return number


def _boolean(value: Any, field: str) -> bool:
    if not isinstance(value, bool | int | float) or value not in (0, 1):
        wrong(value, field, "true or false")
    return bool(value)


def _text(value: Any, field: str) -> str | None:
    said = str(value).lower() if isinstance(value, bool) else text_of(value, field)
    return None if said is None else trimmed(said)


def _date(value: Any, field: str) -> date | None:
    moment = read_moment(value, field)
    if isinstance(moment, datetime) and moment.time() == time():
        return moment.date()
    return moment


_READERS: Mapping[ColumnType, Callable[[Any, str], Any]] = {
    "number": number_of,
    "integer": _whole,
    "boolean": _boolean,
    "text": _text,
    "date": _date,
    "timestamp": read_moment,
}
