"""The step for all that no other step does: one SELECT over the rows and reference datasets."""

from __future__ import annotations

import duckdb

from evergreen.contracts.preparation_steps import Step
from evergreen.data.engine import identifier, one_value
from evergreen.features.expressions import check_query, explained
from evergreen.features.recipe import Anew
from evergreen.features.refusal import PreparationRefusedError
from evergreen.features.workbench import ROW, ROWS, Change, Table, Workbench, declared


def sql(bench: Workbench, table: Table, step: Step) -> Change:
    """The rows that a SELECT gives, in the order of the rows they come from.

    Rows keep their place where the SELECT passes it on, as `*` does; all else is ordered by
    value, so that the same data give the same rows in the same order.
    """
    chosen = declared(step.sql)
    references = {}
    for dataset in chosen.datasets:
        if dataset == ROWS:
            raise PreparationRefusedError(
                "'rows' are the rows so far, and a dataset of that name cannot be read beside them"
            )
        references[dataset] = bench.reference(dataset)
    check_query(bench.connection, chosen.query, [ROWS, *references], list(bench.references))

    def selected(rows: str, what: str = "*") -> str:
        """Within its own WITH the query sees these names and, as checked, asks for no others."""
        named = ", ".join(
            f"{identifier(name)} AS (SELECT * EXCLUDE ({identifier(ROW)}) "
            f"FROM {identifier(source.name)})"
            for name, source in references.items()
        )
        given = f"{identifier(ROWS)} AS (SELECT * FROM {rows}){', ' if named else ''}{named}"
        return f"WITH {given} SELECT {what} FROM (\n{chosen.query}\n) AS selected"

    made = selected(identifier(table.name))
    try:
        described = bench.connection.execute(f"DESCRIBE {made}").fetchall()
    except duckdb.Error as error:
        raise explained(error, chosen.query, list(table.columns)) from error
    names = [str(name) for name, *_ in described]
    visible = [identifier(name) for name in names if not name.startswith(ROW)]
    if not visible:
        raise PreparationRefusedError("the SELECT gives no column")
    query = (
        f"SELECT {', '.join(visible)}, {_place(bench, table, names, visible)} "
        f"AS {identifier(ROW)} FROM ({made})"
    )
    return Change(
        query,
        (Anew(),),
        expression=chosen.query,
        # The hash needs every value, so that the engine leaves none uncomputed.
        probe=lambda rows: selected(rows, "max(hash(selected))"),
    )


def _place(bench: Workbench, table: Table, names: list[str], visible: list[str]) -> str:
    """SQL for the place of a row: its old one where each row still has one of its own."""
    row = identifier(ROW)
    order = ", ".join([*([row] if ROW in names else []), *visible])
    # Labels know rows by their place: a new one must be none that another row had.
    taken = f"SELECT max({row}) + 1 FROM {identifier(table.name)}"
    first = one_value(bench.connection, taken) if bench.project.labelling else 0
    new = f"row_number() OVER (ORDER BY {order}) - 1 + {first}"
    if ROW not in names:
        return new
    return f"CASE WHEN count(DISTINCT {row}) OVER () = count(*) OVER () THEN {row} ELSE {new} END"
