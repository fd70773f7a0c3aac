"""A row that carries an entity key gets its missing features, and says how fresh they are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from evergreen.contracts.feature_definition import (
    Aggregate,
    Definition,
    instant,
    microseconds,
    stream_of,
)
from evergreen.features.event_store import (
    MemoryEventStore,
    StoredEvent,
    TooManyEventsError,
)
from evergreen.features.online_aggregates import EntityEvent
from evergreen.features.signature import Column, Kind, Signature
from evergreen.monitoring.captures import check_message
from evergreen.serving.answers import answers
from evergreen.serving.captures import capture_messages
from evergreen.serving.completion import complete
from evergreen.serving.lookups import Lookups
from evergreen.serving.requests import PredictRequest, RequestInvalidError, read_request
from tests.unit.serving.asking import signature as plain_signature

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
WEEK = microseconds(timedelta(days=7))
SPEND = Definition(
    name="spend",
    dataset="payments",
    entity="customer",
    time="paid_at",
    id="event_id",
    aggregates=(
        Aggregate("spend_7d", "sum", "amount", WEEK),
        Aggregate("orders", "count", None, WEEK),
        Aggregate("last_shop", "last", "shop", WEEK),
        Aggregate("unused", "max", "amount", WEEK),
    ),
    at="asked_at",
)
COLUMNS = (
    Column("spend_7d", Kind.NUMBER, minimum=0.0, maximum=100.0),
    Column("orders", Kind.NUMBER, minimum=0.0, maximum=9.0),
    Column("last_shop", Kind.CATEGORY, categories=("north", "south")),
)
SIGNATURE = replace(
    plain_signature(), columns=(*plain_signature().columns, *COLUMNS), lookups=(SPEND,)
)


def store(*events: tuple[int, float, str], customer: str = "17") -> MemoryEventStore:
    """Events as (minutes before now, amount, shop)."""
    made = MemoryEventStore()
    add(made, events, customer)
    return made


def add(made: MemoryEventStore, events: Sequence[tuple[int, float, str]], customer: str) -> None:
    for place, (minutes, amount, shop) in enumerate(events):
        time = instant(NOW - timedelta(minutes=minutes))
        event = EntityEvent(time, f"{customer}-{place}", {"amount": amount, "shop": shop})
        made.put([StoredEvent(stream_of("shop", SPEND), customer, event, time + WEEK)])


def asked(kept: Any, *rows: Any, signature: Signature = SIGNATURE) -> PredictRequest:
    request = read_request(json.dumps({"rows": list(rows)}), signature)
    return complete(request, signature, Lookups("shop", kept, NOW))


EVENTS = ((90, 4.0, "south"), (30, 8.5, "north"))


def test_a_row_with_an_entity_gets_its_features() -> None:
    request = asked(store(*EVENTS), {"customer": 17, "age": 30})
    assert request.rows[0] == {"age": 30.0, "spend_7d": 12.5, "orders": 2.0, "last_shop": "north"}
    place = SIGNATURE.number_names.index("spend_7d")
    assert request.encoded.numbers[0, place] == 12.5
    assert request.notes == ((),)


def test_the_answer_says_how_fresh_the_features_are() -> None:
    request = asked(store(*EVENTS), {"customer": "17"})
    made = answers(np.array([[0.5, 0.5]]), request, SIGNATURE, "m", lambda: "id")
    assert made["predictions"][0]["features"] == {
        "spend": {
            "as_of": "2026-11-24T12:00:00+00:00",
            "newest_event": "2026-11-24T11:30:00+00:00",
            "age_seconds": 1800.0,
            "events": 2,
        }
    }


def test_a_row_is_answered_as_of_its_own_time() -> None:
    request = asked(store(*EVENTS), {"customer": 17, "asked_at": "2026-11-24T12:00:00+01:00"})
    assert request.rows[0]["spend_7d"] == 4.0
    assert request.features[0]["spend"]["age_seconds"] == 1800.0


def test_a_row_of_tomorrow_is_answered_as_of_now() -> None:
    request = asked(store(*EVENTS), {"customer": 17, "asked_at": "2026-12-01T12:00:00Z"})
    assert request.rows[0]["spend_7d"] == 12.5
    assert request.features[0]["spend"]["as_of"] == NOW.isoformat()


def test_an_unknown_entity_is_said_and_counts_are_zero() -> None:
    request = asked(store(*EVENTS), {"customer": "stranger"})
    assert request.rows[0] == {"spend_7d": 0.0, "orders": 0.0, "last_shop": None}
    assert request.notes[0] == ("spend: unknown customer, no event of it in the last 7 days",)
    assert request.features[0]["spend"]["age_seconds"] is None


def test_what_a_row_carries_itself_is_left_as_it_is() -> None:
    request = asked(store(*EVENTS), {"customer": 17, "spend_7d": 1, "last_shop": None})
    assert request.rows[0] == {"spend_7d": 1.0, "last_shop": None, "orders": 2.0}


def test_a_row_that_carries_all_of_a_feature_needs_no_entity() -> None:
    request = asked(store(), {"spend_7d": 1, "last_shop": None, "orders": 3})
    assert (request.notes, request.features) == (((),), ({},))


@pytest.mark.parametrize("row", [{}, {"customer": None}, {"customer": " "}])
def test_without_an_entity_nothing_is_looked_up_and_that_is_said(row: dict[str, Any]) -> None:
    request = asked(store(*EVENTS), row)
    assert request.notes[0] == ("spend: not looked up, there is no customer",)
    assert "spend_7d" not in request.rows[0]


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ({"customer": 1.5}, "rows[0].customer"),
        ({"customer": [17]}, "rows[0].customer"),
        ({"customer": True}, "rows[0].customer"),
        ({"customer": "x" * 201}, "rows[0].customer"),
        ({"customer": 10**250}, "rows[0].customer"),
        ({"customer": "\ud800"}, "rows[0].customer"),
        ({"customer": 17, "asked_at": "soon"}, "rows[0].asked_at"),
        ({"customer": 17, "asked_at": 5}, "rows[0].asked_at"),
    ],
)
def test_a_wrong_entity_or_time_is_refused_by_field(row: dict[str, Any], field: str) -> None:
    with pytest.raises(RequestInvalidError) as caught:
        asked(store(), row)
    assert caught.value.field == field


def test_looked_up_values_are_judged_like_given_ones() -> None:
    request = asked(store((1, 500.0, "west")), {"customer": 17})
    assert request.notes[0] == (
        "spend_7d: outside of 0 to 100, the range seen in training",
        "last_shop: this category was never seen in training",
    )


def test_a_value_of_another_kind_is_left_out_and_said() -> None:
    columns = (*SIGNATURE.columns[:-1], Column("last_shop", Kind.NUMBER))
    request = asked(store(*EVENTS), {"customer": 17}, signature=replace(SIGNATURE, columns=columns))
    assert request.rows[0]["last_shop"] is None
    assert "last_shop: left out, the events hold text" in request.notes[0][0]


def test_a_sum_that_no_graph_can_take_is_left_out_and_said() -> None:
    request = asked(store((1, 3e38, "north"), (2, 3e38, "north")), {"customer": 17})
    assert request.rows[0]["spend_7d"] is None
    assert "spend_7d: left out" in request.notes[0][0]


def test_an_entity_with_too_many_events_is_said() -> None:
    class Crowded(MemoryEventStore):
        def read(self, *_: Any) -> Sequence[EntityEvent]:
            raise TooManyEventsError

    request = asked(Crowded(), {"customer": 17})
    assert "has more than 20,000 events" in request.notes[0][0]
    assert "spend_7d" not in request.rows[0]


def test_each_entity_of_a_request_is_read_once_from_the_earliest_window() -> None:
    reads: list[tuple[str, int]] = []

    class Watched(MemoryEventStore):
        def read(self, stream: str, entity: str, since: int) -> Sequence[EntityEvent]:
            reads.append((entity, since))
            return super().read(stream, entity, since)

    kept = Watched()
    add(kept, EVENTS, "17")
    add(kept, EVENTS[:1], "18")
    early = {"customer": 17, "asked_at": "2026-11-24T11:00:00Z"}
    request = asked(kept, {"customer": 17}, early, {"customer": 18}, {"customer": 17})
    assert [row["spend_7d"] for row in request.rows] == [12.5, 4.0, 4.0, 12.5]
    hour = timedelta(hours=1)
    assert sorted(reads) == [("17", instant(NOW - hour) - WEEK), ("18", instant(NOW) - WEEK)]


def test_captured_rows_hold_what_the_model_saw() -> None:
    request = asked(store(*EVENTS), {"customer": 17, "age": 30})
    made = answers(np.array([[0.5, 0.5]]), request, SIGNATURE, "m", lambda: "id")
    (text,) = capture_messages("shop", "m", SIGNATURE, NOW, request, made, "asked_at")
    message = json.loads(text)
    check_message(message)
    assert message["rows"][0]["inputs"] == dict(request.rows[0])


def test_entity_and_time_are_keys_and_no_columns_that_are_left_aside() -> None:
    request = asked(store(*EVENTS), {"customer": 17, "asked_at": NOW.isoformat()})
    assert request.notes == ((),)
    with pytest.raises(RequestInvalidError, match="did you mean 'customer'"):
        asked(store(), {"custmer": 17})
