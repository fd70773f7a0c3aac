"""The event store in DynamoDB: one item per event, partitioned by entity, sorted by time."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from evergreen.cloud.clients import client
from evergreen.contracts.feature_definition import instant, moment_of
from evergreen.features.event_store import MAXIMUM_EVENTS, StoredEvent, TooManyEventsError
from evergreen.features.online_aggregates import EntityEvent

_BATCH = 25
_ATTEMPTS = 6
_FIRST = instant(datetime(1, 1, 1, tzinfo=UTC))
_TIME = len("2026-11-24T12:00:00.000000")
_DIGEST = 12


class DynamoEventStore:
    """Items: `pk` stream and entity, `sk` time, id and digest of the values, `v` the values.

    The digest makes another content of the same id another item: which of them counts is decided
    when they are read, and never by which came first.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def put(self, events: Sequence[StoredEvent]) -> frozenset[int]:
        """See EventStore."""
        places: dict[tuple[str, str], list[int]] = {}
        items: list[dict[str, Any]] = []
        for place, stored in enumerate(events):
            item = _item(stored)
            same = places.setdefault((item["pk"]["S"], item["sk"]["S"]), [])
            if not same:  # DynamoDB refuses a batch that names an item twice
                items.append(item)
            same.append(place)
        left: set[int] = set()
        for start in range(0, len(items), _BATCH):
            for item in self._write(items[start : start + _BATCH]):
                left.update(places[item["pk"]["S"], item["sk"]["S"]])
        return frozenset(left)

    def _write(self, items: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Write a batch; the items that were not taken after some attempts."""
        waiting = [{"PutRequest": {"Item": item}} for item in items]
        for attempt in range(_ATTEMPTS):
            answer = client("dynamodb").batch_write_item(RequestItems={self._name: waiting})
            waiting = answer.get("UnprocessedItems", {}).get(self._name, [])
            if not waiting:
                return []
            if attempt < _ATTEMPTS - 1:
                time.sleep(0.05 * 2**attempt)
        return [request["PutRequest"]["Item"] for request in waiting]

    def read(self, stream: str, entity: str, since: int) -> Sequence[EntityEvent]:
        """See EventStore."""
        query: dict[str, Any] = {
            "TableName": self._name,
            "KeyConditionExpression": "pk = :pk AND sk >= :since",
            "ExpressionAttributeValues": {
                ":pk": {"S": _partition(stream, entity)},
                ":since": {"S": _sortable(max(since, _FIRST))},
            },
            "ProjectionExpression": "sk, v",
            "ConsistentRead": True,
        }
        found: list[EntityEvent] = []
        while True:
            answer = client("dynamodb").query(**query)
            found += [_event(item) for item in answer["Items"]]
            if len(found) > MAXIMUM_EVENTS:
                raise TooManyEventsError
            if "LastEvaluatedKey" not in answer:
                return found
            query["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def _partition(stream: str, entity: str) -> str:
    return f"{stream}#{entity}"


def _sortable(instant: int) -> str:
    """A time as text of a fixed length, which sorts as the time does."""
    return moment_of(instant).replace(tzinfo=None).isoformat(timespec="microseconds")


def _item(stored: StoredEvent) -> dict[str, Any]:
    values = json.dumps(
        dict(stored.event.values), sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    digest = hashlib.sha256(values.encode()).hexdigest()[:_DIGEST]
    return {
        "pk": {"S": _partition(stored.stream, stored.entity)},
        "sk": {"S": f"{_sortable(stored.event.time)}#{stored.event.id}#{digest}"},
        "v": {"S": values},
        # Whole seconds, rounded up; DynamoDB may take days, so that nobody relies on it.
        "expires_at": {"N": str(-(-stored.expires // 1_000_000))},
    }


def _event(item: Mapping[str, Any]) -> EntityEvent:
    sort = item["sk"]["S"]
    moment = datetime.fromisoformat(sort[:_TIME])
    return EntityEvent(instant(moment), sort[_TIME + 1 : -_DIGEST - 1], json.loads(item["v"]["S"]))
