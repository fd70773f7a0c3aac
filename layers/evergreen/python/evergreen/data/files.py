"""The kinds of file that staging reads; every format becomes one of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from evergreen.data.limits import DEFAULT_LIMITS, Limits
from evergreen.data.refusal import RejectedRow
from evergreen.data.text_encoding import UNKNOWN_FORM, TextForm

LINE = "line of the source"
"""In a Parquet file made of records: the column that says where a record stood."""


@dataclass(frozen=True)
class ParquetFile:
    """A Parquet file, to be read as it is.

    One that was made of records of another format has more to say: `place` is what its rows are
    called in the source (line, row, record) and stand at the numbers of the column LINE; `loose`
    are columns of several types, to be read like delimited text; `rejected` are the records that
    fit no table.
    """

    path: Path
    place: str = "row"
    numbered: bool = False
    loose: frozenset[str] = frozenset()
    rejected: tuple[RejectedRow, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class DelimitedFile:
    """Delimited text in UTF-8: where it is, how it is divided, and its column names in order.

    `skipped_lines` stand before the header, or before the first row where there is none. A quote
    inside of quotes is written after an `escape`, itself or a backslash. `rejected` are lines that
    could not be divided; in the file they are blank.
    `in_pieces`: no record is so long that reading pieces of the file at once could lose it.
    `record_starts`: some places where records begin, all over the file; None where every line does.
    `form`: how the text was written that it was made of.
    `header`: the names as they are written, empty where a column has none; () without a header.
    `has_header`: the engine has one to pass over, which is not so where it is among the skipped.
    """

    path: Path
    delimiter: str
    names: tuple[str, ...]
    skipped_lines: int
    warnings: tuple[str, ...] = ()
    quote: str = '"'
    has_header: bool = True
    in_pieces: bool = True
    record_starts: tuple[int, ...] | None = None
    form: TextForm = UNKNOWN_FORM
    escape: str = '"'
    rejected: tuple[RejectedRow, ...] = ()
    limits: Limits = DEFAULT_LIMITS
    header: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """What its records are called."""
        return "line"

    @property
    def may_repeat_header(self) -> bool:
        """Whether a row like the header is one: it has words, and several."""
        words = any(letter.isalpha() for name in self.header for letter in name)
        return len(self.header) > 1 and words
