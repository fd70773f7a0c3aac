"""Rows that come back from the quarantine, repaired: each is recognised and taken once.

Every row in quarantine has an identity: the digest of the bytes that it was uploaded in, and its
line there. A file with a column of such identities is a repair. Its rows are taken if they are
still in quarantine and no other file has brought them back.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import duckdb

from evergreen.data.engine import connect, identifier, literal, parquet
from evergreen.data.refusal import Reason, RejectedRow, UploadRefusedError
from evergreen.data.spreadsheets import as_it_was, sql_as_it_was
from evergreen.data.staging import ROW, Staged

IDENTITY = "evergreen_row"
REASONS = "evergreen_reasons"
RAW = "evergreen_raw"
RESERVED = frozenset({IDENTITY, REASONS, RAW})
"""Columns of a repair that are about its rows, in any case of letters."""

MOST_ROWS = 10_000
"""Of one repair: the catalogue remembers each."""

_FORM = re.compile(r"([0-9a-f]{32})-([\w.]{1,24})")

Became = Literal["taken", "still_bad", "taken_before", "unknown"]


@dataclass(frozen=True)
class Quarantined:
    """The rows of one upload that are in quarantine, and those that other files brought back.

    Both by their place in the upload. `columns` are those of its good rows.
    """

    key: str
    places: frozenset[str]
    taken: frozenset[str]
    columns: tuple[str, ...] = ()


FindQuarantined = Callable[[str], Quarantined | None]
"""From the digest of an upload to its quarantine; None if the dataset no longer has the upload."""


@dataclass(frozen=True)
class Repair:
    """What a repair brings: the upload that it repairs, and what became of each of its rows.

    `skipped` counts the rows that add nothing: they were taken before, or stand there twice.
    """

    content: str
    key: str
    became: Mapping[str, Became] = field(default_factory=dict)
    skipped: int = 0

    @property
    def taken(self) -> tuple[str, ...]:
        """The places of the rows that were taken."""
        return self.places("taken")

    def places(self, became: Became) -> tuple[str, ...]:
        """The places of the rows of which that became."""
        return tuple(place for place, each in self.became.items() if each == became)

    def to_plain(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "repairs": self.key,
            "content": self.content,
            "skipped_rows": self.skipped,
            "rows": dict(self.became),
        }


def is_repair(columns: Sequence[str]) -> bool:
    """Whether a file with these columns repairs rows."""
    return any(name.casefold() == IDENTITY for name in columns)


def identity_of(content: str, place: str) -> str:
    """The identity of a row in quarantine."""
    return f"{content}-{place}"


def identity_in(text: str) -> str | None:
    """The identity that a line of text begins with."""
    found = _FORM.search(text[:80])
    return found.group(0) if found else None


def read_repair(
    connection: duckdb.DuckDBPyConnection,
    staged: Staged,
    name: str,
    find: FindQuarantined,
    scratch: Path,
) -> tuple[Staged, Repair]:
    """The rows of a repair that may be taken, and what is known of the others.

    Raises UploadRefusedError if its rows are not those of one upload of the dataset.
    """
    types = {as_it_was(name): kind for name, kind in staged.types.items()}
    staged = replace(staged, columns=_as_they_were(staged))
    column = next(each for each in staged.columns if each.casefold() == IDENTITY)
    rest = [each for each in staged.columns if each.casefold() not in RESERVED]
    empty = " AND ".join(f"({staged.columns[each]}) IS NULL" for each in rest) or "true"
    texts = ", ".join(f"CAST({each} AS VARCHAR)" for each in staged.columns.values())
    rows = connection.execute(
        f"SELECT {ROW}, CAST({staged.columns[column]} AS VARCHAR), ({empty}), [{texts}] "
        f"FROM {staged.source} ORDER BY {ROW}"
    ).fetchall()
    if len(rows) > MOST_ROWS:
        said = f"'{name}' repairs {len(rows):,} rows; at most {MOST_ROWS:,} at once; divide it"
        raise UploadRefusedError([Reason("too_many_rows", said)])
    formed = {n: _FORM.fullmatch(str(text).strip()) for n, text, *_ in rows}
    contents = {found.group(1) for found in formed.values() if found}
    content, source = _quarantine_of(name, contents, rest, find)
    became: dict[str, Became] = {}
    skipped = 0
    rejected, kept = [*staged.rejected], []
    for number, text, nothing, cells in rows:
        found = formed[number]
        place = found.group(2) if found else ""
        if found and place in source.taken:
            became[place] = "taken_before"
            skipped += 1
        elif found and place in became:
            skipped += 1  # the first of equal rows counts
        elif not found or place not in source.places:
            said = f"row '{text}' is not in the quarantine of {source.key}"
            rejected.append(_held_back("unknown_row", said, cells))
            became[place or str(text)] = "unknown"
        elif nothing:
            said = f"row '{text}' has no values: fill its columns in"
            rejected.append(_held_back("not_repaired", said, cells))
            became[place] = "still_bad"
        else:
            became[place] = "taken"
            kept.append(number)
    path = scratch / "repair.parquet"
    chosen = ", ".join(str(number) for number in kept) or "-1"
    connection.execute(
        f"COPY (SELECT * EXCLUDE ({ROW}) FROM {staged.source} WHERE {ROW} IN ({chosen}) "
        f"ORDER BY {ROW}) TO {literal(str(path))} (FORMAT parquet)"
    )
    narrowed = Staged(path, staged.columns, types, len(kept), tuple(rejected))
    return narrowed, Repair(content, source.key, became, skipped)


def _quarantine_of(
    name: str, contents: Collection[str], columns: Sequence[str], find: FindQuarantined
) -> tuple[str, Quarantined]:
    """The only quarantine that a repair's rows name, and its upload; raises UploadRefusedError."""
    if len(contents) != 1:
        said = (
            f"'{name}' has rows of {len(contents)} quarantines in its column {IDENTITY}; upload "
            "the repaired rows of one upload at a time, with that column as it was"
        )
        raise UploadRefusedError([Reason("not_one_quarantine", said, IDENTITY)])
    (content,) = contents
    source = find(content)
    if source is None:
        said = (
            f"'{name}' repairs rows of an upload that the dataset does not have or that was "
            "replaced since; repair the quarantine of the upload that took its place"
        )
        raise UploadRefusedError([Reason("unknown_quarantine", said, IDENTITY)])
    there = {each.casefold() for each in columns}
    lacking = [each for each in source.columns if each.casefold() not in there]
    if lacking:
        said = (
            f"'{name}' lacks the column '{lacking[0]}' of the rows that it repairs: their values "
            "would be lost; leave all columns in it"
        )
        raise UploadRefusedError([Reason("missing_column", said, lacking[0])])
    return content, source


