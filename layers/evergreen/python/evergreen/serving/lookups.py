"""Features are looked up by the entity of a row, as of its own time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Any

from evergreen.contracts.feature_definition import Definition, instant, moment_of, stream_of
from evergreen.features.event_store import MAXIMUM_EVENTS, EventStore, TooManyEventsError
from evergreen.features.online_aggregates import EntityEvent, Value, aggregate
from evergreen.features.online_values import LONGEST_KEY, key_text
from evergreen.serving.cells import check_characters, read_moment
from evergreen.serving.request_error import RequestInvalidError

AT_ONCE = 16
"""Entities that are read at the same time: as many as the client keeps connections."""

DAY = 86_400_000_000


@dataclass(frozen=True)
class Asking:
    """A row (`path` in the request) that wants a feature: what it says of its entity and time."""

    path: str
    definition: Definition
    entity: Any
    at: Any


@dataclass(frozen=True)
class Told:
    """What a row gets: values by aggregate (empty if nothing was looked up), notes, freshness."""

    values: Mapping[str, Value] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    features: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Lookups:
    """Where the features of a project are looked up; rows without a time are asked `now`."""

    project: str
    store: EventStore
    now: datetime

    def tell(self, asking: Sequence[Asking]) -> list[Told]:
        """What each row gets, in order.

        A row gets its features as of its own time, or as of `now` if it has none or a later one.
        Raises RequestInvalidError for an entity or a time that is none.
        """
        questions = [_question(each, self.now) for each in asking]
        events = _read(self.store, self.project, [each for each in questions if each])
        return [
            _told(each, events[stream_of(self.project, each.definition), each.entity])
            if each
            else Told(notes=(_nobody(wanted.definition),))
            for wanted, each in zip(asking, questions, strict=True)
        ]


@dataclass(frozen=True)
class _Question:
    """What one row wants of one feature: its aggregates for an entity, as of a moment."""

    definition: Definition
    entity: str
    at: int

    @property
    def since(self) -> int:
        """The beginning of its longest window."""
        return self.at - self.definition.longest


def _nobody(definition: Definition) -> str:
    return f"{definition.name}: not looked up, there is no {definition.entity}"


def _question(asking: Asking, now: datetime) -> _Question | None:
    """What a row wants; None if it has no entity."""
    definition, field = asking.definition, f"{asking.path}.{asking.definition.entity}"
    key = key_text(asking.entity)
    if key is None:
        if asking.entity is not None and not isinstance(asking.entity, str):
            raise RequestInvalidError(field, "text or a whole number is needed")
        return None
    if len(key) > LONGEST_KEY:
        raise RequestInvalidError(field, f"more than {LONGEST_KEY} characters are no key")
    check_characters(key, field)
    return _Question(definition, key, _at(asking, now))


def _at(asking: Asking, now: datetime) -> int:
    """The row's own time (µs), or now: nobody has seen the events of tomorrow."""
    value, field = asking.at, f"{asking.path}.{asking.definition.at}"
    if isinstance(value, str):
        value = read_moment(value, field)
    if value is None:
        return instant(now)
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time())
    if not isinstance(value, datetime):
        raise RequestInvalidError(field, "a date or time as ISO 8601 text is needed")
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


def _told(question: _Question, events: Sequence[EntityEvent] | None) -> Told:
    """The aggregates, and what they rest on."""
    definition = question.definition
    if events is None:
        said = (
            f"{definition.name}: not looked up, this {definition.entity} has more than "
            f"{MAXIMUM_EVENTS:,} events there"
        )
        return Told(notes=(said,))
    found = aggregate(definition, events, question.at)
    notes = []
    if found.newest is None:
        notes.append(
            f"{definition.name}: unknown {definition.entity}, no event of it in the last "
            f"{definition.longest / DAY:g} days"
        )
    newest = found.newest
    freshness = {
        "as_of": moment_of(question.at).isoformat(),
        "newest_event": None if newest is None else moment_of(newest).isoformat(),
        "age_seconds": None if newest is None else (question.at - newest) / 1e6,
        "events": found.events,
    }
    return Told(found.values, tuple(notes), {definition.name: freshness})
