"""Cells of events as aggregates see them: keys are texts, numbers are floats."""

from __future__ import annotations

from typing import Any

LARGEST_NUMBER = 3.4028234663852886e38
"""The largest float32: what a graph can take."""

SMALLEST_NUMBER = 1e-44
"""Numbers nearer to zero are zero to a graph, and count as zero."""

LONGEST_KEY = 200
"""Characters of an entity or an event id."""


def key_text(value: Any) -> str | None:
    """An entity or event id as text, the same for 17, 17.0 and "17"; None if it is no key."""
    if isinstance(value, str):
        return value.strip(" ") or None
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return str(value)
    whole = isinstance(value, float) and value.is_integer() and abs(value) < 2**53
    return str(int(value)) if whole else None


def plain_value(value: Any) -> float | str | None:
    """A cell as aggregates see it: numbers and booleans are floats, blank text is missing.

    >>> plain_value(True), plain_value(-0.0), plain_value("  "), plain_value(" a")
    (1.0, 0.0, None, 'a')
    """
    if isinstance(value, str):
        return value.strip(" ") or None
    if isinstance(value, int | float):
        return float(value) if abs(value) >= SMALLEST_NUMBER else 0.0
    return None
