"""What becomes of each kind of message: stored, left aside as too old, or refused by column."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from evergreen.contracts.feature_definition import instant
from evergreen.contracts.feature_section import Feature
from evergreen.features.event_store import StoredEvent
from evergreen.features.online_events import EventRefusedError, events_of, read_message

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
SPEND = Feature.model_validate(
    {
        "name": "spend",
        "dataset": "payments",
        "entity": "customer",
        "time": "paid_at",
        "aggregates": {
            "spend_7d": {"sum": "amount", "over": "7 days"},
            "last_shop": {"last": "shop", "over": "7 days"},
        },
        "keep": "60 days",
    }
)
TILLS = SPEND.model_copy(update={"name": "tills", "entity": "till", "keep": timedelta(days=7)})
PAYMENT: dict[str, Any] = {
    "project": "shop",
    "dataset": "payments",
    "event_id": "p-1",
    "customer": 17,
    "paid_at": "2026-11-24T11:00:00+01:00",
    "amount": 12.5,
    "shop": "north",
}


def told(*features: Feature, **changed: Any) -> tuple[StoredEvent, ...]:
    message = {key: value for key, value in (PAYMENT | changed).items() if value != "absent"}
    return events_of(read_message(json.dumps(message)), features or (SPEND,), NOW)


def refusal(*features: Feature, **changed: Any) -> str:
    with pytest.raises(EventRefusedError) as caught:
        told(*features, **changed)
    return str(caught.value)


def test_an_event_is_stored_under_its_entity_with_its_columns() -> None:
    (stored,) = told(note="gift")
    assert (stored.entity, stored.event.id) == ("17", "p-1")
    assert stored.event.time == instant(datetime(2026, 11, 24, 10, tzinfo=UTC))
    assert stored.event.values == {"amount": 12.5, "shop": "north", "note": "gift"}
    assert stored.expires == stored.event.time + timedelta(days=60) // timedelta(microseconds=1)


@pytest.mark.parametrize("customer", [17, 17.0, "17", " 17 "])
def test_an_entity_is_the_same_however_it_is_written(customer: Any) -> None:
    assert told(customer=customer)[0].entity == "17"


def test_features_of_two_entities_get_an_item_each() -> None:
    assert {each.entity for each in told(SPEND, TILLS, till="t1")} == {"17", "t1"}


def test_features_that_share_their_columns_share_the_item_and_the_longest_keep() -> None:
    (stored,) = told(SPEND, SPEND.model_copy(update={"name": "b", "keep": timedelta(days=90)}))
    assert stored.expires - stored.event.time == timedelta(days=90) // timedelta(microseconds=1)


def test_an_event_without_one_of_the_entities_still_belongs_to_the_other() -> None:
    assert [each.entity for each in told(SPEND, TILLS, till=None)] == ["17"]


def test_an_event_older_than_it_would_be_kept_is_left_aside() -> None:
    assert told(paid_at="2026-09-24") == ()
    assert [each.entity for each in told(SPEND, TILLS, till="t", paid_at="2026-11-01")] == ["17"]


def test_clocks_may_be_five_minutes_ahead() -> None:
    assert told(paid_at="2026-11-24T12:05:00Z")
    assert "in the future" in refusal(paid_at="2026-11-24T12:05:01Z")


def test_of_a_large_event_only_what_features_read_is_stored() -> None:
    (stored,) = told(review="x" * 9_000)
    assert stored.event.values == {"amount": 12.5, "shop": "north"}


@pytest.mark.parametrize("missing", [None, "absent"])
def test_a_missing_value_is_no_value(missing: Any) -> None:
    (stored,) = told(amount=missing)
    assert stored.event.values == {"shop": "north"}


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"project": "absent"}, "'project' is missing or no name"),
        ({"project": "No Name"}, "'project' is missing or no name"),
        ({"dataset": 5}, "'dataset' is missing or no name"),
        ({"dataset": "orders"}, "no feature on this dataset"),
        ({"customer": "absent"}, "there is no value in 'customer'"),
        ({"customer": " "}, "there is no value in 'customer'"),
        ({"customer": 1.5}, "'customer' is neither text nor a whole number"),
        ({"customer": True}, "'customer' is neither text nor a whole number"),
        ({"customer": "x" * 201}, "'customer' has more than 200 characters"),
        ({"customer": "\ud800"}, "'customer' holds half a character"),
        ({"event_id": None}, "'event_id' is missing"),
        ({"event_id": ["p"]}, "'event_id' is neither text nor a whole number"),
        ({"paid_at": None}, "'paid_at' is no date or time"),
        ({"paid_at": 1790000000}, "'paid_at' is no date or time"),
        ({"paid_at": "yesterday"}, "'paid_at' is no date or time"),
        ({"amount": "12.5"}, "'amount' is text; a number is needed"),
        ({"amount": 1e39}, "'amount' is beyond"),
        ({"amount": [1]}, "'amount' is a list or an object"),
        ({"shop": {"a": 1}}, "'shop' is a list or an object"),
        ({"other": 10**400}, "a number is beyond"),
        ({"shop": "x" * 9_000}, "the event has 9,0"),
        ({"other": "\ud800"}, "half a character"),
    ],
)
def test_a_wrong_event_is_refused_by_column(changed: dict[str, Any], problem: str) -> None:
    assert problem in refusal(**changed)


@pytest.mark.parametrize("secret", ["4711-secret", "yesterday-secret"])
def test_a_refusal_never_repeats_a_value(secret: str) -> None:
    for column in ("project", "dataset", "customer", "event_id", "paid_at", "amount", "shop"):
        changed: dict[str, Any] = {column: [secret]}
        assert "secret" not in refusal(**changed)
    assert "secret" not in refusal(paid_at=secret)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "not a JSON object"),
        ('{"project": "a", "project": "b"}', "twice"),
        ('{"project": "a", "dataset": "b", "amount": NaN}', "NaN"),
        ('{"project": "a", "dataset": "b", "amount": ' + "9" * 5_000 + "}", "not JSON"),
    ],
)
def test_what_is_no_message_is_refused(body: str, problem: str) -> None:
    with pytest.raises(EventRefusedError, match=problem):
        read_message(body)
