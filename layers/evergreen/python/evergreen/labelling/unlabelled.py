"""Rows without a target: kept in the prepared table for people to label, and out of training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
from numpy.typing import NDArray

from evergreen.contracts.project_file import ProjectFile
from evergreen.data.engine import identifier, literal
from evergreen.features.columnar import fetch_column
from evergreen.features.feedback import HAPPENED_AT
from evergreen.features.holdout import Holdout
from evergreen.features.refusal import PreparationRefusedError
from evergreen.features.steps import ROW, Table
from evergreen.labelling.annotation import KEYS, Annotated
from evergreen.labelling.statements import HISTORY, write_history

UNLABELLED = "unlabelled"
"""Table of the engine: the prepared rows of the dataset that have no target."""

KEY = "evergreen.key."
"""Prefix of columns of the prepared table: the key by which labels find a row, as text."""


class NotEnoughLabelsError(PreparationRefusedError):
    """Rows are prepared and cannot be learned from before more of them are labelled."""

    def __init__(self, problem: str, annotated: Annotated) -> None:
        super().__init__(problem)
        self.annotated = annotated


def set_unlabelled_aside(connection: duckdb.DuckDBPyConnection, rows: Table, target: str) -> None:
    """Make the table UNLABELLED of the rows whose `target` (SQL) is null, without predictions."""
    described = connection.execute(f"DESCRIBE {identifier(rows.name)}").fetchall()
    hidden = HAPPENED_AT in {str(column) for column, *_ in described}
    dataset_only = f" AND {identifier(HAPPENED_AT)} IS NULL" if hidden else ""
    columns = ", ".join(identifier(name) for name in (*rows.columns, ROW))
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {UNLABELLED} AS SELECT {columns} "
        f"FROM {identifier(rows.name)} WHERE ({target}) IS NULL{dataset_only} "
        f"ORDER BY {identifier(ROW)}"
    )


def with_unlabelled(project: ProjectFile, labelled: str, columns: str, place: str) -> str:
    """SQL for all prepared rows: the labelled ones in order, then those whose holdout is null.

    `labelled` gives `columns`, whether a row is held out, ROW and `place`. Where a labelling is
    declared, columns with the key of each row follow.
    """
    row = identifier(ROW)
    both = f"{labelled} UNION ALL SELECT {columns}, NULL, {row}, NULL FROM {UNLABELLED}"
    keys = project.labelling.key if project.labelling else []
    if not keys:
        return f"SELECT * EXCLUDE ({row}, {place}) FROM ({both})"
    named = ", ".join(f"k{number} AS {identifier(KEY + key)}" for number, key in enumerate(keys))
    return (
        f"SELECT prepared.* EXCLUDE ({row}, {place}), {named} FROM ({both}) AS prepared "
        f"LEFT JOIN {KEYS} USING ({row}) ORDER BY {place} NULLS LAST, {row}"
    )


def write_for_labelling(
    connection: duckdb.DuckDBPyConnection, project: ProjectFile, rows: Table, path: Path
) -> None:
    """Write prepared rows that cannot be learned from yet, for people to label; `holdout` is null.

    Beside them, the HISTORY of all labels.
    """
    target, row, place = identifier(project.target), identifier(ROW), '"evergreen.place"'
    set_unlabelled_aside(connection, rows, target)
    columns = ", ".join(identifier(name) for name in rows.columns)
    labelled = (
        f"SELECT {columns}, NULL::BOOLEAN AS holdout, {row}, {row} AS {place} "
        f"FROM {identifier(rows.name)} WHERE {target} IS NOT NULL"
    )
    connection.execute(
        f"COPY ({with_unlabelled(project, labelled, columns, place)}) "
        f"TO {literal(str(path))} (FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false)"
    )
    if project.labelling:
        write_history(connection, project.labelling, path.with_name(HISTORY))


def without_choice(
    connection: duckdb.DuckDBPyConnection, ordered: Table, holdout: Holdout
) -> tuple[Holdout, NDArray[np.bool_], list[str]]:
    """A holdout without the rows that were labelled because a model was uncertain of them.

    They are harder than others: judged by them, a model would look worse than it is. They are
    learned from instead; but where the holdout is a time or whole groups, or has equal rows, what
    belongs to it must not be learned from either, and they are left out. Also gives the rows that
    are kept, (rows,).
    """
    kept = holdout.kept
    row = identifier(ROW)
    flag = f"CAST({row} IN (SELECT {row} FROM {KEYS} WHERE by_choice) AS INT)"
    chosen = (fetch_column(connection, ordered.name, flag) > 0) & holdout.held
    if not chosen.any():
        return holdout, kept, []
    held = holdout.held & ~chosen
    belongs = chosen
    if not holdout.ordered:
        groups = holdout.groups
        belongs = chosen & np.isin(groups, groups[held]) if groups.size else chosen & ~chosen
    kept = kept & ~belongs
    said = (
        f"{chosen.sum():,} rows were labelled because the model was uncertain of them, and are not "
        f"held out, where they would count as if they were usual; {belongs.sum():,} of them belong "
        "with rows that are, and are not learned from either"
    )
    return replace(holdout, held=held), kept, [said]


def said_of_unlabelled(rows: int, project: ProjectFile) -> str:
    """What an owner should know of rows without a target."""
    said = f"{rows:,} rows have no value of '{project.target}': they are kept, and not learned from"
    if project.labelling is None:
        return f"{said}; declare labelling to have them listed for labelling"
    return said
