"""Point-in-time joins: the newest reference row that had happened and was known at a row's time.

Corrections are what makes this hard: a row that happened earlier may become known later. So the
reference is sorted by when each row counts (`available`: when it has both happened and become
known), and beside each stands the newest event among all that count by then. What counts at a
row's time is then one look-up. `docs/decisions/020-point-in-time.md` has the reasoning.
"""

from __future__ import annotations

from evergreen.contracts.preparation_steps import AsOf, Join
from evergreen.data.engine import identifier
from evergreen.features.recipe import Elsewhere
from evergreen.features.workbench import (
    ROW,
    Change,
    JoinReport,
    Table,
    Workbench,
    family,
    interval,
    made,
    moment,
    require_same_kind,
    require_times,
)

AT = '"evergreen.at"'
"""The row's own time, beside columns of any name."""


def join_as_of(
    bench: Workbench, table: Table, reference: Table, chosen: Join, names: dict[str, str], at: AsOf
) -> Change:
    """Add columns of the newest row that counts; every row stays, and stays once.

    Of rows of one event the one that became known last counts, and of those the last one in the
    dataset: corrections are appended.
    """
    require_comparable(table, reference, chosen.dataset, at)
    row, rows, source = identifier(ROW), identifier(table.name), identifier(reference.name)
    keys = [identifier(name) for name in chosen.keys]
    on = [f"rows.{key} = seen.k{place}" for place, key in enumerate(keys)]
    time = moment(table, at.time, "among the rows' columns")
    too_old = f"seen.newest.event < rows.{AT} - {interval(at.within)}" if at.within else "false"
    found = (
        f"WITH seen AS ({_visible(reference, list(chosen.keys.values()), at)}), found AS ("
        f"SELECT rows.{row} AS asks, seen.newest IS NOT NULL AS seen, {too_old} AS too_old, "
        f"CASE WHEN NOT ({too_old}) THEN seen.newest.place END AS place "
        f"FROM (SELECT *, {time} AS {AT} FROM {rows}) AS rows ASOF LEFT JOIN seen "
        f"ON {' AND '.join([*on, f'rows.{AT} >= seen.available'])})"
    )
    added = "".join(
        f", reference.{identifier(column)} AS {identifier(name)}" for column, name in names.items()
    )
    query = (
        f"{found} SELECT rows.*{added} FROM {rows} AS rows "
        f"LEFT JOIN found ON found.asks = rows.{row} "
        f"LEFT JOIN {source} AS reference ON reference.{row} = found.place"
    )
    report = _report(bench, table, reference, chosen, at, found)
    does = Elsewhere(makes=made(*names.values()), reason="what was known at the time decides it")
    return Change(query, (does,), report, _said(report, chosen.dataset))


def require_comparable(table: Table, reference: Table, dataset: str, at: AsOf) -> None:
    """Refuse columns that are missing, or no times that can be compared with each other."""
    moment(table, at.time, "among the rows' columns")
    for column in (at.event, at.known):
        if column is not None:
            moment(reference, column, f"in dataset '{dataset}'")
            require_same_kind([(table, at.time, reference, column, dataset)])
    require_times(family(table.columns[at.time]) == "a time", at.within, at.time)


def _visible(reference: Table, keys: list[str], at: AsOf) -> str:
    """For each key and moment at which something changes: the newest event that counts then."""
    event, known = _event_and_known(reference, at)
    names = [f"k{place}" for place in range(len(keys))]
    named = [f"{identifier(key)} AS {name}" for key, name in zip(keys, names, strict=True)]
    usable = " AND ".join(f"{each} IS NOT NULL" for each in (*map(identifier, keys), event, known))
    newest = f"{{'event': {event}, 'known': {known}, 'place': {identifier(ROW)}}}"
    counted = ", ".join([*named, f"greatest({event}, {known}) AS available", f"{newest} AS row"])
    # One row for each moment: what stands beside it does not depend on the order of equal ones.
    return (
        f"SELECT DISTINCT {', '.join([*names, 'available'])}, max(row) OVER ("
        f"PARTITION BY {', '.join(['true', *names])} ORDER BY available "
        f"RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS newest "
        f"FROM (SELECT {counted} FROM {identifier(reference.name)} WHERE {usable})"
    )


def _event_and_known(reference: Table, at: AsOf) -> tuple[str, str]:
    event = moment(reference, at.event, "in the dataset")
    return event, moment(reference, at.known, "in the dataset") if at.known else event


def _report(
    bench: Workbench, table: Table, reference: Table, chosen: Join, at: AsOf, found: str
) -> JoinReport:
    event, known = _event_and_known(reference, at)
    left = [identifier(name) for name in chosen.keys]
    right = [identifier(name) for name in chosen.keys.values()]
    without = " OR ".join(f"rows.{each} IS NULL" for each in (*left, identifier(at.time)))
    same = " AND ".join(f"rows.{a} = r.{b}" for a, b in zip(left, right, strict=True)) or "true"
    matched, without_key, too_old, not_yet = _numbers(
        bench,
        f"{found} SELECT count(found.place), count(*) FILTER ({without}), "
        f"count(*) FILTER (found.too_old AND found.place IS NULL), "
        f"count(*) FILTER (NOT found.seen AND NOT ({without}) AND EXISTS "
        f"(SELECT 1 FROM {identifier(reference.name)} AS r WHERE {same})) "
        f"FROM found JOIN {identifier(table.name)} AS rows ON rows.{identifier(ROW)} = found.asks",
    )
    unusable = f"{event} IS NULL OR {known} IS NULL"
    identity = ", ".join([*right, event, known])
    useless, same_time = _numbers(
        bench,
        f"SELECT count(*) FILTER ({unusable}), count(*) FILTER (NOT ({unusable})) - "
        f"count(DISTINCT ({identity},)) FILTER (NOT ({unusable})) "
        f"FROM {identifier(reference.name)}",
    )
    return JoinReport(
        chosen.dataset,
        matched,
        bench.rows(table) - matched,
        same_time,
        without_key=without_key,
        not_yet=not_yet,
        too_old=too_old,
        unusable=useless,
    )


def _said(report: JoinReport, dataset: str) -> tuple[str, ...]:
    notes = []
    if report.unusable:
        notes.append(
            f"{report.unusable:,} rows of dataset '{dataset}' do not say when they happened or "
            "became known: they are never used"
        )
    if report.duplicate_keys:
        notes.append(
            f"{report.duplicate_keys:,} rows of dataset '{dataset}' have key and times of another "
            "row: the last counts"
        )
    return tuple(notes)


def _numbers(bench: Workbench, query: str) -> list[int]:
    row = bench.connection.execute(query).fetchone() or ()
    return [int(value) for value in row]
