"""Single values of requests: numbers, categories, texts and moments, or why they are none."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime
from typing import Any, NoReturn

from evergreen.features.online_values import LARGEST_NUMBER
from evergreen.features.text import LONGEST_TEXT
from evergreen.serving.request_error import RequestInvalidError

MAXIMUM_TEXT = 2 * LONGEST_TEXT
"""Characters of all texts of a row together: written as JSON they fit one capture message."""


def wrong(value: Any, field: str, wanted: str) -> NoReturn:
    """Refuse a value of a kind that cannot stand here."""
    raise RequestInvalidError(field, f"{wanted} is needed, not {_said(value)}")


def _said(value: Any) -> str:
    names = {str: "text", bool: "true or false", list: "a list", dict: "an object"}
    return names.get(type(value), "a number")


def number_of(value: Any, field: str) -> float | None:
    """A number that a graph can take; booleans are 0 and 1."""
    if value is None:
        return None
    if isinstance(value, bool):
        return float(value)
    if not isinstance(value, int | float):
        wrong(value, field, "a number")
    if isinstance(value, float) and not math.isfinite(value):
        raise RequestInvalidError(
            field, "NaN and Infinity are no numbers; leave it out or say null"
        )
    if abs(value) > LARGEST_NUMBER:
        raise RequestInvalidError(field, f"the number is beyond ±{LARGEST_NUMBER:.4g}")
    return float(value)


def category_of(value: Any, field: str) -> str | None:
    """A short text; booleans are `true` and `false`."""
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str):
        wrong(value, field, "text")
    if len(value) > MAXIMUM_TEXT:
        raise RequestInvalidError(field, f"the text is longer than {MAXIMUM_TEXT:,} characters")
    check_characters(value, field)
    return value


def text_of(value: Any, field: str) -> str | None:
    """A text; a list as the JSON text that ingestion makes of it."""
    if value is None:
        return None
    if isinstance(value, list) and not any(isinstance(each, list | dict) for each in value):
        value = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, str):
        wrong(value, field, "text")
    check_characters(value, field)
    return value


def check_characters(text: str, field: str) -> None:
    """Refuse half a character: it has no UTF-8, and neither graph nor Parquet can hold it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise RequestInvalidError(field, "the text holds half a character (a surrogate)") from None


def read_moment(value: Any, field: str) -> date | None:
    """A date or time from ISO 8601 text, as UTC if it has an offset.

    Raises
    ------
    RequestInvalidError
        If it is none.
    """
    if value is None:
        return None
    if not isinstance(value, str):
        wrong(value, field, "a date or time as ISO 8601 text")
    try:
        moment = datetime.fromisoformat(value.strip())
        return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    except (ValueError, OverflowError):
        raise RequestInvalidError(
            field, "a date or time as ISO 8601 text is needed, like 2026-11-23T14:00:00"
        ) from None
