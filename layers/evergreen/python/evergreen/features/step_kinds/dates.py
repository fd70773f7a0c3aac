"""The step that takes dates apart: year, weekday, hour, places on a circle."""

from __future__ import annotations

from collections.abc import Mapping

from evergreen.contracts.preparation_steps import Step
from evergreen.data.engine import identifier
from evergreen.features.recipe import Assigned
from evergreen.features.refusal import PreparationRefusedError
from evergreen.features.workbench import (
    Change,
    Table,
    Workbench,
    declared,
    family,
    made,
    require_free,
)

PARTS: Mapping[str, str] = {
    "year": "year({v})",
    "quarter": "quarter({v})",
    "month": "month({v})",
    "week": "weekofyear({v})",
    "day": "day({v})",
    "day_of_year": "dayofyear({v})",
    "day_of_week": "isodow({v}) - 1",
    "weekend": "isodow({v}) >= 6",
    "hour": "hour({v})",
    "minute": "minute({v})",
    "month_cyclic": "(month({v}) - 1) / 12",
    "day_of_week_cyclic": "(isodow({v}) - 1) / 7",
    "hour_cyclic": "(hour({v}) + minute({v}) / 60) / 24",
}
"""SQL for each part; of a cyclic one the way round the circle, from 0 to 1."""


def dates(bench: Workbench, table: Table, step: Step) -> Change:
    """Add parts of a date as columns; the date stays."""
    ((name, parts),) = declared(step.dates).items()
    table.require([name])
    if family(table.columns[name]) != "a time":
        example = bench.example(table, name)
        raise PreparationRefusedError(
            f"column '{name}' is {table.columns[name]} (for example '{example}') and no date; "
            f"derive one first, for example strptime({name}, '%d.%m.%Y')",
            column=name,
            value=example,
        )
    value = f"CAST({identifier(name)} AS TIMESTAMP)"
    new: dict[str, str] = {}
    for part in parts:
        sql = PARTS[part].replace("{v}", value)
        if part.endswith("_cyclic"):
            stem = f"{name}_{part.removesuffix('_cyclic')}"
            new |= {f"{stem}_{f}": f"round({f}(2 * pi() * {sql}), 9)" for f in ("sin", "cos")}
        else:
            new[f"{name}_{part}"] = sql
    require_free(table, new)
    added = ", ".join(f"{sql} AS {identifier(column)}" for column, sql in new.items())
    does = tuple(
        Assigned(makes=made(column), expression=sql, columns=(name,)) for column, sql in new.items()
    )
    return Change(f"SELECT *, {added} FROM {identifier(table.name)}", does, column=name)
