"""The lifecycle bus on EventBridge, and commands on SQS."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import islice
from typing import Any

from pydantic import BaseModel

from evergreen.cloud.clients import client
from evergreen.contracts.events import Event

MAXIMUM_DETAIL_BYTES = 200_000
_BATCH = 10
_ATTEMPTS = 5


class EventNotSaidError(RuntimeError):
    """The bus did not take an event; the work is redelivered and says it again."""


class LifecycleBus:
    """Events from one function."""

    def __init__(self, name: str, stage: str) -> None:
        self._name = name
        self._source = f"evergreen.{stage}"

    def publish(self, events: Sequence[Event]) -> None:
        """See Bus. Entries that fail are sent again, those only."""
        entries = [self._entry(event) for event in events]
        while batch := list(islice(entries, _BATCH)):
            del entries[:_BATCH]
            for attempt in range(_ATTEMPTS):
                results = client("events").put_events(Entries=batch)["Entries"]
                batch = [
                    entry
                    for entry, result in zip(batch, results, strict=True)
                    if "ErrorCode" in result
                ]
                if not batch:
                    break
                time.sleep(0.1 * 2**attempt)
            else:
                raise EventNotSaidError(f"{len(batch)} event(s) were not taken by {self._name}")

    def _entry(self, event: Event) -> dict[str, Any]:
        detail = event.detail()
        if len(detail.encode()) > MAXIMUM_DETAIL_BYTES:
            raise ValueError(f"{event.fact.name} has {len(detail):,} characters: point into S3")
        return {
            "EventBusName": self._name,
            "Source": self._source,
            "DetailType": event.fact.name,
            "Detail": detail,
        }


def send_commands(queue_url: str, commands: Sequence[BaseModel]) -> None:
    """Send commands to a queue, one by one: a rung has few, and each is taken or raises."""
    for command in commands:
        client("sqs").send_message(QueueUrl=queue_url, MessageBody=command.model_dump_json())
