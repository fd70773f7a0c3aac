"""Labels joined to the rows that they are about, as their target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from evergreen.contracts.project_file import Labelling
from evergreen.data.engine import identifier
from evergreen.data.parquet_columns import column_type
from evergreen.features.steps import ROW, Table
from evergreen.labelling.statements import RESOLVED, Resolution, as_key, resolve

KEYS = "labelling_keys"
"""Table of the engine: `ROW`, the key of each row as text (`k0` …), its label, `by_choice`."""


@dataclass(frozen=True)
class Annotated:
    """Rows with what labellers said of them.

    Of the resolved labels, `unmatched` are of keys that no row has; `own` rows have a value
    themselves, which counts, and in `differing` of them the label is another; `unreadable` rows
    got a label that is no value of the target's type. `shared` keys name several rows each: all of
    them get the label. `keyless` rows cannot be labelled.
    """

    table: Table
    resolution: Resolution
    labelled: int
    unmatched: int
    own: int
    differing: int
    unreadable: int
    shared: int
    keyless: int

    def to_plain(self) -> dict[str, Any]:
        """As JSON values."""
        names = ("labelled", "unmatched", "own", "differing", "unreadable", "shared", "keyless")
        counts = {name: getattr(self, name) for name in names}
        return {**counts, "resolution": self.resolution.to_plain()}

    @property
    def notes(self) -> list[str]:
        """What an owner should know, a sentence each."""
        of = self.resolution
        said = [f"{self.labelled:,} rows got their target from {of.statements:,} labels"]
        counts = {
            f"keys were labelled differently; the policy left {of.unresolved:,} open": of.conflicts,
            "keys have too few labellers yet": of.waiting,
            "labels were revised by their labeller": of.revised,
            "labels contradict another of the same labeller and time": of.contradictory,
            "labelled keys name no row": self.unmatched,
            "labelled keys name several rows each: all of them are labelled": self.shared,
            f"labels are of rows with a value of their own, which counts; {self.differing:,} "
            "differ from it": self.own,
            "labels are no value of the target's type": self.unreadable,
            "rows have no key and cannot be labelled": self.keyless,
            **{f"rows of label files say nothing: {fault}": n for fault, n in of.invalid.items()},
        }
        said += [f"{count:,} {what}" for what, count in counts.items() if count]
        said += [f"left out of the labels: {fault}" for fault in of.files_left_out]
        said += [of.overall.sentence] if of.overall else []
        return said + [each.sentence for each in of.agreements]


def annotate(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    target: str,
    labelling: Labelling,
    files: Sequence[Path],
    name: str,
) -> Annotated:
    """Give rows without a target the label that the policy makes of what was said; keep the rest.

    Makes the table KEYS beside it. The target need not be among the columns. Raises
    PreparationRefusedError for a key that is not.
    """
    table.require(labelling.key, "among the columns of the dataset, and it is the labels' key")
    resolution = resolve(connection, labelling, target, files)
    keys = [f"k{place}" for place in range(len(labelling.key))]
    texts = ", ".join(
        f"{as_key(column, table.columns[column])} AS {key}"
        for column, key in zip(labelling.key, keys, strict=True)
    )
    using = ", ".join(keys)
    rows, row, there = identifier(table.name), identifier(ROW), target in table.columns
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {KEYS} AS "
        f"SELECT keyed.*, label, coalesce(by_choice, false) AS by_choice "
        f"FROM (SELECT {row}, {texts} FROM {rows}) AS keyed LEFT JOIN {RESOLVED} USING ({using})"
    )
    own = f"rows.{identifier(target)}" if there else "NULL"
    kind = _type(connection, table, target, resolution)
    said = _as(kind, f"{KEYS}.label")
    joined = f"FROM {rows} AS rows JOIN {KEYS} USING ({row})"
    value = f"coalesce(CAST({own} AS {kind}), {said}) AS {identifier(target)}"
    columns = f"rows.* REPLACE ({value})" if there else f"rows.*, {value}"
    counted = connection.execute(
        f"SELECT count(*) FILTER ({own} IS NULL AND {said} IS NOT NULL), "
        f"count(*) FILTER ({own} IS NOT NULL AND label IS NOT NULL), "
        f"count(*) FILTER (CAST({own} AS {kind}) <> {said}), "
        f"count(*) FILTER (label IS NOT NULL AND {said} IS NULL), "
        f"count(*) FILTER ({' OR '.join(f'{key} IS NULL' for key in keys)}) {joined}"
    ).fetchone()
    labelled, owning, differing, unreadable, keyless = (int(each or 0) for each in counted or ())
    unmatched = _count(
        connection, f"SELECT count(*) FROM {RESOLVED} ANTI JOIN {KEYS} USING ({using})"
    )
    shared = _count(
        connection,
        f"SELECT count(*) FROM (SELECT {using} FROM {KEYS} WHERE label IS NOT NULL "
        f"GROUP BY {using} HAVING count(*) > 1)",
    )
    connection.execute(
        f"CREATE TEMP TABLE {identifier(name)} AS SELECT {columns} {joined} ORDER BY {row}"
    )
    connection.execute(f"DROP TABLE {rows}")
    return Annotated(
        table=Table.of(connection, name),
        resolution=resolution,
        labelled=labelled,
        unmatched=unmatched,
        own=owning,
        differing=differing,
        unreadable=unreadable,
        shared=shared,
        keyless=keyless,
    )


def _type(
    connection: duckdb.DuckDBPyConnection, table: Table, target: str, resolution: Resolution
) -> str:
    """The target's type; a target without any value has that of its labels."""
    if target in table.columns and _count(
        connection, f"SELECT count({identifier(target)}) FROM {identifier(table.name)}"
    ):
        return table.columns[target]
    types = resolution.types
    if types == {"integer"}:
        return "BIGINT"
    if types and types <= {"integer", "number"}:
        return "DOUBLE"
    return "BOOLEAN" if types == {"boolean"} else "VARCHAR"


def _as(sql_type: str, label: str) -> str:
    """SQL for a label's text as a value of a type; NULL where it is none."""
    if column_type(sql_type) == "integer":
        # '1.0' is a whole number too; '1.5' is not one.
        real = f"TRY_CAST({label} AS DOUBLE)"
        return f"CASE WHEN {real} = floor({real}) THEN TRY_CAST({real} AS {sql_type}) END"
    return f"TRY_CAST({label} AS {sql_type})"


def _count(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0
