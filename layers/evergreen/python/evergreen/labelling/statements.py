"""What labellers said about rows: read from all files that were ever uploaded, and resolved."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import duckdb

from evergreen.contracts.project_file import Labelling
from evergreen.data.engine import identifier, literal, parquet
from evergreen.data.parquet_columns import column_type
from evergreen.data.parts import schema_of
from evergreen.data.schema import SQL_TYPES, ColumnType
from evergreen.labelling.krippendorff import OverallAgreement, overall_agreement
from evergreen.labelling.rater_agreement import Agreement, agreement

HISTORY = "labels.parquet"
"""The file of all that was ever said, beside the prepared table."""

STATEMENTS = "labelling_statements"
CURRENT = "labelling_current"
RESOLVED = "labelling_resolved"

CHOSEN_BY = "chosen_by"
"""Column of a list for labelling: `uncertainty` or `random`; comes back with the labels."""

MOST_LABELS = 100
"""Labels with more different values than this are numbers: agreement by chance says nothing."""

MOST_COMPARED = 20
"""Labellers that are compared with each other: those who said the most."""


def _expert(labelling: Labelling) -> str:
    ranks = " ".join(
        f"WHEN {literal(name)} THEN {place}" for place, name in enumerate(labelling.experts)
    )
    return f"CASE who {ranks} ELSE {len(labelling.experts)} END"


PREFERENCES: Mapping[str, Callable[[Labelling], str]] = {
    "latest": lambda _: "moment DESC",
    "majority": lambda _: "votes DESC",
    "expert": _expert,
    "agreement": lambda _: "0",
}
"""Policy → SQL that orders what is said of a row. What comes first must be of one mind."""


@dataclass(frozen=True)
class Resolution:
    """What became of all statements.

    `statements` were read, without exact repeats; `invalid` rows by reason; `revised` were replaced
    by a later statement of the same labeller, `contradictory` ones stand beside another of the
    same labeller and time, and count for nothing. Of `labelled` rows' keys, `conflicts` had
    different labels; the policy could not resolve `unresolved` of them, and `waiting` more have
    too few labellers yet. `agreements` compare each two labellers; `overall` all together, where
    there are more than two. `types` are those of the label columns.
    """

    statements: int
    invalid: Mapping[str, int]
    revised: int
    contradictory: int
    labelled: int
    conflicts: int
    unresolved: int
    waiting: int
    agreements: tuple[Agreement, ...]
    overall: OverallAgreement | None
    types: frozenset[ColumnType]
    files_left_out: tuple[str, ...]

    def to_plain(self) -> dict[str, Any]:
        """As JSON values."""
        plain = {**asdict(self), "types": sorted(self.types)}
        return {**plain, "agreements": [each.to_plain() for each in self.agreements]}


def resolve(
    connection: duckdb.DuckDBPyConnection, labelling: Labelling, target: str, files: Sequence[Path]
) -> Resolution:
    """Make the table RESOLVED: one row per labelled key, `k0` … and `label` as text, `by_choice`.

    `files` are the Parquet parts of the label dataset, all that there ever were. A file that lacks
    a column is left out and said, because what is appended cannot be taken back. `by_choice` says
    that the row was listed because the model was uncertain of it.
    """
    selects, types, left_out = [], set(), []
    for file in files:
        try:
            select, kind = _statements_of(connection, labelling, target, file)
        except _LacksColumnError as error:
            left_out.append(str(error))
            continue
        selects.append(select)
        types.add(kind)
    keys = [f"k{place}" for place in range(len(labelling.key))]
    if not selects:
        empty = ", ".join(f"NULL::VARCHAR AS {name}" for name in (*keys, "who", "label", "chosen"))
        selects = [f"SELECT {empty}, NULL::TIMESTAMP AS moment LIMIT 0"]
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE said AS "
        f"SELECT DISTINCT * FROM ({' UNION ALL '.join(selects)})"
    )
    invalid = _set_invalid_aside(connection, labelling, keys)
    statements, revised, contradictory = _current(connection, labelling, keys)
    labelled, conflicts, unresolved, waiting = _resolved(connection, labelling, keys)
    (labels,) = _row(connection, f"SELECT count(DISTINCT label) FROM {CURRENT}")
    comparable = labelling.labeller is not None and labels <= MOST_LABELS
    return Resolution(
        statements=statements,
        invalid=invalid,
        revised=revised,
        contradictory=contradictory,
        labelled=labelled,
        conflicts=conflicts,
        unresolved=unresolved,
        waiting=waiting,
        agreements=_agreements(connection, keys) if comparable else (),
        overall=_overall(connection, keys) if comparable else None,
        types=frozenset(types),
        files_left_out=tuple(left_out),
    )


def write_history(
    connection: duckdb.DuckDBPyConnection, labelling: Labelling, destination: Path
) -> None:
    """Write all that was ever said, and what became of it, as one Parquet table.

    Columns: the key, `label`, `labeller` and `said_at` where declared, `current` (its labeller's
    last word on the row), and `resolved`, the label that the policy made of all.
    """
    keys = [f"k{place}" for place in range(len(labelling.key))]
    columns = [
        f"said.{key} AS {identifier(name)}" for key, name in zip(keys, labelling.key, strict=True)
    ]
    columns += ["said.label AS label"]
    columns += ["said.who AS labeller"] if labelling.labeller else []
    columns += ["said.moment AS said_at"] if labelling.time else []
    same = " AND ".join(
        f"said.{name} IS NOT DISTINCT FROM last.{name}"
        for name in (*keys, "who", "label", "moment")
    )
    resolved = " AND ".join(f"said.{key} = resolved.{key}" for key in keys)
    connection.execute(
        f"COPY (SELECT {', '.join(columns)}, last.who IS NOT NULL AS current, "
        f"resolved.label AS resolved FROM {STATEMENTS} AS said "
        f"LEFT JOIN {CURRENT} AS last ON {same} LEFT JOIN {RESOLVED} AS resolved ON {resolved} "
        f"ORDER BY {', '.join(f'said.{name}' for name in (*keys, 'moment', 'who', 'label'))}) "
        f"TO {literal(str(destination))} (FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false)"
    )


def as_key(name: str, sql_type: str) -> str:
    """SQL for a value as text, alike for the same value in another type: 5, 5.0 and '5'."""
    value, kind = identifier(name), column_type(sql_type)
    if kind == "number":
        whole = f"{value} = floor({value}) AND abs({value}) < 1e15"
        return (
            f"CASE WHEN {whole} THEN CAST(TRY_CAST({value} AS BIGINT) AS VARCHAR) "
            f"ELSE CAST({value} AS VARCHAR) END"
        )
    if kind in {"date", "timestamp"}:
        return f"CAST(CAST({value} AS TIMESTAMP) AS VARCHAR)"
    return f"nullif(trim(CAST({value} AS VARCHAR)), '')"


class _LacksColumnError(Exception):
    """A file without a column that statements need."""


def _statements_of(
    connection: duckdb.DuckDBPyConnection, labelling: Labelling, target: str, file: Path
) -> tuple[str, ColumnType]:
    """SQL for the statements in a file, and the type of its labels."""
    schema = schema_of(connection, file)
    label = labelling.label or (target if target in schema.names else "label")
    needed = [*labelling.key, label, labelling.labeller, labelling.time]
    for name in filter(None, needed):
        if name not in schema.names:
            has = ", ".join(f"'{each}'" for each in schema.names)
            raise _LacksColumnError(f"a file has no column '{name}'; it has {has}")

    def text(name: str | None) -> str:
        column = schema.column(name) if name else None
        return as_key(column.name, SQL_TYPES[column.type]) if column else "NULL::VARCHAR"

    at = f"TRY_CAST({identifier(labelling.time)} AS TIMESTAMP)" if labelling.time else "NULL"
    values = [f"{text(name)} AS k{place}" for place, name in enumerate(labelling.key)]
    values += [f"{text(labelling.labeller)} AS who", f"{text(label)} AS label"]
    values += [f"{text(CHOSEN_BY)} AS chosen", f"CAST({at} AS TIMESTAMP) AS moment"]
    kind = next(column.type for column in schema.columns if column.name == label)
    return f"SELECT {', '.join(values)} FROM {parquet([file])}", kind


def _set_invalid_aside(
    connection: duckdb.DuckDBPyConnection, labelling: Labelling, keys: Sequence[str]
) -> dict[str, int]:
    """Remove what is no statement from `said`; how many, by reason."""
    faults = {"the key is empty": " OR ".join(f"{key} IS NULL" for key in keys)}
    faults["the label is empty"] = "label IS NULL"
    if labelling.time:
        faults[f"'{labelling.time}' is no time"] = "moment IS NULL"
    cases = " ".join(f"WHEN {fault} THEN {literal(said)}" for said, fault in faults.items())
    found = connection.execute(
        f"SELECT CASE {cases} END AS fault, count(*) FROM said GROUP BY 1 "
        "HAVING fault IS NOT NULL ORDER BY 1"
    ).fetchall()
    connection.execute(f"DELETE FROM said WHERE {' OR '.join(faults.values())}")
    return {str(fault): int(rows) for fault, rows in found}


def _current(
    connection: duckdb.DuckDBPyConnection, labelling: Labelling, keys: Sequence[str]
) -> tuple[int, int, int]:
    """Make CURRENT: each labeller's last word on each row. Statements, revised, contradictory."""
    key = ", ".join(keys)
    # Nobody's statements cannot revise each other: each is a voice of its own.
    voice = "coalesce(who, '')" if labelling.labeller else "CAST(row_number() OVER () AS VARCHAR)"
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {STATEMENTS} AS "
        f"SELECT {key}, label, moment, {voice} AS who, "
        "coalesce(bool_or(chosen = 'uncertainty'), false) AS by_choice "
        f"FROM said GROUP BY {key}, label, moment, said.who"
    )
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {CURRENT} AS SELECT *, "
        f"count(*) OVER (PARTITION BY {key}, who) > 1 AS contradictory FROM ("
        f"SELECT * FROM {STATEMENTS} "
        f"QUALIFY rank() OVER (PARTITION BY {key}, who ORDER BY moment DESC) = 1)"
    )
    (statements,) = _row(connection, f"SELECT count(*) FROM {STATEMENTS}")
    last, contradictory = _row(
        connection, f"SELECT count(*), count(*) FILTER (contradictory) FROM {CURRENT}"
    )
    connection.execute(f"DELETE FROM {CURRENT} WHERE contradictory")
    return statements, statements - last, contradictory


