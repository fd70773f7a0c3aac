"""Steps that compute a column or leave columns out: derive, drop, keep."""

from __future__ import annotations

from evergreen.contracts.preparation_steps import Step
from evergreen.data.engine import identifier
from evergreen.features.expressions import check_expression, probe_of
from evergreen.features.workbench import Change, Table, Workbench, declared, listed, require_free


def derive(bench: Workbench, table: Table, step: Step) -> Change:
    """Add a column, or replace it, computed from those before it."""
    ((name, expression),) = declared(step.derive).items()
    if name not in table.columns:
        # The engine takes names that differ in case for the same, and would number the new one.
        require_free(table, [name])
    check_expression(bench.connection, expression)
    query = with_column(table, name, f"(\n{expression}\n)")
    return Change(query, expression=expression, column=name, probe=probe_of(expression))


def drop(_bench: Workbench, table: Table, step: Step) -> Change:
    """Leave columns out."""
    dropped = declared(step.drop)
    table.require(dropped)
    kept = [name for name in table.columns if name not in dropped]
    return Change(f"SELECT {listed(kept)} FROM {identifier(table.name)}")


def keep(bench: Workbench, table: Table, step: Step) -> Change:
    """Leave all other columns out, except target, time and group."""
    wanted = declared(step.keep)
    table.require(wanted)
    split = bench.project.preparation
    always = (bench.project.target, split.time, split.group)
    kept = [name for name in table.columns if name in wanted or name in always]
    return Change(f"SELECT {listed(kept)} FROM {identifier(table.name)}")


def with_column(table: Table, name: str, expression: str) -> str:
    """The query that adds a column to a table, or replaces it in its place."""
    computed = f"{expression} AS {identifier(name)}"
    columns = f"* REPLACE ({computed})" if name in table.columns else f"*, {computed}"
    return f"SELECT {columns} FROM {identifier(table.name)}"
