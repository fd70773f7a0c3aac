"""Texts that a spreadsheet would run, written so that they stay texts when a person opens them.

What begins like a formula is one to a spreadsheet, also in a CSV file, and formulas can start
programs and send cells elsewhere. An apostrophe before it makes it a text; numbers need none.
See https://owasp.org/www-community/attacks/CSV_Injection.
"""

from __future__ import annotations

import re

from evergreen.data.engine import literal

_RUNS = re.compile(r"'*[=+\-@\t\r]")
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")
_GUARDED = re.compile(r"'+[=+\-@\t\r]")


def inert(text: str) -> str:
    """A text as a spreadsheet can hold it without running it.

    >>> inert("=1+1"), inert("-1.5"), inert("-x"), inert("'=a"), inert("a=b")
    ("'=1+1", '-1.5', "'-x", "''=a", 'a=b')
    """
    return f"'{text}" if _RUNS.match(text) and not _NUMBER.fullmatch(text) else text


def as_it_was(text: str) -> str:
    """What `inert` was given.

    >>> as_it_was("'=1+1"), as_it_was("-1.5"), as_it_was("''=a"), as_it_was("'a'")
    ('=1+1', '-1.5', "'=a", "'a'")
    """
    return text[1:] if _GUARDED.match(text) else text


def sql_as_it_was(text: str) -> str:
    """SQL for `as_it_was`."""
    guarded = f"regexp_matches({text}, {literal('^' + _GUARDED.pattern)})"
    return f"CASE WHEN {guarded} THEN substr({text}, 2) ELSE {text} END"
