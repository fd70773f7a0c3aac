"""The step that adds columns of a reference dataset: by equal keys, or as of the row's time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from evergreen.contracts.preparation_steps import Join, Step
from evergreen.data.engine import identifier, one_value
from evergreen.features.recipe import Matched
from evergreen.features.recipe_sql import equal_keys, with_partner
from evergreen.features.refusal import PreparationRefusedError
from evergreen.features.step_kinds.as_of import join_as_of
from evergreen.features.workbench import (
    ROW,
    Change,
    JoinReport,
    Table,
    Workbench,
    declared,
    made,
    require_same_kind,
)


def join(bench: Workbench, table: Table, step: Step) -> Change:
    """Add columns of a reference dataset, one partner per row at the most."""
    chosen = declared(step.join)
    reference = bench.reference(chosen.dataset)
    table.require(chosen.keys, "among the rows' columns")
    reference.require(chosen.keys.values(), f"in dataset '{chosen.dataset}'")
    require_same_kind(
        (table, left, reference, right, chosen.dataset) for left, right in chosen.keys.items()
    )
    names, notes = _new_names(table, reference, chosen)
    if chosen.as_of is not None:
        change = join_as_of(bench, table, reference, chosen, names, chosen.as_of)
    else:
        change = _by_equal_keys(bench, table, reference, chosen, names)
    return replace(change, notes=(*notes, *change.notes))


def _by_equal_keys(
    bench: Workbench, table: Table, reference: Table, chosen: Join, names: dict[str, str]
) -> Change:
    """The first of the reference rows with the same key is the partner."""
    keys = tuple(chosen.keys.items())
    unique = first_of_each(reference.name, chosen.keys.values())
    added = {name: column for column, name in names.items()}
    report = _report(bench, table, reference, chosen, equal_keys(keys))
    query = with_partner(identifier(table.name), f"({unique})", keys, added)
    notes = []
    if report.duplicate_keys:
        notes.append(
            f"{report.duplicate_keys:,} rows of dataset '{chosen.dataset}' have a key that an "
            "earlier row has: the first counts"
        )
    does = Matched(
        makes=made(*names.values()),
        dataset=chosen.dataset,
        table=reference.name,
        keys=tuple(chosen.keys.items()),
        sources=tuple((name, column) for column, name in names.items()),
    )
    return Change(query, (does,), report, tuple(notes))


def first_of_each(table: str, keys: Iterable[str]) -> str:
    """The query for a reference table with the first row, in its order, of each key."""
    columns = ", ".join(identifier(name) for name in keys)
    return (
        f"SELECT * FROM {identifier(table)} "
        f"QUALIFY row_number() OVER (PARTITION BY {columns} ORDER BY {identifier(ROW)}) = 1"
    )


def _report(
    bench: Workbench, table: Table, reference: Table, chosen: Join, equal: str
) -> JoinReport:
    keys = [identifier(name) for name in chosen.keys.values()]
    whole = " AND ".join(f"{key} IS NOT NULL" for key in keys)
    duplicates = one_value(
        bench.connection,
        f"SELECT count(*) - count(DISTINCT ({', '.join(keys)},)) "
        f"FROM {identifier(reference.name)} WHERE {whole}",
    )
    rows = bench.rows(table)
    matched = one_value(
        bench.connection,
        f"SELECT count(*) FROM {identifier(table.name)} AS rows "
        f"SEMI JOIN {identifier(reference.name)} AS reference ON {equal}",
    )
    missing = " OR ".join(f"{identifier(name)} IS NULL" for name in chosen.keys)
    without = one_value(
        bench.connection, f"SELECT count(*) FROM {identifier(table.name)} WHERE {missing}"
    )
    return JoinReport(chosen.dataset, matched, rows - matched, duplicates, without_key=without)


def _new_names(table: Table, reference: Table, chosen: Join) -> tuple[dict[str, str], list[str]]:
    """Column of the reference → its name among the rows; a taken name gets the dataset's."""
    wanted = chosen.columns
    if wanted is None:
        wanted = [name for name in reference.columns if name not in chosen.keys.values()]
    reference.require(wanted, f"in dataset '{chosen.dataset}'")
    taken = {name.casefold() for name in table.columns}
    names: dict[str, str] = {}
    notes = []
    for column in wanted:
        name = chosen.prefix + column
        if name.casefold() in taken:
            name = f"{chosen.dataset}_{name}"
            notes.append(f"'{column}' of dataset '{chosen.dataset}' is called '{name}'")
        if name.casefold() in taken:
            raise PreparationRefusedError(
                f"there is a column '{name}' already; give the join a prefix", column=name
            )
        taken.add(name.casefold())
        names[column] = name
    return names, notes
