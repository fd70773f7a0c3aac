"""What is predicted, found from the target's values unless the project declares it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb

from evergreen.contracts.project_file import ProjectFile
from evergreen.data.engine import identifier, one_value
from evergreen.data.parquet_columns import column_type
from evergreen.features.refusal import PreparationRefusedError
from evergreen.features.signature import Task
from evergreen.features.workbench import Table

FEWEST_ROWS = 20
MOST_CLASSES = 100
MOST_WHOLE_NUMBERS = 10
"""Whole numbers with more different values than this are numbers, not classes."""

ROWS_PER_WHOLE_NUMBER = 5
"""… and so are those of which a value has fewer rows than this on average."""

YES = frozenset({"true", "yes", "y", "t", "1", "positive", "ja", "oui", "si", "sí"})
NO = frozenset({"false", "no", "n", "f", "0", "negative", "nein", "non"})


@dataclass(frozen=True)
class Target:
    """The task, its classes in order (the positive of two last), and SQL for a row's value.

    `value` is a class as text, or a DOUBLE; NULL where the target is missing. `counts`: rows
    per class.
    """

    task: Task
    value: str
    classes: tuple[str, ...] = ()
    counts: Mapping[str, int] | None = None


def find_target(
    connection: duckdb.DuckDBPyConnection, table: Table, project: ProjectFile
) -> Target:
    """Find task and classes over all rows that have a target; raises PreparationRefusedError."""
    name = project.target
    if name not in table.columns:
        table.require([name], "among the prepared columns, and it is the target")
    kind = column_type(table.columns[name])
    if kind is None or kind in {"date", "timestamp"}:
        raise PreparationRefusedError(
            f"the target '{name}' is {table.columns[name]}, which cannot be predicted; derive a "
            "number or a class from it",
            column=name,
        )
    value = identifier(name)
    rows = one_value(connection, f"SELECT count({value}) FROM {identifier(table.name)}")
    if rows < FEWEST_ROWS:
        raise PreparationRefusedError(
            f"{rows} rows have a value of '{name}'; at least {FEWEST_ROWS} are needed", column=name
        )
    if _are_classes(connection, table, project, kind, rows):
        return _classes(connection, table, project, kind, rows)
    if kind == "text":
        raise PreparationRefusedError(
            f"the task is regression and the target '{name}' is text; declare another task or "
            "derive a number",
            column=name,
        )
    number = f"CAST({value} AS DOUBLE)"
    if one_value(connection, f"SELECT count(DISTINCT {value}) FROM {identifier(table.name)}") == 1:
        raise PreparationRefusedError(
            f"the target '{name}' has the same value in all {rows:,} rows: nothing to learn",
            column=name,
        )
    return Target(Task.REGRESSION, number)


def _are_classes(
    connection: duckdb.DuckDBPyConnection, table: Table, project: ProjectFile, kind: str, rows: int
) -> bool:
    if project.task is not None:
        return project.task != "regression"
    if kind in {"text", "boolean"}:
        return True
    name = identifier(project.target)
    row = connection.execute(
        f"SELECT approx_count_distinct({name}), bool_and({name} = floor({name})) "
        f"FROM {identifier(table.name)}"
    ).fetchone()
    roughly, whole = row or (0, False)
    if not whole or roughly > MOST_WHOLE_NUMBERS * 2:
        return False
    distinct = one_value(connection, f"SELECT count(DISTINCT {name}) FROM {identifier(table.name)}")
    return distinct <= MOST_WHOLE_NUMBERS and distinct * ROWS_PER_WHOLE_NUMBER <= rows


def _classes(
    connection: duckdb.DuckDBPyConnection, table: Table, project: ProjectFile, kind: str, rows: int
) -> Target:
    text = _class_text(project.target, kind)
    found = connection.execute(
        f"SELECT {text}, count(*) FROM {identifier(table.name)} "
        f"WHERE {text} IS NOT NULL GROUP BY 1 ORDER BY 1 LIMIT {MOST_CLASSES + 1}"
    ).fetchall()
    counts = {str(each): int(number) for each, number in found}
    name = project.target
    if len(counts) == 1:
        raise PreparationRefusedError(
            f"the target '{name}' is '{next(iter(counts))}' in all {rows:,} rows: nothing to learn",
            column=name,
        )
    if len(counts) > MOST_CLASSES or len(counts) * 2 > rows:
        raise PreparationRefusedError(
            f"the target '{name}' has too many different values to be classes "
            f"(more than {MOST_CLASSES}, or one for every second row)"
            + ("" if kind in {"text", "boolean"} else "; declare task: regression"),
            column=name,
        )
    task = Task.BINARY if len(counts) == 2 else Task.MULTICLASS  # noqa: PLR2004
    if project.task == "binary" and task is not Task.BINARY:
        raise PreparationRefusedError(
            f"the task is binary and the target '{name}' has {len(counts)} classes: "
            f"{', '.join(counts)}",
            column=name,
        )
    classes = tuple(sorted(counts))
    if task is Task.BINARY:
        positive = positive_class(counts, project.positive)
        classes = tuple(sorted(counts, key=lambda each: (each == positive, each)))
    if project.task == "multiclass":
        task = Task.MULTICLASS
    return Target(task, text, classes, counts)


def _class_text(name: str, kind: str) -> str:
    """SQL for a class as text: 1 and 1.0 are the same class, '' is none."""
    value = identifier(name)
    if kind == "number":
        whole = f"{value} = floor({value}) AND abs({value}) < 1e15"
        return (
            f"CASE WHEN {whole} THEN CAST(TRY_CAST({value} AS BIGINT) AS VARCHAR) "
            f"ELSE CAST({value} AS VARCHAR) END"
        )
    return f"nullif(CAST({value} AS VARCHAR), '')"


def positive_class(counts: Mapping[str, int], declared: str | bool | int | None) -> str:  # noqa: FBT001
    """The class that probabilities are given for: the declared one, else yes, else the rarer.

    >>> positive_class({"No": 90, "Yes": 10}, None)
    'Yes'
    >>> positive_class({"paid": 10, "default": 90}, None)
    'paid'
    >>> positive_class({"0": 10, "1": 90}, False)
    '0'
    """
    if declared is not None:
        text = str(declared).casefold()
        alike = {text}
        if isinstance(declared, bool):
            alike = set(YES if declared else NO)
        same = [each for each in counts if each.casefold() in alike]
        if not same:
            raise PreparationRefusedError(
                f"positive is '{declared}', which is no class of the target; "
                f"there are {', '.join(repr(each) for each in counts)}",
                value=str(declared),
            )
        return same[0]
    yes = [each for each in counts if each.casefold() in YES]
    if len(yes) == 1:
        return yes[0]
    return min(sorted(counts, reverse=True), key=lambda each: counts[each])
