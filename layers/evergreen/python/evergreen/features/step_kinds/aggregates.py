"""The step that groups and aggregates: a reference dataset beside the rows, or the rows."""

from __future__ import annotations

from evergreen.contracts.preparation_steps import AsOf, GroupAggregate, Step
from evergreen.data.engine import identifier, one_value
from evergreen.features.recipe import Anew, Elsewhere
from evergreen.features.step_kinds.statistics import COUNTS, require_columns, statistic
from evergreen.features.step_kinds.windows import Lookback, look_back
from evergreen.features.workbench import (
    ROW,
    Change,
    JoinReport,
    Table,
    Workbench,
    declared,
    family,
    made,
    require_free,
    require_same_kind,
)


def aggregate(bench: Workbench, table: Table, step: Step) -> Change:
    """Add statistics of a reference dataset's groups; or make the rows one per group."""
    chosen = declared(step.aggregate)
    if chosen.dataset is None:
        return _of_rows(bench, table, chosen)
    reference = bench.reference(chosen.dataset)
    if chosen.as_of is not None:
        return look_back(bench, table, _lookback(chosen, chosen.dataset, reference, chosen.as_of))
    return _of_reference(bench, table, chosen, chosen.dataset, reference)


def _of_rows(bench: Workbench, table: Table, chosen: GroupAggregate) -> Change:
    table.require([*chosen.keys, *([chosen.order] if chosen.order else ())])
    require_columns(bench, table, "there", chosen.columns)
    require_free(Table(table.name, dict.fromkeys(chosen.keys, "")), chosen.columns)
    keys = ", ".join(identifier(name) for name in chosen.keys)
    query = (
        f"SELECT {keys}, {_statistics(chosen)}, min({identifier(ROW)}) AS {identifier(ROW)} "
        f"FROM {identifier(table.name)} GROUP BY {keys}"
    )
    named = ", ".join(f"'{name}'" for name in chosen.keys)
    groups = one_value(bench.connection, f"SELECT count(*) FROM ({query})")
    said = f"{bench.rows(table):,} rows become {groups:,}, one for each {named}"
    return Change(query, (Anew(),), notes=(said,), groups=True)


def _of_reference(
    bench: Workbench, table: Table, chosen: GroupAggregate, dataset: str, reference: Table
) -> Change:
    where = f"in dataset '{dataset}'"
    table.require(chosen.keys, "among the rows' columns")
    reference.require([*chosen.keys.values(), *([chosen.order] if chosen.order else ())], where)
    require_same_kind(
        (table, left, reference, right, dataset) for left, right in chosen.keys.items()
    )
    require_columns(bench, reference, where, chosen.columns)
    require_free(table, chosen.columns)
    named = [f"{identifier(right)} AS {_key(i)}" for i, right in enumerate(chosen.keys.values())]
    groups = (
        f"SELECT {', '.join(named)}, {_statistics(chosen)} FROM {identifier(reference.name)} "
        f"GROUP BY {', '.join(identifier(right) for right in chosen.keys.values())}"
    )
    equal = " AND ".join(
        f"rows.{identifier(left)} = groups.{_key(i)}" for i, left in enumerate(chosen.keys)
    )
    keyed = " AND ".join(f"rows.{identifier(left)} IS NOT NULL" for left in chosen.keys)
    added = ", ".join(
        f"CASE WHEN {keyed} THEN coalesce(groups.{identifier(name)}, 0) END AS {identifier(name)}"
        if each.statistic in COUNTS
        else f"groups.{identifier(name)}"
        for name, each in chosen.columns.items()
    )
    joined = f"{identifier(table.name)} AS rows LEFT JOIN ({groups}) AS groups ON {equal}"
    rows = bench.rows(table)
    matched = one_value(
        bench.connection, f"SELECT count(*) FROM {joined} WHERE groups.{_key(0)} IS NOT NULL"
    )
    without = rows - one_value(
        bench.connection, f"SELECT count(*) FROM {identifier(table.name)} AS rows WHERE {keyed}"
    )
    report = JoinReport(dataset, matched, rows - matched, 0, without_key=without)
    times = [each for each, kind in reference.columns.items() if family(kind) == "a time"]
    notes = [
        f"dataset '{dataset}' has times ('{name}'): without 'as_of', what happened after a row "
        f"counts for it too"
        for name in times[:1]
    ]
    does = Elsewhere(makes=made(*chosen.columns), reason=f"all of dataset '{dataset}' decides it")
    return Change(f"SELECT rows.*, {added} FROM {joined}", (does,), report, tuple(notes))


def _key(place: int) -> str:
    """A key of the groups, beside statistics of any name."""
    return identifier(f"evergreen.key_{place}")


def _statistics(chosen: GroupAggregate) -> str:
    """First and last are those in order of a column if one is declared, else of the dataset."""
    order, only = identifier(ROW), "true"
    if chosen.order is not None:
        order = f"({identifier(chosen.order)}, {order})"
        only = f"{identifier(chosen.order)} IS NOT NULL"
    return ", ".join(
        f"{statistic(each, identifier(each.column) if each.column else '*', order, own)} "
        f"AS {identifier(name)}"
        for name, each in chosen.columns.items()
        for own in [only if each.statistic in {"first", "last"} else "true"]
    )


def _lookback(chosen: GroupAggregate, dataset: str, reference: Table, at: AsOf) -> Lookback:
    """All that had happened, and was known, at the row's own time."""
    return Lookback(
        source=reference,
        dataset=dataset,
        keys=chosen.keys,
        time=at.time,
        event=at.event,
        known=at.known,
        within=at.within,
        rows=None,
        columns=chosen.columns,
        including=True,
    )
