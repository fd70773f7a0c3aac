"""One uploaded file, checked and written as typed rows: good rows here, bad rows beside them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb

from evergreen.data.anomalies import Anomaly
from evergreen.data.checks import NOTHING_EXPECTED, Checked, Expected, check, ragged
from evergreen.data.declared import markers_of, with_declared
from evergreen.data.engine import (
    WRITTEN,
    connect,
    literal,
    lock,
    one_value,
    parquet,
    within_memory,
    within_time,
)
from evergreen.data.expectation import write_as_expected
from evergreen.data.limits import DEFAULT_LIMITS, Limits
from evergreen.data.observations import Observed, observe
from evergreen.data.part_keys import keys_of
from evergreen.data.quarantine import (
    SourceObject,
    identities,
    write_quarantine,
    write_repairable,
)
from evergreen.data.refusal import Reason, RejectedRow, UploadRefusedError
from evergreen.data.repairs import FindQuarantined, Repair, still_bad
from evergreen.data.rules import Key, Rule
from evergreen.data.schema import ColumnSchema, Schema
from evergreen.data.sieve import Sieve
from evergreen.data.sniffing import DelimitedFile, ParquetFile, recognise
from evergreen.data.staging import MOST_REJECTED, MOST_REJECTED_CELLS, Staged
from evergreen.data.understanding import Understood, understand
from evergreen.data.waivers import Waivers
from evergreen.registry.identity import digest_of_file

EXAMPLES = 5
"""Bad rows that the refusal of a whole file shows."""

__all__ = ["IngestedPart", "Reason", "UploadRefusedError", "ingest"]


@dataclass(frozen=True)
class IngestedPart:
    """What a file became: its columns, how many rows were taken and refused, what to know.

    `rows` + `quarantined_rows` are the rows of the file; of a repair, together with those that add
    nothing. `notes` say how it was read, `anomalies`
    how it differs from the dataset so far. `reading` (JSON values) is what was made of the file's
    bytes: its columns and the lines of its bad rows; with equal bytes, equal readings are equal
    rows.
    """

    schema: Schema
    rows: int
    quarantined_rows: int
    observed: Observed
    notes: tuple[str, ...] = ()
    anomalies: tuple[Anomaly, ...] = ()
    reading: tuple[Any, ...] = ()
    repair: Repair | None = None

    @property
    def warnings(self) -> tuple[str, ...]:
        """Everything to know, in sentences."""
        return (*self.notes, *(anomaly.sentence for anomaly in self.anomalies))


def ingest(
    source: Path,
    name: str,
    destination: Path,
    *,
    known: Schema | None = None,
    before: Observed | None = None,
    required: Sequence[str] = (),
    expected: Expected = NOTHING_EXPECTED,
    destination_quarantine: Path | None = None,
    limits: Limits = DEFAULT_LIMITS,
    origin: SourceObject | None = None,
    others: Sequence[Path] = (),
    find: FindQuarantined = lambda _: None,
) -> IngestedPart:
    """Write the good rows of `source` to `destination` and the bad ones to the quarantine.

    `name` is what messages call the file. `known` is the schema of the dataset so far, `before`
    what was seen of it; `required` are columns that must be there, `expected` is what is declared
    of the dataset. `others` are its other parts, whose keys are taken; `find` tells the quarantine
    that a repair belongs to. The quarantine is written only if rows were refused, and beside it,
    as CSV, what can be repaired.

    Raises UploadRefusedError, and leaves nothing written, if the file is no table, lacks a
    required column, has columns whose types changed, breaks a rule that refuses files, or has
    too many bad rows.
    """
    quarantine = destination_quarantine or destination.with_suffix(".quarantine.parquet")
    with tempfile.TemporaryDirectory(dir=destination.parent) as directory:
        scratch = Path(directory)
        with connect(scratch) as connection:
            work = _Ingestion(
                connection,
                source,
                name,
                scratch,
                destination,
                quarantine,
                before,
                expected,
                limits,
                origin,
                tuple(others),
                find,
            )
            written = (destination, quarantine, quarantine.with_suffix(".csv"))
            with (
                _removed_if_refused(*written),
                within_memory(name),
                within_time(name, limits, connection),
            ):
                return work.run(with_declared(known, expected.declaration), required)


@dataclass(frozen=True)
class _Ingestion:
    """One run: where it works, and what the file is held against."""

    connection: duckdb.DuckDBPyConnection
    source: Path
    name: str
    scratch: Path
    destination: Path
    quarantine: Path
    before: Observed | None
    expected: Expected
    limits: Limits
    origin: SourceObject | None
    others: tuple[Path, ...]
    find: FindQuarantined

    def run(self, known: Schema | None, required: Sequence[str]) -> IngestedPart:
        """From the file to good and bad rows."""
        file = recognise(self.connection, self.source, self.name, self.scratch, self.limits)
        at_once = write_as_expected(
            self.connection, file, self.name, self.scratch, self.destination, known, required
        )
        if at_once:
            made, seen = at_once
        else:
            made = self._understood(file, known, required)
            self._write(made.good_rows)
            seen = self._seen(made, made.staged.rows - made.misfitting)
        self._lock(file)
        checked = self._checked(made, seen)
        if at_once and (checked.holding or checked.refusing):
            # Which rows they are is told by the careful reading.
            made = self._understood(file, known, required)
        self._refuse(made, checked)
        held = checked.holding or made.misfitting
        # A row with a value that cannot be read is told what else it breaks.
        others = self._others(made)
        sieve = made.sieve(checked.rules, checked.keys, others) if held else made.sieve()
        sieve.find_repeated(self.connection)
        rows = seen.rows
        if checked.holding:
            self._write(sieve.good_rows)
            rows = one_value(self.connection, f"SELECT count(*) FROM {parquet([self.destination])}")
            seen = self._seen(made, rows)
        bad = made.staged.rows + len(made.staged.rejected) - rows
        repair = made.repair
        if repair is None:
            self._refuse_mostly_bad(made, sieve, bad)
        self._refuse_many_cells(made, sieve, bad - len(made.staged.rejected))
        refused = made.bad_rows(self.connection, sieve) if bad else ()
        if refused:
            called = self._hold_back(made, refused)
            repair = still_bad(repair, called) if repair else None
        declaration = self.expected.declaration
        ended = Waivers.at(declaration, self.expected.now).ended()
        return IngestedPart(
            _schema(made, seen),
            rows,
            bad,
            seen,
            (*made.warnings, *ended),
            checked.anomalies,
            _reading(made, [row.line for row in refused], repair),
            repair,
        )

    def _hold_back(self, made: Understood, refused: Sequence[RejectedRow]) -> list[str | None]:
        """Write the quarantine and what can be repaired of it; what its rows are called."""
        rows = sorted(refused, key=lambda row: row.line or 0)
        names = tuple(made.staged.columns)
        origin = self.origin or SourceObject(self.name, None, digest_of_file(self.source))
        called = identities(rows, names, origin.content)
        write_quarantine(self.connection, rows, called, origin, self.quarantine, self.scratch)
        markers = {name: markers_of(made.known, name) for name in names}
        write_repairable(rows, called, markers, self.quarantine.with_suffix(".csv"))
        return called

    def _others(self, made: Understood) -> str | None:
        """SQL for the keys that rows of the other parts have, if any are declared."""
        types = {column.name: column.type for column in made.columns}
        keyed = self.expected.declaration.keyed
        return keys_of(self.connection, self.others, keyed, types)

    def _lock(self, file: DelimitedFile | ParquetFile) -> None:
        """Before SQL of the project file is run: only what this needs can be read or written."""
        if any(each.row for each in self.expected.declaration.constraints):
            written = [self.destination, self.quarantine]
            # DuckDB writes beside a file that exists, and puts the new one in its place.
            beside = [path.with_name(f"tmp_{path.name}") for path in written]
            lock(self.connection, [file.path, *self.others, *written, *beside], self.scratch)

    def _understood(
        self, file: DelimitedFile | ParquetFile, known: Schema | None, required: Sequence[str]
    ) -> Understood:
        return understand(
            self.connection,
            file,
            self.name,
            self.scratch,
            known=known,
            required=required,
            find=self.find,
        )

    def _write(self, rows: str) -> None:
        self.connection.execute(f"COPY ({rows}) TO {literal(str(self.destination))} ({WRITTEN})")

    def _seen(self, made: Understood, rows: int) -> Observed:
        typed = [(column.name, column.type) for column in made.columns]
        return observe(self.connection, self.destination, typed, rows)

    def _checked(self, made: Understood, seen: Observed) -> Checked:
        """What is wrong with the file as a whole and, of its good rows, with how many."""
        whole = made.repair is None
        checked = check(
            self.connection,
            self.destination,
            seen,
            self.before,
            self.expected,
            self._others(made),
            whole=whole,
        )
        uneven = ragged(_ragged_rows(made.staged), len(made.columns), self.expected)
        return replace(checked, anomalies=(*uneven, *checked.anomalies))

    def _refuse(self, made: Understood, checked: Checked) -> None:
        """Refuse the file if it breaks a rule that does so, with the first rows that do."""
        if not checked.refusals:
            return
        reasons = [Reason(each.code, each.message, each.column) for each in checked.refusals]
        rules = [each for each in checked.refusing if isinstance(each, Rule)]
        keys = [each for each in checked.refusing if isinstance(each, Key)]
        sieve = made.sieve(rules, keys, self._others(made))
        sieve.find_repeated(self.connection)
        for row in made.bad_rows(self.connection, sieve, EXAMPLES):
            reasons += row.reasons
        raise UploadRefusedError(reasons)

    def _refuse_mostly_bad(self, made: Understood, sieve: Sieve, bad: int) -> None:
        total = made.staged.rows + len(made.staged.rejected)
        most = self.expected.declaration.most_bad_rows
        # Divided, since 0.29 * 100 is less than 29.
        many = bad > 0 and bad / total > most
        if not many and bad <= MOST_REJECTED:
            return
        limit = f"{most * 100:g}%" if many else f"the {MOST_REJECTED:,} that can be kept"
        said = f"'{self.name}' has {bad:,} bad rows of {total:,}, more than {limit}; none was taken"
        raise UploadRefusedError([Reason("too_many_bad_rows", said), *self._examples(made, sieve)])

    def _refuse_many_cells(self, made: Understood, sieve: Sieve, bad: int) -> None:
        """Refuse the file if its bad rows that have a value for each column hold too many."""
        columns = len(made.staged.columns)
        if bad * columns <= MOST_REJECTED_CELLS:
            return
        said = (
            f"'{self.name}' has {bad:,} bad rows of {columns:,} values, together more than the "
            f"{MOST_REJECTED_CELLS:,} that can be kept; none was taken: correct what is wrong with "
            "most of them, or divide the file"
        )
        raise UploadRefusedError([Reason("too_many_bad_rows", said), *self._examples(made, sieve)])

    def _examples(self, made: Understood, sieve: Sieve) -> list[Reason]:
        examples = made.bad_rows(self.connection, sieve, EXAMPLES)
        return [reason for row in examples for reason in row.reasons]


@contextmanager
def _removed_if_refused(*written: Path) -> Iterator[None]:
    try:
        yield
    except UploadRefusedError:
        for path in written:
            path.unlink(missing_ok=True)
        raise


def _ragged_rows(staged: Staged) -> int:
    ragged_codes = {"too_few_values", "too_many_values"}
    return sum(any(why.code in ragged_codes for why in row.reasons) for row in staged.rejected)


def _reading(
    made: Understood, refused: Sequence[int | None], repair: Repair | None
) -> tuple[Any, ...]:
    columns = [
        [column.name, column.type, column.format, list(markers_of(made.known, column.name))]
        for column in made.columns
    ]
    return columns, list(refused), sorted(repair.taken) if repair else None


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
