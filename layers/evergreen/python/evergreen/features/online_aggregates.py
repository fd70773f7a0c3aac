"""The aggregates of one entity's events as of a moment, in plain Python.

`offline_aggregates` computes the same in DuckDB for many rows at once; a test holds both to
exactly equal answers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from evergreen.contracts.feature_definition import (
    NUMERIC,
    Aggregate,
    Definition,
    Function,
)
from evergreen.features.online_values import plain_value

Value = float | str | None


@dataclass(frozen=True)
class EntityEvent:
    """One event of an entity: its time (µs since 1970), its id, and its columns."""

    time: int
    id: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Aggregated:
    """Values by aggregate name; how many events they rest on, and the newest one's time (µs)."""

    values: Mapping[str, Value]
    events: int
    newest: int | None


def aggregate(definition: Definition, events: Iterable[EntityEvent], at: int) -> Aggregated:
    """What the events say as of `at` (µs): those of each window that happened strictly before.

    The order of `events` and repetitions do not matter. Of several versions of one id the one
    with the latest time counts, and of those the one with the greatest values.
    """
    newest: dict[str, EntityEvent] = {}
    for event in events:
        known = newest.get(event.id)
        if known is None or _rank(definition, event) > _rank(definition, known):
            newest[event.id] = event
    since = at - definition.longest
    seen = sorted(
        (event for event in newest.values() if since <= event.time < at),
        key=lambda event: (event.time, event.id),
    )
    values = {each.name: _value(each, seen, at) for each in definition.aggregates}
    return Aggregated(values, len(seen), seen[-1].time if seen else None)


def _rank(definition: Definition, event: EntityEvent) -> tuple[Any, ...]:
    """What decides between versions of an event: time, then values, a missing one being least."""
    return (event.time, *(_order(event.values.get(name)) for name in definition.columns))


def _order(cell: Any) -> tuple[int, float, str]:
    value = plain_value(cell)
    if value is None:
        return (0, 0.0, "")
    return (2, 0.0, value) if isinstance(value, str) else (1, value, "")


def _value(wanted: Aggregate, seen: Sequence[EntityEvent], at: int) -> Value:
    window = [event for event in seen if event.time >= at - wanted.over]
    if wanted.column is None:
        return float(len(window))
    cells = (plain_value(event.values.get(wanted.column)) for event in window)
    values = [value for value in cells if value is not None]
    if wanted.function in NUMERIC:
        # An event stored before the definition asked for numbers may hold a text there.
        values = [value for value in values if isinstance(value, float)]
    return _FUNCTIONS[wanted.function](values)


def _mean(values: Sequence[Any]) -> float | None:
    return math.fsum(values) / len(values) if values else None


_FUNCTIONS: Mapping[Function, Callable[[Sequence[Any]], Value]] = {
    # Correctly rounded, so that no order of the events can show.
    "sum": math.fsum,
    "mean": _mean,
    "min": lambda values: min(values, default=None),
    "max": lambda values: max(values, default=None),
    "last": lambda values: values[-1] if values else None,
    "distinct": lambda values: float(len(set(values))),
}
