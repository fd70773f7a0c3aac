"""Steps that leave rows out: filter, deduplicate."""

from __future__ import annotations

from evergreen.contracts.preparation_steps import Step
from evergreen.data.engine import identifier
from evergreen.features.expressions import check_expression, probe_of
from evergreen.features.workbench import ROW, Change, Table, Workbench, declared


def filter_rows(bench: Workbench, table: Table, step: Step) -> Change:
    """Keep the rows for which the condition is true; unknown is not true."""
    expression = declared(step.filter)
    check_expression(bench.connection, expression)
    query = f"SELECT * FROM {identifier(table.name)} WHERE (\n{expression}\n)"
    return Change(query, (), expression=expression, probe=probe_of(expression))


def deduplicate(_bench: Workbench, table: Table, step: Step) -> Change:
    """Keep the first or the last of rows that are equal; a row without order never wins."""
    chosen = declared(step.deduplicate)
    table.require([*(chosen.by or ()), *chosen.ignore, *([chosen.order] if chosen.order else ())])
    columns = chosen.by or [name for name in table.columns if name not in chosen.ignore]
    if chosen.by is None and chosen.order in columns:
        # Rows that differ in what orders them are meant to be found equal.
        columns = [name for name in columns if name != chosen.order]
    direction = "DESC" if chosen.keep == "last" else "ASC"
    order = [f"{identifier(chosen.order)} {direction} NULLS LAST"] if chosen.order else []
    order.append(f"{identifier(ROW)} {direction}")
    keys = ", ".join(identifier(name) for name in columns) or "true"
    return Change(
        f"SELECT * FROM {identifier(table.name)} "
        f"QUALIFY row_number() OVER (PARTITION BY {keys} ORDER BY {', '.join(order)}) = 1",
        (),
    )
