"""Point-in-time joins, aggregates and windows give what a plain loop over all rows gives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evergreen.contracts.project_file import ProjectFile
from evergreen.data.engine import connect, identifier
from evergreen.features.refusal import PreparationRefusedError
from evergreen.features.step_kinds import windows
from evergreen.features.steps import Prepared, run_steps
from evergreen.features.workbench import ROW, JoinReport, Table, Workbench
from tests.unit.features.workshop import Workshop, hundred

START = datetime(2024, 1, 1)  # noqa: DTZ001 - as the engine gives times
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Asking:
    key: int | None
    at: datetime | None


@dataclass(frozen=True)
class Happened:
    key: int | None
    at: datetime | None
    known: datetime | None
    value: int | None
    place: int = 0


MOMENTS = st.none() | st.integers(0, 12).map(lambda hours: START + timedelta(hours=12 * hours))
KEYS = st.none() | st.integers(0, 2)
ASKING = st.lists(st.builds(Asking, KEYS, MOMENTS), min_size=1, max_size=12)
HAPPENED = st.lists(
    st.builds(Happened, KEYS, MOMENTS, MOMENTS, st.none() | st.integers(0, 4)), max_size=15
).map(lambda rows: [Happened(r.key, r.at, r.known, r.value, i) for i, r in enumerate(rows)])
WITHIN = st.none() | st.integers(1, 4).map(lambda days: days * DAY)


@contextmanager
def prepared(
    rows: Sequence[Asking], reference: Sequence[Happened], step: dict[str, Any]
) -> Iterator[tuple[list[tuple[Any, ...]], Prepared]]:
    """The rows after one step, in their order."""
    project = ProjectFile.model_validate(
        {"project": "p", "dataset": "d", "target": "y", "preparation": {"steps": [step]}}
    )
    with TemporaryDirectory() as directory, connect(Path(directory)) as connection:
        connection.execute(f'CREATE TABLE asked (k BIGINT, t TIMESTAMP, "{ROW}" BIGINT)')
        connection.execute(
            f"CREATE TABLE happened (k BIGINT, e TIMESTAMP, known TIMESTAMP, v BIGINT, "
            f'"{ROW}" BIGINT)'
        )
        _insert(connection, "asked", [(row.key, row.at, i) for i, row in enumerate(rows)])
        cells = [(row.key, row.at, row.known, row.value, row.place) for row in reference]
        _insert(connection, "happened", cells)
        references = {"facts": Table.of(connection, "happened")}
        done = run_steps(Workbench(connection, project, references), Table.of(connection, "asked"))
        found = connection.execute(
            f"SELECT * EXCLUDE ({identifier(ROW)}, k, t) FROM {identifier(done.table.name)} "
            f"ORDER BY {identifier(ROW)}"
        ).fetchall()
        yield found, done


def _insert(connection: duckdb.DuckDBPyConnection, table: str, rows: list[Any]) -> None:
    if rows:
        marks = ", ".join("?" * len(rows[0]))
        connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)


def visible(
    row: Asking, reference: Sequence[Happened], *, known: bool, within: timedelta | None, own: bool
) -> list[Happened]:
    """What had happened, and was known, at the row's own time; `own`: that moment included."""
    if row.key is None or row.at is None:
        return []
    return sorted(
        (
            each
            for each in reference
            if each.key == row.key
            and each.at is not None
            and (each.at <= row.at if own else each.at < row.at)
            and (not known or (each.known is not None and each.known <= row.at))
            and (within is None or each.at >= row.at - within)
        ),
        key=lambda each: (each.at, each.known if known else each.at, each.place),
    )


def statistics(seen: Sequence[Happened], asked: bool) -> tuple[Any, ...]:  # noqa: FBT001
    """count, count of values, sum, mean, min, max, first, last, distinct."""
    if not asked:
        return (None,) * 9
    by_event = sorted(seen, key=lambda each: (each.at, each.place))
    values = [each.value for each in by_event if each.value is not None]
    if not values:
        return (len(seen), 0, None, None, None, None, None, None, 0)
    return (
        len(seen),
        len(values),
        sum(values),
        pytest.approx(sum(values) / len(values)),
        min(values),
        max(values),
        values[0],
        values[-1],
        len(set(values)),
    )


