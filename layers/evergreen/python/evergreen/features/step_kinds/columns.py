"""Steps that compute a column or leave columns out: derive, drop, keep."""

from __future__ import annotations

from evergreen.contracts.preparation_steps import Step
from evergreen.data.engine import identifier
from evergreen.features.expressions import check_expression, probe_of, reads_of_one_row
from evergreen.features.recipe import Assigned, Elsewhere
from evergreen.features.recipe_sql import with_column
from evergreen.features.workbench import (
    Change,
    Table,
    Workbench,
    declared,
    listed,
    made,
    require_free,
)


def derive(bench: Workbench, table: Table, step: Step) -> Change:
    """Add a column, or replace it, computed from those before it."""
    ((name, expression),) = declared(step.derive).items()
    if name not in table.columns:
        # The engine takes names that differ in case for the same, and would number the new one.
        require_free(table, [name])
    check_expression(bench.connection, expression)
    value = f"(\n{expression}\n)"
    reads = reads_of_one_row(bench.connection, expression, table.columns)
    does = (
        Elsewhere(makes=made(name), reason="other rows decide it")
        if reads is None
        else Assigned(makes=made(name), expression=value, columns=reads)
    )
    query = with_column(identifier(table.name), table.columns, name, value)
    return Change(query, (does,), expression=expression, column=name, probe=probe_of(expression))


def drop(_bench: Workbench, table: Table, step: Step) -> Change:
    """Leave columns out."""
    dropped = declared(step.drop)
    table.require(dropped)
    kept = [name for name in table.columns if name not in dropped]
    return Change(f"SELECT {listed(kept)} FROM {identifier(table.name)}", ())


def keep(bench: Workbench, table: Table, step: Step) -> Change:
    """Leave all other columns out, except target, time and group."""
    wanted = declared(step.keep)
    table.require(wanted)
    split = bench.project.preparation
    always = (bench.project.target, split.time, split.group)
    kept = [name for name in table.columns if name in wanted or name in always]
    return Change(f"SELECT {listed(kept)} FROM {identifier(table.name)}", ())