def _resolved(
    connection: duckdb.DuckDBPyConnection, labelling: Labelling, keys: Sequence[str]
) -> tuple[int, int, int, int]:
    """Make RESOLVED. Keys with a label, keys in conflict, of them unresolved, keys that wait."""
    key = ", ".join(keys)
    preference = PREFERENCES[labelling.policy](labelling)
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE judged AS "
        f"SELECT {key}, min(label) AS label, count(DISTINCT label) = 1 AS of_one_mind, "
        f"any_value(conflict) AS conflict, any_value(voices) >= {labelling.voices} AS enough, "
        "any_value(by_choice) AS by_choice FROM (SELECT * FROM ("
        f"SELECT {key}, label, moment, who, "
        f"count(*) OVER (PARTITION BY {key}, label) AS votes, "
        f"count(*) OVER (PARTITION BY {key}) AS voices, "
        f"bool_or(by_choice) OVER (PARTITION BY {key}) AS by_choice, "
        f"min(label) OVER (PARTITION BY {key}) <> max(label) OVER (PARTITION BY {key}) "
        f"AS conflict FROM {CURRENT}) "
        f"QUALIFY rank() OVER (PARTITION BY {key} ORDER BY {preference}) = 1) GROUP BY {key}"
    )
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {RESOLVED} AS "
        f"SELECT {key}, label, by_choice FROM judged WHERE of_one_mind AND enough"
    )
    labelled, conflicts, unresolved, waiting = _row(
        connection,
        "SELECT count(*) FILTER (of_one_mind AND enough), count(*) FILTER (conflict), "
        "count(*) FILTER (NOT of_one_mind), count(*) FILTER (of_one_mind AND NOT enough) "
        "FROM judged",
    )
    return labelled, conflicts, unresolved, waiting


