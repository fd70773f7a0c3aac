"""Which prediction a label is about: the one that it names, or the last of its entity before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import duckdb

from evergreen.monitoring import parquet
from evergreen.monitoring.captures import INPUT, KEY, each_once

MATCHED = "matched"


@dataclass(frozen=True)
class Label:
    """One row of a label file (`row` counts from 1), which names a prediction or an entity.

    `label` and the values of `key` are texts; `happened_at` and `labelled_at` are UTC without an
    offset.
    """

    row: int
    label: str
    labelled_at: datetime
    labeller: str | None = None
    prediction_id: str | None = None
    key: Mapping[str, str] | None = None
    happened_at: datetime | None = None


@dataclass(frozen=True)
class Unmatched:
    """A row that belongs to no prediction, or to none in particular; the label is not used."""

    row: int
    reason: str


NOT_CAPTURED = "no prediction with this id was captured"
SAME_TIME = "several predictions of this entity were asked for at the same time"
DISAGREE = "other labels of the same prediction, and none of them is the newest"


def match(
    connection: duckdb.DuckDBPyConnection,
    labels: Sequence[Label],
    captures: Sequence[Path],
    within: timedelta | None,
    scratch: Path,
) -> tuple[list[Unmatched], int]:
    """Make the table MATCHED: captures that got a label, with `label`, `labeller`, `labelled_at`.

    A label of an entity belongs to its last prediction at or before the label's time, and not
    older than `within`. Of several labels of one prediction the newest by `labelled_at` counts; if
    the newest ones differ, none does, unless rows that name the prediction by id have no order but
    their own: then the last does. Gives the rows that are not used, and how many predictions got
    labels that differ.
    """
    keys = list(labels[0].key or {}) if labels else []
    _store(connection, labels, keys, scratch)
    connection.execute(
        "CREATE TEMP TABLE captured AS SELECT * FROM "  # noqa: S608
        f"(SELECT * FROM {parquet.scan(captures)} {each_once('asked_at')})"
    )
    if keys:
        unmatched = _match_entities(connection, keys, within or timedelta(0))
    else:
        unmatched = _match_ids(connection)
    conflicts, disagreeing = _settle(connection)
    rows = [*unmatched, *disagreeing]
    return sorted(rows, key=lambda each: each.row), conflicts


def _store(
    connection: duckdb.DuckDBPyConnection,
    labels: Sequence[Label],
    keys: Sequence[str],
    scratch: Path,
) -> None:
    types = {"row": "BIGINT", "label": "VARCHAR", "labeller": "VARCHAR", "labelled_at": "TIMESTAMP"}
    types |= {"prediction_id": "VARCHAR", "moment": "TIMESTAMP"}
    types |= {f"k{place}": "VARCHAR" for place in range(len(keys))}
    rows = (
        {
            "row": each.row,
            "label": each.label,
            "labeller": each.labeller,
            "labelled_at": each.labelled_at.isoformat(),
            "prediction_id": each.prediction_id,
            "moment": each.happened_at.isoformat() if each.happened_at else None,
            **{f"k{place}": (each.key or {}).get(name) for place, name in enumerate(keys)},
        }
        for each in labels
    )
    parquet.store(connection, rows, types, scratch)


def _match_ids(connection: duckdb.DuckDBPyConnection) -> list[Unmatched]:
    connection.execute(
        "CREATE TEMP TABLE candidates AS SELECT given.* FROM given "
        "SEMI JOIN captured ON given.prediction_id = captured.prediction_id"
    )
    return _without(connection, "SELECT row FROM candidates", NOT_CAPTURED)


def _match_entities(
    connection: duckdb.DuckDBPyConnection, keys: Sequence[str], within: timedelta
) -> list[Unmatched]:
    types = parquet.types_of(connection, "captured")
    equal = " AND ".join(
        f"given.k{place} = {_captured_key(name, types)}" for place, name in enumerate(keys)
    )
    connection.execute(
        "CREATE TEMP TABLE nearest AS SELECT given.* EXCLUDE prediction_id, "  # noqa: S608
        "captured.prediction_id, captured.happened_at FROM given "
        f"JOIN captured ON {equal} AND captured.happened_at <= given.moment "
        "AND captured.happened_at >= given.moment - to_microseconds($within) "
        "QUALIFY rank() OVER (PARTITION BY row ORDER BY captured.happened_at DESC) = 1",
        {"within": int(within / timedelta(microseconds=1))},
    )
    connection.execute(
        "CREATE TEMP TABLE candidates AS SELECT * FROM nearest "
        "QUALIFY count(*) OVER (PARTITION BY row) = 1"
    )
    said = f"no prediction of this entity was captured at that time or {within} before it"
    absent = _without(connection, "SELECT row FROM nearest", said)
    unclear = _without(
        connection,
        "SELECT row FROM candidates UNION ALL "
        "SELECT row FROM given ANTI JOIN nearest ON given.row = nearest.row",
        SAME_TIME,
    )
    return [*absent, *unclear]


def _captured_key(name: str, types: Mapping[str, str]) -> str:
    """SQL for an entity's key as it was asked with, used by the model or not, like `as_text`."""
    texts = []
    for place in (KEY + name, INPUT + name):
        value = f"captured.{parquet.identifier(place)}"
        text = f"CAST({value} AS VARCHAR)"
        if types.get(place) == "DOUBLE":
            whole = f"CAST(TRY_CAST({value} AS BIGINT) AS VARCHAR)"
            text = f"CASE WHEN {value} = floor({value}) THEN {whole} ELSE {text} END"
        if place in types:
            texts.append(text)
    return f"coalesce({', '.join(texts)})" if texts else "NULL"


def _settle(connection: duckdb.DuckDBPyConnection) -> tuple[int, list[Unmatched]]:
    """Make MATCHED of the newest candidate of each prediction."""
    connection.execute(
        "CREATE TEMP TABLE newest AS SELECT *, "
        "count(DISTINCT label) OVER (PARTITION BY prediction_id) > 1 AS unclear FROM ("
        "SELECT * FROM candidates QUALIFY rank() OVER ("
        "PARTITION BY prediction_id ORDER BY labelled_at DESC, "
        "CASE WHEN moment IS NULL THEN row END DESC) = 1)"
    )
    connection.execute(
        f"CREATE TEMP TABLE {MATCHED} AS "  # noqa: S608
        "SELECT captured.*, newest.label, newest.labeller, newest.labelled_at FROM captured "
        "JOIN (SELECT * FROM newest WHERE NOT unclear "
        "QUALIFY row_number() OVER (PARTITION BY prediction_id ORDER BY row DESC) = 1) AS newest "
        "ON captured.prediction_id = newest.prediction_id"
    )
    counted = connection.execute(
        "SELECT count(*) FROM (SELECT prediction_id FROM candidates GROUP BY prediction_id "
        "HAVING count(DISTINCT label) > 1)"
    ).fetchone()
    disagreeing = connection.execute("SELECT row FROM newest WHERE unclear").fetchall()
    return int(counted[0]) if counted else 0, [Unmatched(row, DISAGREE) for (row,) in disagreeing]


def _without(connection: duckdb.DuckDBPyConnection, matched: str, reason: str) -> list[Unmatched]:
    found = connection.execute(
        f"SELECT row FROM given WHERE row NOT IN ({matched})"  # noqa: S608
    ).fetchall()
    return [Unmatched(row, reason) for (row,) in found]
