"""The journey: every event of a project in the order it happened, for people to follow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from evergreen.contracts.events import Event
from evergreen.registry.catalogue import project_pk
from evergreen.registry.ports import Table


def record_journey(table: Table, events: Iterable[Event]) -> None:
    """Note events once each, however often they are said."""
    for event in events:
        moment = event.occurred_at.isoformat(timespec="microseconds")
        table.put(
            project_pk(event.fact.project),
            f"JOURNEY#{moment}#{event.event_id}",
            {**event.to_plain(), "summary": event.fact.summary},
            expected=0,
        )


def read_journey(table: Table, project: str, after: str = "", limit: int = 200) -> Sequence[Any]:
    """The newest entries in the order they happened, those after the position `after` only."""
    newest = table.query(project_pk(project), "JOURNEY#", newest_first=True, limit=limit)
    entries = [{"position": record.sk, **record.body} for record in newest]
    return [entry for entry in reversed(entries) if entry["position"] > after]