def _agreements(
    connection: duckdb.DuckDBPyConnection, keys: Sequence[str]
) -> tuple[Agreement, ...]:
    """Compare each two labellers that have rows in common, those with the most first."""
    found = connection.execute(
        f"WITH chief AS (SELECT who FROM {CURRENT} GROUP BY who ORDER BY count(*) DESC, who "
        f"LIMIT {MOST_COMPARED}), "
        f"compared AS (SELECT * FROM {CURRENT} SEMI JOIN chief USING (who)), counted AS ("
        "SELECT a.who AS first, b.who AS second, a.label AS one, b.label AS other, count(*) AS n "
        f"FROM compared AS a JOIN compared AS b USING ({', '.join(keys)}) WHERE a.who < b.who "
        "GROUP BY ALL) SELECT first, second, one, other, n FROM counted "
        "ORDER BY sum(n) OVER (PARTITION BY first, second) DESC, first, second, one, other"
    ).fetchall()
    return tuple(
        agreement(pair, {(one, other): int(rows) for _, _, one, other, rows in cells})
        for pair, cells in groupby(found, key=lambda cell: (str(cell[0]), str(cell[1])))
    )


def _overall(connection: duckdb.DuckDBPyConnection, keys: Sequence[str]) -> OverallAgreement | None:
    """Compare all labellers of rows with two or more labels; None for fewer than three of them."""
    key = ", ".join(keys)
    shared = f"SELECT {key} FROM {CURRENT} GROUP BY {key} HAVING count(*) > 1"
    (labellers,) = _row(
        connection,
        f"SELECT count(DISTINCT who) FROM {CURRENT} SEMI JOIN ({shared}) USING ({key})",
    )
    if labellers < 3:  # noqa: PLR2004 - two are compared as a pair
        return None
    found = connection.execute(
        f"SELECT labels, count(*) FROM (SELECT list(label ORDER BY label) AS labels "
        f"FROM {CURRENT} GROUP BY {key} HAVING count(*) > 1) GROUP BY labels ORDER BY labels"
    ).fetchall()
    return overall_agreement(labellers, {tuple(labels): int(rows) for labels, rows in found})


def _row(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[int, ...]:
    row = connection.execute(query).fetchone()
    return tuple(int(value or 0) for value in row or ())