def _as_they_were(staged: Staged) -> dict[str, str]:
    """Its columns, of which the quarantine wrote some so that spreadsheets would not run them."""
    return {
        as_it_was(name): sql_as_it_was(text) if staged.types[name] == "VARCHAR" else text
        for name, text in staged.columns.items()
    }


def _held_back(code: str, said: str, cells: Sequence[str | None]) -> RejectedRow:
    raw = ",".join("" if cell is None else cell for cell in cells)
    return RejectedRow(None, raw, (Reason(code, said, IDENTITY),), tuple(cells))


def still_bad(repair: Repair, identities: Sequence[str | None]) -> Repair:
    """The repair, when the rows with these identities went back to the quarantine."""
    back = {str(each).rsplit("-", 1)[-1] for each in identities if each}
    became = dict(repair.became)
    became.update({place: "still_bad" for place in back if became.get(place) != "unknown"})
    return replace(repair, became=became)


def places_in(quarantine: Path) -> frozenset[str]:
    """The places of the rows in a quarantine file."""
    with tempfile.TemporaryDirectory() as scratch, connect(Path(scratch)) as connection:
        found = connection.execute(
            f"SELECT {identifier(IDENTITY)} FROM {parquet([quarantine])} "
            f"WHERE {identifier(IDENTITY)} IS NOT NULL"
        ).fetchall()
    return frozenset(str(text).rsplit("-", 1)[-1] for (text,) in found)
