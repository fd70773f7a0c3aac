"""The envelope that every fact travels in, and how one is read back from a queue message."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from evergreen.contracts.facts import FACTS, Fact

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Event:
    """A fact with its identity: the same work says the same event, however often it is re-said."""

    fact: Fact
    event_id: str
    correlation_id: str
    occurred_at: datetime

    def detail(self) -> str:
        """The event's `detail` as JSON."""
        return json.dumps(
            {
                "schema_version": SCHEMA_VERSION,
                "event_id": self.event_id,
                "correlation_id": self.correlation_id,
                "occurred_at": self.occurred_at.isoformat(),
                **self.fact.model_dump(mode="json"),
            },
            allow_nan=False,
            ensure_ascii=False,
        )

    def to_plain(self) -> dict[str, Any]:
        """As JSON values; `from_plain` reads it back."""
        return {"name": self.fact.name, "detail": json.loads(self.detail())}

    @staticmethod
    def from_plain(plain: Mapping[str, Any]) -> Event:
        """Read what `to_plain` wrote; an unknown name or a wrong field raises ValueError."""
        return read_event(plain["name"], plain["detail"])


def event_id(work: str, fact: Fact) -> str:
    """The id of what one piece of work says: equal for equal work and fact."""
    return str(uuid5(NAMESPACE_URL, f"{work}/{fact.name}/{fact.model_dump_json()}"))


def read_event(name: str, detail: Mapping[str, Any]) -> Event:
    """The event of a detail type; raises ValueError for an unknown name or another detail."""
    fact = FACTS.get(name)
    if fact is None:
        raise ValueError(f"no event is named {name}; known: {', '.join(sorted(FACTS))}")
    return Event(
        fact=fact.model_validate(detail),
        event_id=str(detail["event_id"]),
        correlation_id=str(detail["correlation_id"]),
        occurred_at=datetime.fromisoformat(detail["occurred_at"]),
    )


def schema_of(fact: type[Fact]) -> dict[str, Any]:
    """The JSON Schema of a fact's event detail."""
    schema = fact.model_json_schema()
    text = {"type": "string"}
    schema["properties"] = {
        "schema_version": {"const": SCHEMA_VERSION},
        "event_id": {**text, "format": "uuid"},
        "correlation_id": text,
        "occurred_at": {**text, "format": "date-time"},
        **schema["properties"],
    }
    schema["required"] = [
        "schema_version",
        "event_id",
        "correlation_id",
        "occurred_at",
        *schema.get("required", []),
    ]
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return schema
