"""The event store in memory and the one in DynamoDB keep the same promises."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from moto import mock_aws

from evergreen.cloud import clients, event_table
from evergreen.cloud.event_table import DynamoEventStore
from evergreen.contracts.feature_definition import instant
from evergreen.features import event_store
from evergreen.features.event_store import (
    EventStore,
    MemoryEventStore,
    StoredEvent,
    TooManyEventsError,
)
from evergreen.features.online_aggregates import EntityEvent

START = instant(datetime(2026, 1, 1, tzinfo=UTC))


@pytest.fixture(params=["memory", "dynamodb"])
def store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[EventStore]:
    if request.param == "memory":
        yield MemoryEventStore()
        return
    with mock_aws():
        clients.client.cache_clear()
        clients._session.cache_clear()
        boto3.client("dynamodb").create_table(
            TableName="features",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": key, "AttributeType": "S"} for key in ("pk", "sk")
            ],
            KeySchema=[
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
        )
        yield DynamoEventStore("features")
    clients.client.cache_clear()
    clients._session.cache_clear()


def event(number: int, entity: str = "ann", name: str | None = None, **values: Any) -> StoredEvent:
    time = START + number * 1_000_001
    return StoredEvent("s", entity, EntityEvent(time, name or f"e{number}", values), time + 10)


def found(store: EventStore, entity: str = "ann", since: int = START) -> list[EntityEvent]:
    return sorted(store.read("s", entity, since), key=lambda each: (each.time, each.id))


def test_what_was_put_is_read_as_it_was(store: EventStore) -> None:
    told = event(3, name="a#b é", amount=0.1, shop="\N{DROMEDARY CAMEL}", flag=True, n=2**60)
    assert store.put([told]) == frozenset()
    assert found(store) == [told.event]


def test_any_order_and_any_number_of_deliveries_store_each_event_once(store: EventStore) -> None:
    events = [event(n) for n in range(60)]
    delivered = events * 3
    random.Random(7).shuffle(delivered)  # noqa: S311 - repeatable
    store.put(delivered)
    store.put(delivered[:10])
    assert found(store) == [each.event for each in events]


def test_versions_of_an_event_are_all_kept(store: EventStore) -> None:
    store.put([event(1, name="e", amount=1), event(1, name="e", amount=2), event(2, name="e")])
    assert len(found(store)) == 3


def test_entities_and_streams_do_not_see_each_other(store: EventStore) -> None:
    store.put([event(1), event(1, entity="ann2"), event(1, entity="ann#2")])
    assert len(found(store)) == len(found(store, "ann#2")) == 1
    assert store.read("other", "ann", START) == []


def test_only_events_from_a_time_on_are_read(store: EventStore) -> None:
    store.put([event(n) for n in range(5)])
    assert [each.id for each in found(store, since=event(3).event.time)] == ["e3", "e4"]
    assert len(found(store, since=-(10**18))) == 5


def test_an_entity_with_too_many_events_is_said(
    store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (event_store, event_table):
        monkeypatch.setattr(module, "MAXIMUM_EVENTS", 4)
    store.put([event(n) for n in range(5)])
    with pytest.raises(TooManyEventsError):
        store.read("s", "ann", START)
    assert len(store.read("s", "ann", event(1).event.time)) == 4


class Throttled:
    """A client that takes only some of a batch, and nothing of one entity."""

    def __init__(self, real: Any) -> None:
        self.real = real
        self.calls = 0

    def batch_write_item(self, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803
        self.calls += 1
        ((table, requests),) = RequestItems.items()
        taken = [
            request
            for place, request in enumerate(requests)
            if place < 7 and "never" not in request["PutRequest"]["Item"]["pk"]["S"]
        ]
        left = [request for request in requests if request not in taken]
        if taken:
            self.real.batch_write_item(RequestItems={table: taken})
        return {"UnprocessedItems": {table: left} if left else {}}


@pytest.mark.parametrize("store", ["dynamodb"], indirect=True)
def test_what_dynamodb_does_not_take_is_tried_again_and_then_said(
    store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    throttled = Throttled(clients.client("dynamodb"))
    monkeypatch.setattr(event_table, "client", lambda _: throttled)
    monkeypatch.setattr(event_table.time, "sleep", lambda _: None)
    told = [*(event(n) for n in range(20)), event(1, entity="never"), event(1, entity="never")]
    left = store.put(told)
    monkeypatch.undo()
    assert left == {20, 21}
    assert len(found(store)) == 20
