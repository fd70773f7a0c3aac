"""Statistics of what happened before each row's own time, of an entity: the window step.

Rows that ask and rows that are counted stand in one sequence by time, over which the engine's
window frames run. Where a row may become known later than it happened, or only the last few rows
count, each asking row is put beside the rows in its frame instead, one by one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from evergreen.contracts.preparation_steps import Aggregate, Step, Window
from evergreen.data.engine import identifier, one_value
from evergreen.features.refusal import PreparationRefusedError
from evergreen.features.step_kinds.statistics import require_columns, statistic
from evergreen.features.workbench import (
    ROW,
    Change,
    JoinReport,
    Table,
    Workbench,
    declared,
    family,
    interval,
    moment,
    require_free,
    require_same_kind,
    require_times,
)

MOST_PAIRS = 50_000_000
"""Asking and counted rows that are put beside each other, one by one, at the most."""


PAIRS_AT_ONCE = 1_000_000
"""Whose values the engine holds at a time: 27 million pairs were prepared with 420 MB in all."""

ASKING, COUNTED, FOUND = '"evergreen.asking"', '"evergreen.counted"', '"evergreen.found"'


@dataclass(frozen=True)
class Lookback:
    """What each row looks back on. `keys`: column of the rows → column of `source`.

    `including`: what happened at the row's own time counts too.
    """

    source: Table
    dataset: str | None
    keys: Mapping[str, str]
    time: str
    event: str
    known: str | None
    within: timedelta | None
    rows: int | None
    columns: Mapping[str, Aggregate]
    including: bool = False


def window(bench: Workbench, table: Table, step: Step) -> Change:
    """Add statistics of the rows, or of a reference dataset, before the row's own time."""
    chosen: Window = declared(step.window)
    source = table if chosen.dataset is None else bench.reference(chosen.dataset)
    return look_back(
        bench,
        table,
        Lookback(
            source,
            chosen.dataset,
            chosen.keys,
            chosen.time,
            chosen.event or chosen.time,
            chosen.known,
            chosen.within,
            chosen.rows,
            chosen.columns,
        ),
    )


def look_back(bench: Workbench, table: Table, back: Lookback) -> Change:
    """The rows with further columns; a row without key or time has none of them.

    An entity with nothing to look back on has counts of 0 and no other statistic.
    """
    _check(bench, table, back)
    sequence = _sequence(table, back)
    if back.known is None and back.rows is None:
        found = _by_frames(back, sequence)
    else:
        found = _one_by_one(bench, back, sequence)
    added = ", ".join(
        f"found.s{place} AS {identifier(name)}" for place, name in enumerate(back.columns)
    )
    query = (
        f"SELECT rows.*, {added} FROM {identifier(table.name)} AS rows "
        f"LEFT JOIN ({found}) AS found ON found.asks = rows.{identifier(ROW)}"
    )
    return Change(query, _report(bench, table, back, found))


def _check(bench: Workbench, table: Table, back: Lookback) -> None:
    where = f"in dataset '{back.dataset}'" if back.dataset else "there"
    table.require(back.keys, "among the rows' columns")
    back.source.require(back.keys.values(), where)
    moment(table, back.time, "among the rows' columns")
    times = [column for column in (back.event, back.known) if column is not None]
    for column in times:
        moment(back.source, column, where)
    pairs = [*back.keys.items(), *((back.time, column) for column in times)]
    require_same_kind(
        (table, left, back.source, right, back.dataset or "rows") for left, right in pairs
    )
    require_times(family(table.columns[back.time]) == "a time", back.within, back.time)
    require_columns(bench, back.source, where, back.columns)
    require_free(table, back.columns)


def _sequence(table: Table, back: Lookback) -> str:
    """Asking and counted rows: `k0` …, `moment`, `place`, `asks`, `known`, values `v0` and on."""
    asking = [f"{identifier(column)} AS k{place}" for place, column in enumerate(back.keys)]
    asking += [f"{moment(table, back.time, 'there')} AS moment", f"{identifier(ROW)} AS place"]
    counted = [
        f"{identifier(column)} AS k{place}" for place, column in enumerate(back.keys.values())
    ]
    counted += [
        f"{moment(back.source, back.event, 'there')} AS moment",
        f"{identifier(ROW)} AS place",
        f"{moment(back.source, back.known, 'there') if back.known else 'NULL'} AS known",
    ]
    counted += [
        f"{identifier(each.column) if each.column else 'true'} AS v{place}"
        for place, each in enumerate(back.columns.values())
    ]
    known = (back.known,) if back.known else ()
    return (
        f"SELECT {', '.join(asking)}, true AS asks FROM {identifier(table.name)} "
        f"WHERE {_there((*back.keys, back.time))} UNION ALL BY NAME "
        f"SELECT {', '.join(counted)}, false AS asks FROM {identifier(back.source.name)} "
        f"WHERE {_there((*back.keys.values(), back.event, *known))}"
    )


def _there(columns: tuple[str, ...]) -> str:
    return " AND ".join(f"{identifier(column)} IS NOT NULL" for column in columns)


def _keys(back: Lookback) -> list[str]:
    return [f"k{place}" for place in range(len(back.keys))]


