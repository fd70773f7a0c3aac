"""Where events of entities are kept for serving: a set that only grows until they expire."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from evergreen.features.online_aggregates import EntityEvent

MAXIMUM_EVENTS = 20_000
"""Of one entity in one window: reading more would take longer than anybody waits."""


class TooManyEventsError(Exception):
    """An entity has more events in the window than are read for an answer."""


@dataclass(frozen=True)
class StoredEvent:
    """An event under its stream and entity; it may be forgotten after `expires` (µs)."""

    stream: str
    entity: str
    event: EntityEvent
    expires: int


class EventStore(Protocol):
    """Events by stream and entity; writing the same event again changes nothing."""

    def put(self, events: Sequence[StoredEvent]) -> frozenset[int]:
        """Store events in any order; the places of those that could not be stored."""
        ...

    def read(self, stream: str, entity: str, since: int) -> Sequence[EntityEvent]:
        """All versions of an entity's events from `since` (µs) on, in no particular order.

        Raises TooManyEventsError.
        """
        ...


class MemoryEventStore:
    """The store in a dict: for tests and a plain interpreter."""

    def __init__(self) -> None:
        self._events: dict[tuple[str, str], list[EntityEvent]] = {}

    def put(self, events: Sequence[StoredEvent]) -> frozenset[int]:
        """See EventStore."""
        for stored in events:
            kept = self._events.setdefault((stored.stream, stored.entity), [])
            if stored.event not in kept:
                kept.append(stored.event)
        return frozenset()

    def read(self, stream: str, entity: str, since: int) -> Sequence[EntityEvent]:
        """See EventStore."""
        kept = self._events.get((stream, entity), [])
        found = [event for event in kept if event.time >= since]
        if len(found) > MAXIMUM_EVENTS:
            raise TooManyEventsError
        return found
