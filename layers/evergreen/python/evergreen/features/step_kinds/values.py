"""Steps that put a value in the place of another: fill, clip.

Statistics of a column, such as its median, are none of them: they belong to the model, which
learns them from training rows alone.
"""

from __future__ import annotations

import duckdb

from evergreen.contracts.preparation_steps import Fill, Step
from evergreen.data.engine import identifier, literal, one_value
from evergreen.features.recipe import Assigned
from evergreen.features.recipe_sql import with_column
from evergreen.features.refusal import PreparationRefusedError
from evergreen.features.workbench import (
    ROW,
    Change,
    Table,
    Workbench,
    declared,
    family,
    interval,
    made,
    moment,
    require_times,
)

STATISTICS = frozenset({"mean", "average", "median", "mode", "most_frequent", "min", "max"})

MOMENT, NUMBER = '"evergreen.moment"', '"evergreen.number"'


def fill(bench: Workbench, table: Table, step: Step) -> Change:
    """Put a constant, or the value before in time, where a column has none."""
    ((name, how),) = declared(step.fill).items()
    table.require([name])
    does: tuple[Assigned, ...] = ()
    if how.previous_in is None:
        filled = f"coalesce({identifier(name)}, {_constant(bench, table, name, how)})"
        query = with_column(identifier(table.name), table.columns, name, filled)
        does = (Assigned(makes=made(name), expression=filled, columns=(name,)),)
    else:
        query = _from_before(table, name, how, how.previous_in)
    missing = _missing(bench, f"SELECT {identifier(name)} AS v FROM {identifier(table.name)}")
    left = _missing(bench, f"SELECT {identifier(name)} AS v FROM ({query})")
    notes = [f"{missing - left:,} missing values of '{name}' are filled"]
    if left:
        notes.append(f"{left:,} have no value before them and stay missing")
    said = ["; ".join(notes)]
    if how.previous_in is not None:
        said.append(f"when the model is asked, a missing '{name}' stays so: no row is before")
    return Change(query, does, notes=tuple(said), column=name)


def _constant(bench: Workbench, table: Table, name: str, how: Fill) -> str:
    """The constant as a value of the column's type; refused where it is none."""
    text, kind = str(how.value), table.columns[name]
    if isinstance(how.value, bool):
        text = text.lower()
    constant = f"CAST({literal(text)} AS {kind})"
    try:
        same = one_value(
            bench.connection,
            f"SELECT ({constant})::DOUBLE IS NOT DISTINCT FROM {literal(text)}::DOUBLE"
            if family(kind) == "a number" and kind != "BOOLEAN"
            else f"SELECT {constant} IS NOT NULL",
        )
    except duckdb.Error:
        same = 0
    if not same:
        hint = (
            "; statistics are learned from training rows only, and the model does that by itself: "
            "leave the values missing"
            if text.casefold() in STATISTICS
            else ""
        )
        raise PreparationRefusedError(
            f"column '{name}' is {kind}, and '{text}' is no value of it{hint}",
            column=name,
            value=text,
        )
    return constant


def _from_before(table: Table, name: str, how: Fill, order: str) -> str:
    """Rows of the same moment are not before each other; of equals before, the last row counts."""
    table.require(how.by)
    time = moment(table, order, "there")
    require_times(family(table.columns[order]) == "a time", how.within, order)
    value, row = identifier(name), identifier(ROW)
    columns = ", ".join(identifier(each) for each in how.by)
    partition = f"PARTITION BY {columns} " if columns else ""
    complete = " AND ".join(f"{identifier(each)} IS NOT NULL" for each in (*how.by, order))
    # Moments are numbered, because a frame that ends before the row's own moment needs a distance.
    numbered = (
        f"SELECT *, {time} AS {MOMENT}, "
        f"dense_rank() OVER ({partition}ORDER BY {time}) AS {NUMBER} FROM {identifier(table.name)}"
    )
    past = "RANGE BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING"
    frame = f"FILTER ({value} IS NOT NULL) OVER ({partition}ORDER BY {NUMBER} {past})"
    before = f"arg_max({value}, ({MOMENT}, {row})) {frame}"
    fresh = f" AND max({MOMENT}) {frame} >= {MOMENT} - {interval(how.within)}" if how.within else ""
    filled = f"coalesce({value}, CASE WHEN {complete}{fresh} THEN {before} END)"
    return f"SELECT * EXCLUDE ({MOMENT}, {NUMBER}) REPLACE ({filled} AS {value}) FROM ({numbered})"


def clip(bench: Workbench, table: Table, step: Step) -> Change:
    """Put the bound where a number is beyond it; missing stays missing."""
    ((name, bounds),) = declared(step.clip).items()
    table.require([name])
    if family(table.columns[name]) != "a number" or table.columns[name] == "BOOLEAN":
        example = bench.example(table, name)
        raise PreparationRefusedError(
            f"column '{name}' is {table.columns[name]} (for example '{example}'), and only "
            "numbers can be clipped",
            column=name,
            value=example,
        )
    value = identifier(name)
    cases, beyond = "", []
    if bounds.min is not None:
        cases += f" WHEN {value} < {_number(bounds.min)} THEN {_number(bounds.min)}"
        beyond.append(f"{value} < {_number(bounds.min)}")
    if bounds.max is not None:
        # NaN is above every number here, and means that there is none.
        above = f"{value} > {_number(bounds.max)} AND NOT isnan(CAST({value} AS DOUBLE))"
        cases += f" WHEN {above} THEN {_number(bounds.max)}"
        beyond.append(above)
    clipped = one_value(
        bench.connection,
        f"SELECT count(*) FROM {identifier(table.name)} WHERE {' OR '.join(beyond)}",
    )
    bounded = f"CASE{cases} ELSE {value} END"
    query = with_column(identifier(table.name), table.columns, name, bounded)
    does = Assigned(makes=made(name), expression=bounded, columns=(name,))
    notes = (f"{clipped:,} values of '{name}' are clipped",) if clipped else ()
    return Change(query, (does,), notes=notes, column=name)


def _number(bound: float) -> str:
    """Whole bounds stay whole, so that a column of whole numbers does."""
    return str(int(bound)) if bound.is_integer() else f"{bound!r}::DOUBLE"


def _missing(bench: Workbench, values: str) -> int:
    return one_value(bench.connection, f"SELECT count(*) FROM ({values}) WHERE v IS NULL")