COLUMNS = {
    "rows": "count",
    "values": {"count": "v"},
    **{
        f"{name}_v": {name: "v"}
        for name in ("sum", "mean", "min", "max", "first", "last", "distinct")
    },
}


@settings(max_examples=80, deadline=None)
@given(rows=ASKING, reference=HAPPENED, known=st.booleans(), within=WITHIN)
def test_a_join_as_of_gives_the_newest_that_had_happened_and_was_known(
    rows: list[Asking],
    reference: list[Happened],
    known: bool,  # noqa: FBT001
    within: timedelta | None,
) -> None:
    as_of = {"time": "t", "event": "e", "known": "known" if known else None, "within": within}
    step = {"join": {"dataset": "facts", "on": ["k"], "columns": ["v"], "as_of": as_of}}
    partners = [visible(row, reference, known=known, within=within, own=True) for row in rows]
    with prepared(rows, reference, step) as (found, done):
        assert found == [(seen[-1].value if seen else None,) for seen in partners]
        report = done.joins[0]
    whole = [visible(row, reference, known=known, within=None, own=True) for row in rows]
    without = [row for row in rows if row.key is None or row.at is None]
    usable = [each for each in reference if each.at and (each.known or not known)]
    distinct = {(each.key, each.at, each.known if known else None) for each in usable}
    assert report == JoinReport(
        "facts",
        matched=sum(map(bool, partners)),
        unmatched=sum(not seen for seen in partners),
        duplicate_keys=len(usable) - len(distinct),
        step=1,
        without_key=len(without),
        not_yet=sum(
            row not in without and not seen and row.key in {each.key for each in reference}
            for row, seen in zip(rows, whole, strict=True)
        ),
        too_old=sum(bool(w) and not seen for w, seen in zip(whole, partners, strict=True)),
        unusable=len(reference) - len(usable),
    )


@settings(max_examples=60, deadline=None)
@given(rows=ASKING, reference=HAPPENED, known=st.booleans(), within=WITHIN)
def test_an_aggregate_as_of_counts_what_had_happened_and_was_known(
    rows: list[Asking],
    reference: list[Happened],
    known: bool,  # noqa: FBT001
    within: timedelta | None,
) -> None:
    as_of = {"time": "t", "event": "e", "known": "known" if known else None, "within": within}
    step = {"aggregate": {"dataset": "facts", "by": ["k"], "columns": COLUMNS, "as_of": as_of}}
    with prepared(rows, reference, step) as (found, done):
        expected = [
            statistics(
                visible(row, reference, known=known, within=within, own=True),
                row.key is not None and row.at is not None,
            )
            for row in rows
        ]
        assert found == expected
        assert done.joins[0].matched == sum(bool(each[0]) for each in expected)


@settings(max_examples=100, deadline=None)
@given(
    rows=ASKING,
    reference=HAPPENED,
    known=st.booleans(),
    within=WITHIN,
    last=st.none() | st.integers(1, 3),
)
def test_a_window_looks_strictly_back(
    rows: list[Asking],
    reference: list[Happened],
    known: bool,  # noqa: FBT001
    within: timedelta | None,
    last: int | None,
) -> None:
    step = {
        "window": {
            "dataset": "facts",
            "by": ["k"],
            "time": "t",
            "event": "e",
            "known": "known" if known else None,
            "within": within,
            "rows": last,
            "columns": COLUMNS,
        }
    }
    with prepared(rows, reference, step) as (found, _):
        expected = []
        for row in rows:
            seen = visible(row, reference, known=known, within=within, own=False)
            seen.sort(key=lambda each: (each.at, each.place))
            asked = row.key is not None and row.at is not None
            expected.append(statistics(seen[-last:] if last else seen, asked))
        assert found == expected


