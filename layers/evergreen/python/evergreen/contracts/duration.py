"""A duration as people write it: `7 days`, `2 hours`, `1 day 12 hours`, `PT12H`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import Field, ValidationError, ValidatorFunctionWrapHandler, WrapValidator

UNITS = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), timedelta(seconds=1)),
    **dict.fromkeys(("m", "min", "minute", "minutes"), timedelta(minutes=1)),
    **dict.fromkeys(("h", "hour", "hours"), timedelta(hours=1)),
    **dict.fromkeys(("d", "day", "days"), timedelta(days=1)),
    **dict.fromkeys(("w", "week", "weeks"), timedelta(weeks=1)),
}
"""Months and years have no fixed length."""

_PART = r"(\d+(?:\.\d+)?)\s*([a-z]+)"
_WHOLE = re.compile(rf"\s*{_PART}(?:(?:\s*,|\s+and)?\s+{_PART})*\s*", re.IGNORECASE)
_EACH = re.compile(_PART, re.IGNORECASE)

EXPECTED = "a duration is written like '7 days', '12 hours' or '1 day 30 minutes'"


def _in_words(given: str) -> timedelta | None:
    """The duration that words say; None for what is not written in words of known units."""
    if not _WHOLE.fullmatch(given):
        return None
    parts = [(float(number), unit.lower()) for number, unit in _EACH.findall(given)]
    if any(unit not in UNITS for _, unit in parts):
        return None
    return sum((number * UNITS[unit] for number, unit in parts), timedelta())


def _read(given: Any, handler: ValidatorFunctionWrapHandler) -> timedelta:
    if isinstance(given, bool | int | float):
        raise ValueError(f"{given} has no unit; {EXPECTED}")  # noqa: TRY004 - pydantic's protocol
    try:
        words = _in_words(given) if isinstance(given, str) else None
        read: timedelta = handler(given if words is None else words)
    except OverflowError:
        raise ValueError(f"'{given}' is longer than any time; {EXPECTED}") from None
    except ValidationError as error:
        if not error.errors()[0]["type"].startswith("time_delta"):
            raise
        raise ValueError(f"'{given}' is no duration; {EXPECTED}") from None
    return read


Duration = Annotated[timedelta, Field(gt=timedelta(0)), WrapValidator(_read)]
"""Words, `12:00:00`, or ISO 8601 (`PT12H`); never a bare number, which says no unit."""
