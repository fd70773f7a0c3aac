"""What a benchmark measured, as a line of a table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One measurement in words, beside the target that it is held against."""

    what: str
    measured: str
    target: str = ""
