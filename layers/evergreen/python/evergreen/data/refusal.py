"""Why a file or a row was not taken, told so that its owner can repair it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from typing import Any

MOST_REASONS = 50
"""What the owner of a file reads, and what one event carries."""

LONGEST_VALUE = 80
"""Characters of a value that a reason repeats."""


@dataclass(frozen=True)
class Reason:
    """One thing that is wrong: a stable code, a sentence, and where it was seen.

    `line` counts the lines of a text file from 1 (its header), or the rows of a Parquet file
    from 1.
    """

    code: str
    message: str
    column: str | None = None
    line: int | None = None
    value: str | None = None

    def __post_init__(self) -> None:
        """Make the message safe to show: names of columns in it are made up by strangers."""
        if not self.message.isprintable():
            object.__setattr__(self, "message", _escaped(self.message))

    def to_plain(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class RejectedRow:
    """A row that cannot be taken: its line in the source, its text, all its reasons.

    `cells` are its values as texts, column by column, of a row that has as many as there are
    columns.
    """

    line: int | None
    raw: str
    reasons: tuple[Reason, ...]
    cells: tuple[str | None, ...] = ()


class UploadRefusedError(ValueError):
    """A file was refused whole; `reasons` holds what is wrong with it, so many things at most."""

    def __init__(self, reasons: Sequence[Reason]) -> None:
        more = len(reasons) - MOST_REASONS
        rest = (Reason("more", f"and {more:,} more reasons like these"),) if more > 0 else ()
        self.reasons = (*reasons[:MOST_REASONS], *rest)
        super().__init__("; ".join(reason.message for reason in self.reasons))


def shortened(value: str) -> str:
    r"""A value as a reason repeats it: short enough, on one line, without controls.

    >>> print(shortened("a\r\n  b\x1b[2J"))
    a b\x1b[2J
    """
    return printable(" ".join(value.split()))


def printable(name: str, longest: int = LONGEST_VALUE) -> str:
    r"""A name that somebody made up, as a message may hold it: no controls, no endless length.

    >>> print(printable("a\x1b[31m/../\u202etxt.csv"))
    a\x1b[31m/../\u202etxt.csv
    """
    escaped = _escaped(name[: longest + 1])
    return escaped if len(escaped) <= longest else f"{escaped[: longest - 1]}…"


def _escaped(text: str) -> str:
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )


def did_you_mean(name: str, names: Sequence[str]) -> str:
    """A hint at the name that was probably meant, or which names there are."""
    known = {each.casefold(): each for each in names}
    close = get_close_matches(name.casefold(), known, n=1, cutoff=0.6)
    if close:
        return f"did you mean '{known[close[0]]}'?"
    listed = ", ".join(f"'{each}'" for each in names[:20])
    return f"there are {listed}{' …' if len(names) > 20 else ''}"  # noqa: PLR2004
