"""The rows of an uploaded dataset as events, so that serving knows what training knows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb

from evergreen.contracts.feature_definition import Definition
from evergreen.contracts.feature_section import Feature
from evergreen.data.engine import identifier, literal, parquet
from evergreen.data.parquet_columns import column_type
from evergreen.features.event_store import EventStore, StoredEvent
from evergreen.features.online_events import EventRefusedError, FeatureMessage, events_of

BATCH = 1_000


class NotStoredError(RuntimeError):
    """The store did not take all events; the work is redelivered, and takes what is left."""


@dataclass
class Backfilled:
    """How many events were stored, and how many rows can be none."""

    events: int = 0
    refused: int = field(default=0)


def backfill(
    connection: duckdb.DuckDBPyConnection,
    project: str,
    part: Path,
    features: Sequence[Feature],
    store: EventStore,
    now: datetime,
) -> Backfilled:
    """Store the events of one Parquet part that are still to be kept; raises NotStoredError.

    `features` are those of the part's dataset. The same part again changes nothing.
    """
    done = Backfilled()
    for rows in _rows(connection, part, features, now):
        events: list[StoredEvent] = []
        for row in rows:
            try:
                events += events_of(
                    FeatureMessage(project, features[0].dataset, row), features, now
                )
            except EventRefusedError:
                done.refused += 1
        if left := store.put(events):
            raise NotStoredError(f"{len(left)} events were not taken by the feature table")
        done.events += len(events)
    return done


def _rows(
    connection: duckdb.DuckDBPyConnection, part: Path, features: Sequence[Feature], now: datetime
) -> Iterator[list[dict[str, Any]]]:
    """Rows young enough for one of the features, as a message would carry them."""
    source = parquet([part])
    described = connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
    columns = {str(name): str(kind) for name, kind, *_ in described}
    young = [
        f"{identifier(feature.time)} >= TIMESTAMP {literal(_start(feature, now))}"
        for feature in features
        if _readable(feature.definition(), columns)
    ]
    if not young:
        return
    result = connection.execute(f"SELECT * FROM {source} WHERE {' OR '.join(young)}")
    while batch := result.fetchmany(BATCH):
        yield [
            {name: _plain(value) for name, value in zip(columns, values, strict=True)}
            for values in batch
        ]


def _readable(definition: Definition, columns: dict[str, str]) -> bool:
    """Whether the part has the columns that make an event; preparation says it if it has not."""
    named = (definition.entity, definition.time, definition.id)
    return all(name in columns for name in named) and column_type(columns[definition.time]) in {
        "date",
        "timestamp",
    }


def _start(feature: Feature, now: datetime) -> str:
    return (now.astimezone(UTC) - feature.kept).replace(tzinfo=None).isoformat(sep=" ")


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value
