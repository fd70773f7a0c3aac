"""Features that a request does not carry are looked up by the entity of each row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from evergreen.contracts.feature_definition import Definition, instant, moment_of, stream_of
from evergreen.features.encoding import encode
from evergreen.features.event_store import MAXIMUM_EVENTS, EventStore, TooManyEventsError
from evergreen.features.online_aggregates import EntityEvent, Value, aggregate
from evergreen.features.online_values import LARGEST_NUMBER, LONGEST_KEY, key_text
from evergreen.features.signature import Column, Kind, Signature
from evergreen.features.text import LONGEST_TEXT
from evergreen.serving.requests import (
    PredictRequest,
    RequestInvalidError,
    check_characters,
    notes_on,
    read_moment,
)

AT_ONCE = 16
"""Entities that are read at the same time: as many as the client keeps connections."""

DAY = 86_400_000_000


@dataclass(frozen=True)
class _Question:
    """What one row wants of one feature: some of its columns, of an entity, as of a moment."""

    row: int
    definition: Definition
    columns: tuple[str, ...]
    entity: str
    at: int

    @property
    def since(self) -> int:
        """The beginning of its longest window."""
        return self.at - self.definition.longest


@dataclass
class _Row:
    """A row as it is completed."""

    values: dict[str, Any]
    notes: list[str]
    features: dict[str, Any] = field(default_factory=dict)


def look_up(
    request: PredictRequest, signature: Signature, project: str, store: EventStore, now: datetime
) -> PredictRequest:
    """The request with the feature columns that its rows left out, and how fresh they are.

    A row gets its features as of its own time, or as of `now` if it has none or a later one. What
    a row carries itself, null too, is left as it is. Raises RequestInvalidError for an entity or
    a time that is none.
    """
    rows = [
        _Row(dict(row), list(notes)) for row, notes in zip(request.rows, request.notes, strict=True)
    ]
    questions = [
        question
        for place in range(len(rows))
        for definition in signature.lookups
        for question in _questions(request, signature, definition, place, rows[place], now)
    ]
    events = _read(store, project, questions)
    columns = {column.name: column for column in signature.columns}
    for question in questions:
        found = events[stream_of(project, question.definition), question.entity]
        _answer(rows[question.row], question, found, columns)
    completed = tuple(row.values for row in rows)
    return replace(
        request,
        rows=completed,
        encoded=encode(completed, signature),
        notes=tuple(tuple(row.notes) for row in rows),
        features=tuple(row.features for row in rows),
    )


def _questions(
    request: PredictRequest,
    signature: Signature,
    definition: Definition,
    place: int,
    row: _Row,
    now: datetime,
) -> list[_Question]:
    """What a row wants of a feature: nothing if it carries all of it, or has no entity."""
    used = {column.name for column in signature.columns}
    names = (each.name for each in definition.aggregates)
    wanted = tuple(name for name in names if name in used and name not in row.values)
    if not wanted:
        return []
    given = {**request.aside[place], **row.values}
    path = f"rows[{place}]"
    entity = given.get(definition.entity)
    key = key_text(entity)
    if key is None:
        if entity is not None and not isinstance(entity, str):
            raise RequestInvalidError(
                f"{path}.{definition.entity}", "text or a whole number is needed"
            )
        row.notes.append(f"{definition.name}: not looked up, there is no {definition.entity}")
        return []
    if len(key) > LONGEST_KEY:
        raise RequestInvalidError(
            f"{path}.{definition.entity}", f"more than {LONGEST_KEY} characters are no key"
        )
    check_characters(key, f"{path}.{definition.entity}")
    at = _at(given, definition.at, path, now)
    return [_Question(place, definition, wanted, key, at)]


def _at(given: Mapping[str, Any], column: str | None, path: str, now: datetime) -> int:
    """The row's own time (µs), or now: nobody has seen the events of tomorrow."""
    value = given.get(column) if column else None
    if isinstance(value, str):
        value = read_moment(value, f"{path}.{column}")
    if value is None:
        return instant(now)
    if not isinstance(value, datetime):
        raise RequestInvalidError(f"{path}.{column}", "a date or time as ISO 8601 text is needed")
    return min(instant(value.replace(tzinfo=UTC)), instant(now))


def _read(
    store: EventStore, project: str, questions: Sequence[_Question]
) -> dict[tuple[str, str], Sequence[EntityEvent] | None]:
    """The events that answer the questions, each entity read once; None where they are too many."""
    since: dict[tuple[str, str], int] = {}
    for question in questions:
        key = (stream_of(project, question.definition), question.entity)
        since[key] = min(question.since, since.get(key, question.since))

    def read(key: tuple[str, str]) -> Sequence[EntityEvent] | None:
        try:
            return store.read(*key, since[key])
        except TooManyEventsError:
            return None

    keys = list(since)
    if len(keys) <= 1:
        return {key: read(key) for key in keys}
    with ThreadPoolExecutor(min(AT_ONCE, len(keys))) as pool:
        return dict(zip(keys, pool.map(read, keys), strict=True))


def _answer(
    row: _Row,
    question: _Question,
    events: Sequence[EntityEvent] | None,
    columns: Mapping[str, Column],
) -> None:
    """Put the aggregates into the row, and say what they rest on."""
    definition = question.definition
    if events is None:
        row.notes.append(
            f"{definition.name}: not looked up, this {definition.entity} has more than "
            f"{MAXIMUM_EVENTS:,} events there"
        )
        return
    found = aggregate(definition, events, question.at)
    if found.newest is None:
        row.notes.append(
            f"{definition.name}: unknown {definition.entity}, no event of it in the last "
            f"{definition.longest / DAY:g} days"
        )
    for name in question.columns:
        value, problem = _fit(columns[name], found.values[name])
        row.values[name] = value
        row.notes += [problem] if problem else notes_on(columns[name], value)
    newest = found.newest
    row.features[definition.name] = {
        "as_of": moment_of(question.at).isoformat(),
        "newest_event": None if newest is None else moment_of(newest).isoformat(),
        "age_seconds": None if newest is None else (question.at - newest) / 1e6,
        "events": found.events,
    }


def _fit(column: Column, value: Value) -> tuple[Value, str | None]:
    """A value that the column can hold, or none and why."""
    if value is None:
        return None, None
    if isinstance(value, str) != (column.kind in {Kind.CATEGORY, Kind.TEXT}):
        held = "text" if isinstance(value, str) else "a number"
        return None, f"{column.name}: left out, the events hold {held} where the model had none"
    if not isinstance(value, str) and abs(value) > LARGEST_NUMBER:
        return None, f"{column.name}: left out, the number is beyond ±{LARGEST_NUMBER:.4g}"
    return (value[:LONGEST_TEXT] if isinstance(value, str) else value), None
