"""`update_features` stores what can be stored; the rest fails alone, with its reason logged."""

from __future__ import annotations

import logging.handlers
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from evergreen.contracts.feature_definition import instant, stream_of
from evergreen.contracts.project_file import ProjectFile
from evergreen.features.event_store import MemoryEventStore, StoredEvent
from tests.unit.functions.conftest import Function

FILE = ProjectFile.model_validate(
    {
        "project": "shop",
        "dataset": "orders",
        "target": "y",
        "features": [
            {
                "name": "spend",
                "dataset": "payments",
                "entity": "customer",
                "time": "paid_at",
                "aggregates": {"spend_7d": {"sum": "amount", "over": "7 days"}},
            }
        ],
    }
)
STREAM = stream_of("shop", FILE.features[0].definition())


class Shop:
    """The function, and a store that can be told not to take an entity's events."""

    def __init__(self, function: Function, monkeypatch: pytest.MonkeyPatch) -> None:
        self.function = function
        self.store = MemoryEventStore()
        self.refusing = ""
        monkeypatch.setattr(function.app, "store", lambda: self)

    def put(self, events: list[StoredEvent]) -> frozenset[int]:
        taken = [event for event in events if event.entity != self.refusing]
        self.store.put(taken)
        return frozenset(n for n, event in enumerate(events) if event.entity == self.refusing)

    def stored(self, customer: str) -> list[str]:
        since = instant(datetime.now(UTC)) - 10**15
        return sorted(event.id for event in self.store.read(STREAM, customer, since))


@pytest.fixture
def shop(function: Callable[[str], Function], monkeypatch: pytest.MonkeyPatch) -> Shop:
    made = Shop(function("update_features"), monkeypatch)
    made.function.catalogue.change_project(FILE)
    return made


def payment(name: str, customer: Any = "ann", **changed: Any) -> dict[str, Any]:
    now = datetime.now(UTC).isoformat()
    message = {"project": "shop", "dataset": "payments", "event_id": name, "paid_at": now}
    return {**message, "customer": customer, "amount": 1.5, **changed}


def test_a_batch_of_events_is_stored_by_entity(shop: Shop) -> None:
    batch = [payment("a"), payment("b", 7), payment("c", "7"), payment("a")]
    assert shop.function.take(*batch) == []
    assert shop.stored("7") == ["b", "c"]
    assert set(shop.stored("ann")) == {"a"}


@pytest.mark.parametrize(
    "wrong",
    [
        "text",
        [],
        payment("b", amount="much"),
        payment("b", project="nobody"),
        payment("b", dataset="orders"),
        payment("b", paid_at=(datetime.now(UTC) + timedelta(hours=1)).isoformat()),
    ],
)
def test_what_is_no_event_fails_alone(shop: Shop, wrong: Any) -> None:
    assert shop.function.take(payment("a"), wrong, payment("c")) == ["m1"]
    assert shop.stored("ann") == ["a", "c"]


def test_what_the_store_does_not_take_is_given_back(shop: Shop) -> None:
    shop.refusing = "bob"
    batch = [payment("a"), payment("b", "bob"), payment("c")]
    assert shop.function.take(*batch) == ["m1"]
    assert shop.stored("ann") == ["a", "c"]


def test_an_event_that_no_window_can_see_is_taken_and_not_stored(shop: Shop) -> None:
    old = (datetime.now(UTC) - timedelta(days=8)).isoformat()
    assert shop.function.take(payment("a", paid_at=old)) == []
    assert shop.stored("ann") == []


def test_events_before_the_project_file_are_taken_once_it_is_there(
    function: Callable[[str], Function], monkeypatch: pytest.MonkeyPatch
) -> None:
    early = Shop(function("update_features"), monkeypatch)
    monkeypatch.setattr(early.function.app, "FEATURES_SECONDS", -1.0)
    assert early.function.take(payment("a")) == ["m0"]
    early.function.catalogue.change_project(FILE)
    assert early.function.take(payment("a")) == []


def test_the_reason_is_logged_without_the_values_of_the_event(shop: Shop) -> None:
    seen = logging.handlers.BufferingHandler(100)
    shop.function.app.logger.addHandler(seen)
    shop.function.take(payment("secret-id", "secret-customer", amount="secret-amount"))
    said = [vars(record) for record in seen.buffer]
    reasons = [record["reason"] for record in said if record["msg"] == "event refused"]
    assert reasons == ["'amount' is text; a number is needed"]
    assert "secret" not in str(said)
