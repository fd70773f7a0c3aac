"""One uploaded file, checked and written as typed rows: good rows here, bad rows beside them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from evergreen.data.anomalies import Anomaly, compare, duplicate_keys, ragged
from evergreen.data.engine import connect, literal
from evergreen.data.expectation import write_as_expected
from evergreen.data.limits import DEFAULT_LIMITS, Limits
from evergreen.data.observations import Observed, observe
from evergreen.data.parts import WRITTEN
from evergreen.data.quarantine import write_quarantine
from evergreen.data.refusal import Reason, UploadRefusedError
from evergreen.data.schema import ColumnSchema, Schema
from evergreen.data.sniffing import recognise
from evergreen.data.staging import Staged
from evergreen.data.understanding import Understood, understand

MOST_BAD_ROWS = 0.2
"""A file with a larger share of bad rows is refused whole."""

EXAMPLES = 5
"""Bad rows that the refusal of a whole file shows."""

__all__ = ["IngestedPart", "Reason", "UploadRefusedError", "ingest"]


@dataclass(frozen=True)
class IngestedPart:
    """What a file became: its columns, how many rows were taken and refused, what to know.

    `rows` + `quarantined_rows` are the rows of the file. `notes` say how it was read, `anomalies`
    how it differs from the dataset so far.
    """

    schema: Schema
    rows: int
    quarantined_rows: int
    observed: Observed
    notes: tuple[str, ...] = ()
    anomalies: tuple[Anomaly, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """Everything to know, in sentences."""
        return (*self.notes, *(anomaly.message for anomaly in self.anomalies))


def ingest(
    source: Path,
    name: str,
    destination: Path,
    *,
    known: Schema | None = None,
    before: Observed | None = None,
    required: Sequence[str] = (),
    key: Sequence[str] = (),
    destination_quarantine: Path | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> IngestedPart:
    """Write the good rows of `source` to `destination` and the bad ones to the quarantine.

    `name` is what messages call the file. `known` is the schema of the dataset so far, `before`
    what was seen of it; `required` are columns that must be there, `key` those whose values name
    a row. The quarantine is written only if rows were refused.

    Raises UploadRefusedError, before anything is written, if the file is no table, lacks a
    required column, has columns whose types changed, or has too many bad rows.
    """
    quarantine = destination_quarantine or destination.with_suffix(".quarantine.parquet")
    with tempfile.TemporaryDirectory(dir=destination.parent) as directory:
        scratch = Path(directory)
        with connect(scratch) as connection:
            file = recognise(connection, source, name, scratch, limits)
            made = write_as_expected(connection, file, name, scratch, destination, known, required)
            if made is not None:
                with _removed_if_refused(destination):
                    _refuse_mostly_bad(connection, made, name)
            else:
                made = understand(connection, file, name, scratch, known=known, required=required)
                _refuse_mostly_bad(connection, made, name)
                connection.execute(
                    f"COPY ({made.good_rows}) TO {literal(str(destination))} ({WRITTEN})"
                )
            rows = made.staged.rows - made.misfitting
            typed = [(column.name, column.type) for column in made.columns]
            seen = observe(connection, destination, typed, rows)
            found = (
                *ragged(_ragged_rows(made.staged), len(made.columns)),
                *duplicate_keys(connection, destination, key, seen),
                *(compare(connection, destination, seen, before) if before else ()),
            )
            # A declared key may be one that was observed as well.
            anomalies = tuple({(each.code, each.column): each for each in found}.values())
            if made.quarantined_rows:
                write_quarantine(connection, made.bad_rows(connection), quarantine, scratch)
    return IngestedPart(
        _schema(made, seen), rows, made.quarantined_rows, seen, made.warnings, anomalies
    )


@contextmanager
def _removed_if_refused(written: Path) -> Iterator[None]:
    try:
        yield
    except UploadRefusedError:
        written.unlink()
        raise


def _refuse_mostly_bad(connection: duckdb.DuckDBPyConnection, made: Understood, name: str) -> None:
    total = made.staged.rows + len(made.staged.rejected)
    if made.quarantined_rows <= MOST_BAD_ROWS * total:
        return
    said = (
        f"'{name}' has {made.quarantined_rows:,} bad rows of {total:,}, "
        f"more than {MOST_BAD_ROWS:.0%}; none was taken"
    )
    examples = made.bad_rows(connection, EXAMPLES)[:EXAMPLES]
    shown = [reason for row in examples for reason in row.reasons]
    raise UploadRefusedError([Reason("too_many_bad_rows", said), *shown])


def _ragged_rows(staged: Staged) -> int:
    ragged_codes = {"too_few_values", "too_many_values"}
    return sum(any(why.code in ragged_codes for why in row.reasons) for row in staged.rejected)


def _schema(made: Understood, seen: Observed) -> Schema:
    """The columns as they were written."""
    return Schema(
        tuple(
            ColumnSchema(
                column.name,
                column.type,
                nullable=written.nulls > 0,
                format=column.format,
                empty=written.count == 0,
            )
            for column, written in zip(made.columns, seen.columns, strict=True)
        )
    )
