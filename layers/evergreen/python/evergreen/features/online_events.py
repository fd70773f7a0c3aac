"""Messages that tell of events: read strictly, and turned into what is stored of them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NoReturn

from evergreen.contracts.feature_definition import Definition, instant, microseconds, stream_of
from evergreen.contracts.feature_section import Feature
from evergreen.features.event_store import StoredEvent
from evergreen.features.online_aggregates import EntityEvent
from evergreen.features.online_values import LARGEST_NUMBER, LONGEST_KEY, key_text

MAXIMUM_BYTES = 8_192
"""Of what is stored of one event; of a larger one only the columns that features read are."""

AHEAD = timedelta(minutes=5)
"""How far a producer's clock may be ahead; an event counts only once its time has come."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


class EventRefusedError(ValueError):
    """A message is no event that can be stored; says which column and how, never its values."""


@dataclass(frozen=True)
class FeatureMessage:
    """One message: an event of a dataset, as columns."""

    project: str
    dataset: str
    columns: Mapping[str, Any]


def read_message(body: str) -> FeatureMessage:
    """Read `{"project", "dataset", column: value, …}`; raises EventRefusedError."""
    try:
        plain = json.loads(body, object_pairs_hook=_each_once, parse_constant=_no_number)
    except EventRefusedError:
        raise
    except (ValueError, RecursionError):
        raise EventRefusedError("the message is not JSON") from None
    if not isinstance(plain, dict):
        raise EventRefusedError("the message is not a JSON object")
    for name in ("project", "dataset"):
        if not isinstance(plain.get(name), str) or not _NAME.fullmatch(plain[name]):
            raise EventRefusedError(f"'{name}' is missing or no name")
    columns = {name: value for name, value in plain.items() if name not in ("project", "dataset")}
    return FeatureMessage(plain["project"], plain["dataset"], columns)


def events_of(
    message: FeatureMessage, features: Sequence[Feature], now: datetime
) -> tuple[StoredEvent, ...]:
    """What is stored of a message: one item per stream of the dataset's features.

    An event that is older than it would be kept is none: no window can see it. Raises
    EventRefusedError for one that is wrong in any column that a feature reads.
    """
    reading = [feature for feature in features if feature.dataset == message.dataset]
    if not reading:
        raise EventRefusedError("the project has no feature on this dataset (any more, or yet)")
    definitions = [feature.definition() for feature in reading]
    for definition in definitions:
        _check_cells(definition, message.columns)
    kept: dict[str, tuple[Definition, int]] = {}
    for feature, definition in zip(reading, definitions, strict=True):
        stream = stream_of(message.project, definition)
        before = kept[stream][1] if stream in kept else 0
        kept[stream] = (definition, max(before, microseconds(feature.kept)))
    used = frozenset(name for each in definitions for name in each.columns)
    made = [
        (_event(stream, definition, message.columns, used, now, keep), keep)
        for stream, (definition, keep) in kept.items()
    ]
    told = [(event, keep) for event, keep in made if event is not None]
    if not told:
        names = ", ".join(sorted({f"'{each.entity}'" for each in definitions}))
        raise EventRefusedError(f"there is no value in {names}")
    return tuple(event for event, keep in told if event.event.time >= instant(now) - keep)


def _event(
    stream: str,
    definition: Definition,
    columns: Mapping[str, Any],
    used: frozenset[str],
    now: datetime,
    keep: int,
) -> StoredEvent | None:
    """One event of one stream; None if it has no entity there."""
    entity = _key(columns.get(definition.entity), definition.entity)
    if entity is None:
        return None
    name = _key(columns.get(definition.id), definition.id)
    if name is None:
        raise EventRefusedError(f"'{definition.id}' is missing, and it makes an event count once")
    time = _time(columns.get(definition.time), definition.time)
    if time > instant(now + AHEAD):
        raise EventRefusedError(f"'{definition.time}' is more than {AHEAD} in the future")
    kept_aside = {definition.entity, definition.time, definition.id}
    values = {
        column: value
        for column, value in columns.items()
        if column not in kept_aside and isinstance(value, str | int | float)
    }
    if _size(values) > MAXIMUM_BYTES:
        values = {name: value for name, value in values.items() if name in used}
    if (size := _size(values)) > MAXIMUM_BYTES:
        raise EventRefusedError(f"the event has {size:,} bytes; {MAXIMUM_BYTES:,} are stored")
    return StoredEvent(stream, entity, EntityEvent(time, name, values), expires=time + keep)


def _size(values: Mapping[str, Any]) -> int:
    try:
        return len(json.dumps(values, ensure_ascii=False).encode())
    except UnicodeEncodeError:
        raise EventRefusedError("a text holds half a character (a surrogate)") from None


def _check_cells(definition: Definition, columns: Mapping[str, Any]) -> None:
    """Refuse what an aggregate could not read, and numbers that no graph can take."""
    for name, value in columns.items():
        number = isinstance(value, int | float)
        if number and abs(value) > LARGEST_NUMBER:
            raise EventRefusedError(f"{_said(name, definition)} is beyond ±{LARGEST_NUMBER:.4g}")
    for name in definition.columns:
        value = columns.get(name)
        if isinstance(value, list | dict):
            raise EventRefusedError(f"'{name}' is a list or an object; one value is needed")
        if name in definition.numbers and isinstance(value, str):
            raise EventRefusedError(f"'{name}' is text; a number is needed")


def _said(name: str, definition: Definition) -> str:
    """A column's name if the project declares it; other names come from outside."""
    return f"'{name}'" if name in definition.columns else "a number"


def _key(value: Any, column: str) -> str | None:
    if value is None or (isinstance(value, str) and not value.strip(" ")):
        return None
    text = key_text(value)
    if text is None:
        raise EventRefusedError(f"'{column}' is neither text nor a whole number")
    if len(text) > LONGEST_KEY:
        raise EventRefusedError(f"'{column}' has more than {LONGEST_KEY} characters")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise EventRefusedError(f"'{column}' holds half a character (a surrogate)") from None
    return text


def _time(value: Any, column: str) -> int:
    if isinstance(value, str):
        try:
            return instant(datetime.fromisoformat(value.strip()))
        except (ValueError, OverflowError):
            pass
    raise EventRefusedError(f"'{column}' is no date or time as ISO 8601 text")


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise EventRefusedError("a name occurs twice in one object")
    return made


def _no_number(_: str) -> NoReturn:
    raise EventRefusedError("NaN and Infinity are no numbers")