@settings(max_examples=60, deadline=None)
@given(rows=HAPPENED.filter(bool), within=WITHIN, last=st.none() | st.integers(1, 3))
def test_a_window_over_the_rows_never_sees_the_row_itself(
    rows: list[Happened], within: timedelta | None, last: int | None
) -> None:
    window = {"by": ["k"], "time": "e", "within": within, "rows": last, "columns": COLUMNS}
    project = ProjectFile.model_validate(
        {
            "project": "p",
            "dataset": "d",
            "target": "y",
            "preparation": {"steps": [{"window": window}]},
        }
    )
    with TemporaryDirectory() as directory, connect(Path(directory)) as connection:
        connection.execute(f'CREATE TABLE own (k BIGINT, e TIMESTAMP, v BIGINT, "{ROW}" BIGINT)')
        _insert(connection, "own", [(row.key, row.at, row.value, row.place) for row in rows])
        done = run_steps(Workbench(connection, project, {}), Table.of(connection, "own"))
        found = connection.execute(
            f"SELECT * EXCLUDE ({identifier(ROW)}, k, e, v) FROM {identifier(done.table.name)} "
            f"ORDER BY {identifier(ROW)}"
        ).fetchall()
    expected = []
    for row in rows:
        asking = Asking(row.key, row.at)
        seen = visible(asking, rows, known=False, within=within, own=False)
        asked = row.key is not None and row.at is not None
        expected.append(statistics(seen[-last:] if last else seen, asked))
    assert found == expected


def test_without_keys_everything_is_of_one_entity() -> None:
    rows = [Asking(0, START + day * DAY) for day in range(3)]
    reference = [Happened(9, START, START + DAY, 1, 0), Happened(8, START + DAY, None, 2, 1)]
    as_of = {"time": "t", "event": "e", "known": "known"}
    step = {"join": {"dataset": "facts", "on": [], "columns": ["v"], "as_of": as_of}}
    with prepared(rows, reference, step) as (found, done):
        assert found == [(None,), (1,), (1,)]
        assert done.notes == [
            (
                "step 1 (join): 1 of 3 rows have no partner in dataset 'facts' "
                "(1 come before anything was known)"
            ),
            (
                "step 1 (join): 1 rows of dataset 'facts' do not say when they happened or "
                "became known: they are never used"
            ),
        ]


def test_a_window_that_would_look_at_too_many_rows_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(windows, "MOST_PAIRS", 2)
    rows = [Asking(0, START + DAY)] * 3
    reference = [Happened(0, START, START, 1, 0)]
    window = {
        "dataset": "facts",
        "by": ["k"],
        "time": "t",
        "event": "e",
        "known": "known",
        "columns": {"n": "count"},
    }
    with (
        pytest.raises(PreparationRefusedError, match="3 earlier rows one by one, and 2 are"),
        prepared(rows, reference, {"window": window}),
    ):
        pass


@pytest.mark.parametrize(("at_once", "count"), [(1, 40), (13, 200)])
def test_rows_that_are_looked_at_some_at_a_time_give_the_same(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, at_once: int, count: int
) -> None:
    rows = hundred(
        "'s' || i % 3 AS s, TIMESTAMP '2024-01-01' + to_hours(i * 7 % 50) AS t, i AS n, "
        "TIMESTAMP '2024-01-01' + to_hours(i * 7 % 50 + i % 4) AS known",
        count,
    )
    step = {
        "by": ["s"],
        "time": "t",
        "known": "known",
        "within": "1 day",
        "columns": {"before": "count", "last": {"last": "n"}, "total": {"sum": "n"}},
    }
    newest = {**step, "rows": 3, "columns": {"m": {"mean": "n"}}}
    workshop.prepare(rows, {"window": step}, {"window": newest})
    whole = sorted(workshop.written("n, before, last, total, m"))
    monkeypatch.setattr(windows, "PAIRS_AT_ONCE", at_once)
    workshop.prepare(rows, {"window": step}, {"window": newest})
    assert sorted(workshop.written("n, before, last, total, m")) == whole
    assert len({before for _, before, *_ in whole}) > 5