def _frames(back: Lookback) -> tuple[str, str]:
    """All that happened before an asking row, and what of it is within the duration."""
    partition = f"PARTITION BY {', '.join(['true', *_keys(back)])}"
    # Of one moment the asking rows stand first, unless what happened then counts too.
    first = "asks" if back.including else "NOT asks"
    past = "ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING"
    before = f"({partition} ORDER BY moment, {first}, place {past})"
    if back.within is None:
        return before, before
    end = "CURRENT ROW" if back.including else f"{interval(timedelta(microseconds=1))} PRECEDING"
    start = f"{interval(back.within)} PRECEDING"
    return before, f"({partition} ORDER BY moment RANGE BETWEEN {start} AND {end})"


def _statistics(back: Lookback, only: str, order: str, over: str = "") -> str:
    """The statistics as `s0`, …, and `n`, the number of rows that they are of."""
    made = [
        f"{statistic(each, f'v{place}', order, only)}{over} AS s{place}"
        for place, each in enumerate(back.columns.values())
    ]
    return ", ".join([*made, f"count(*) FILTER ({only}){over} AS n"])


def _by_frames(back: Lookback, sequence: str) -> str:
    """Window frames over the sequence: as fast as sorting it."""
    _, within = _frames(back)
    made = _statistics(back, "NOT asks", "(moment, place)", f" OVER {within}")
    results = ", ".join([*(f"s{place}" for place in range(len(back.columns))), "n"])
    return (
        f"SELECT place AS asks, {results} "
        f"FROM (SELECT place, asks, {made} FROM ({sequence})) WHERE asks"
    )


def _one_by_one(bench: Workbench, back: Lookback, sequence: str) -> str:
    """Each asking row beside the rows in its frame: the nth to the mth of its entity.

    Some asking rows after the others, so that the pairs of few are held at a time.
    """
    before, within = _frames(back)
    keys = _keys(back)
    several = f"count(*) FILTER (NOT asks) OVER {within}"
    if back.known is None and back.rows is not None:
        several = f"least({several}, {back.rows})"
    framed = (
        f"SELECT * FROM (SELECT {', '.join([*keys, 'moment', 'place', 'asks'])}, "
        f"count(*) FILTER (NOT asks) OVER {before} AS until, {several} AS several "
        f"FROM ({sequence})) WHERE asks"
    )
    bench.connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {ASKING} AS SELECT *, CAST(sum(several) OVER "
        f"(ORDER BY place) AS BIGINT) // {PAIRS_AT_ONCE} AS block FROM ({framed})"
    )
    pairs = one_value(bench.connection, f"SELECT sum(several) FROM {ASKING}")
    if pairs > MOST_PAIRS:
        raise PreparationRefusedError(
            f"it would look at {pairs:,} earlier rows one by one, and {MOST_PAIRS:,} are the "
            f"most; {'shorten' if back.within else 'declare'} 'within'"
        )
    bench.connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {COUNTED} AS SELECT *, row_number() OVER ("
        f"PARTITION BY {', '.join(['true', *keys])} ORDER BY moment, place) AS nth "
        f"FROM ({sequence}) WHERE NOT asks"
    )
    last = one_value(bench.connection, f"SELECT max(block) FROM {ASKING}")
    for block in range(last + 1):
        into = f"INSERT INTO {FOUND}" if block else f"CREATE OR REPLACE TEMP TABLE {FOUND} AS"
        bench.connection.execute(f"{into} {_pairwise(back, block)}")
    return f"FROM {FOUND}"


def _pairwise(back: Lookback, block: int) -> str:
    """The statistics of some asking rows, each beside the rows in its frame."""
    keys = _keys(back)
    named = "".join(f", {key}" for key in keys)
    joined = "".join(f" AND a.{key} = c.{key}" for key in keys)
    visible = "c.known <= a.moment" if back.known else "true"
    newest = (
        f" QUALIFY row_number() OVER (PARTITION BY a.place ORDER BY c.nth DESC) <= {back.rows}"
        if back.rows
        else ""
    )
    made = _statistics(back, "pairs.place IS NOT NULL", "(pairs.moment, pairs.place)")
    values = ", ".join(f"c.v{place}" for place in range(len(back.columns)))
    return (
        f"WITH asking AS (FROM {ASKING} WHERE block = {block}), "
        f"each AS (SELECT place, moment{named}, "
        f"unnest(range(until - several, until)) + 1 AS nth FROM asking), "
        f"pairs AS (SELECT a.place AS of, c.moment, c.place, {values} FROM each AS a "
        f"JOIN {COUNTED} AS c ON a.nth = c.nth{joined} WHERE {visible}{newest}) "
        f"SELECT asking.place AS asks, {made} "
        f"FROM asking LEFT JOIN pairs ON pairs.of = asking.place GROUP BY asking.place"
    )


def _report(bench: Workbench, table: Table, back: Lookback, found: str) -> JoinReport | None:
    """Which rows found anything in a reference dataset."""
    if back.dataset is None:
        return None
    rows = bench.rows(table)
    asked = one_value(bench.connection, f"SELECT count(*) FROM ({found})")
    matched = one_value(bench.connection, f"SELECT count(*) FROM ({found}) WHERE n > 0")
    times = [each for each in (back.event, back.known) if each is not None]
    missing = " OR ".join(f"{identifier(column)} IS NULL" for column in times)
    unusable = one_value(
        bench.connection,
        f"SELECT count(*) FROM {identifier(back.source.name)} WHERE {missing}",
    )
    return JoinReport(
        back.dataset, matched, rows - matched, 0, without_key=rows - asked, unusable=unusable
    )
