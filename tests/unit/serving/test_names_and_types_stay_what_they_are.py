"""What steps make has the name and type of training, and what a row says itself counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from evergreen.contracts.feature_definition import instant, stream_of
from evergreen.features.event_store import MemoryEventStore, StoredEvent
from evergreen.features.online_aggregates import EntityEvent
from evergreen.features.recipe_notes import notes_on_serving
from evergreen.features.signature import Kind
from evergreen.serving.completion import complete
from evergreen.serving.lookups import Lookups
from evergreen.serving.requests import RequestInvalidError
from tests.unit.serving.kitchen import Dish, Kitchen

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
NOON = NOW.replace(tzinfo=None)
SHOP = "SELECT i AS id, 'place ' || i AS \"Word\" FROM range(6) r(i)"
EVENTS = """
    SELECT * FROM (VALUES ('e1', 17, TIMESTAMP '2026-11-24 11:00:00', 4.5),
        ('e2', 17, TIMESTAMP '2026-11-24 11:30:00', 8.0)) AS e(event_id, customer, paid_at, amount)
"""
TYPES = {"word": "VARCHAR", "seats": "BIGINT"}
ROW = {"word": "a b", "seats": 4}


@pytest.fixture(scope="module")
def kitchen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kitchen]:
    with Kitchen.opened(tmp_path_factory.mktemp("kitchen"), shop=SHOP, events=EVENTS) as opened:
        yield opened


def with_features(
    kitchen: Kitchen,
    types: Mapping[str, str],
    row: Mapping[str, Any],
    steps: Sequence[Mapping[str, Any]],
    amount: Any = None,
    **aggregates: Any,
) -> Dish:
    """Rows prepared with a feature, and a store of its events; `amount`: of all instead of theirs.

    Aggregates are of the amount, over a week.
    """
    feature = {
        "name": "spend",
        "dataset": "events",
        "entity": "customer",
        "time": "paid_at",
        "aggregates": {name: {how: "amount", "over": "7 days"} for name, how in aggregates.items()},
    }
    dish = kitchen.prepare(types, [row], *steps, time="asked_at", features=[feature])
    (definition,) = dish.signature.lookups
    store = MemoryEventStore()
    for name, entity, paid_at, paid in kitchen.connection.execute(EVENTS).fetchall():
        event = EntityEvent(instant(paid_at), name, {"amount": amount or float(paid)})
        stream = stream_of("p", definition)
        store.put([StoredEvent(stream, str(entity), event, event.time + 10**13)])
    dish.lookups = Lookups("p", store, NOW)
    return dish


def assert_as_in_training(dish: Dish, row: Mapping[str, Any]) -> None:
    online = dish.ask(row).encoded
    np.testing.assert_array_equal(online.numbers, dish.offline.numbers)
    np.testing.assert_array_equal(online.categories, dish.offline.categories)


LONG = {"derive": {"long": "length(word)"}}


@pytest.mark.parametrize(
    "steps",
    [
        [LONG, {"drop": ["word"]}, {"derive": {"Word": "'made of ' || seats"}}],
        [LONG, {"drop": ["word"]}, {"join": {"dataset": "shop", "on": {"seats": "id"}}}],
    ],
)
def test_a_name_that_differs_from_a_dropped_one_in_case_is_another_column(
    kitchen: Kitchen, steps: Sequence[Mapping[str, Any]]
) -> None:
    dish = kitchen.prepare(TYPES, [ROW], *steps, {"derive": {"twice": "Word || Word"}})
    assert_as_in_training(dish, ROW)
    # As with equal names: what is sent by it would mean the column as uploaded.
    with pytest.raises(RequestInvalidError, match="did you mean 'word'"):
        dish.ask({**ROW, "Word": "sent"})


def test_what_is_made_of_values_that_cannot_be_sent_is_missing_and_can_be_sent(
    kitchen: Kitchen,
) -> None:
    tags = {"sql": {"query": "SELECT *, string_split(word, ' ') AS tags FROM rows"}}
    dish = kitchen.prepare(TYPES, [ROW], tags, {"derive": {"n": "coalesce(len(tags), 0)"}})
    assert dish.ask(ROW).notes[0] == ("n is missing: tags, which it is made of, was not sent",)
    assert "n" not in dish.ask(ROW).rows[0]
    assert dish.ask({**ROW, "n": 2}).rows[0]["n"] == 2.0
    said = [note for note in notes_on_serving(dish.recipe) if "'n' is not computed" in note]
    assert len(said) == 1
    assert "'tags', of which no value can be sent" in said[0]


@pytest.mark.parametrize("value", [["a"], None])
def test_a_column_of_a_type_that_no_upload_holds_is_not_taken(kitchen: Kitchen, value: Any) -> None:
    steps = {"derive": {"tags": "string_split(word, ' ')", "n": "len(tags)"}}
    dish = kitchen.prepare(TYPES, [ROW], steps)
    with pytest.raises(RequestInvalidError, match="cannot be sent") as caught:
        dish.ask({**ROW, "tags": value})
    assert caught.value.field == "rows[0].tags"


ASKED = {"customer": "BIGINT", "asked_at": "TIMESTAMP", "limit": "DOUBLE"}
BY_17 = {"customer": 17, "asked_at": NOON, "limit": 10.0}


def test_times_with_a_zone_are_worked_with_before_and_after_a_look_up(kitchen: Kitchen) -> None:
    types = {"customer": "BIGINT", "epoch": "BIGINT"}
    row = {"customer": 17, "epoch": int(NOW.timestamp())}
    steps = [
        {"derive": {"asked_at": "to_timestamp(epoch)", "times": "[asked_at]"}},
        {"features": ["spend"]},
        {"derive": {"where": "CAST(asked_at AS VARCHAR) || times[1] || spent"}},
    ]
    dish = with_features(kitchen, types, row, steps, spent="sum")
    assert dish.offline.categories[0, 0] == "2026-11-24 12:00:00+002026-11-24 12:00:00+0012.5"
    assert_as_in_training(dish, row)
    columns = tuple(each for each in dish.signature.columns if each.name != "asked_at")
    recipe = replace(dish.recipe, also=("asked_at",)).for_columns([each.name for each in columns])
    dish.signature = replace(dish.signature, columns=columns, recipe=recipe)
    assert dish.ask(row).aside[0]["asked_at"] == "2026-11-24T12:00:00"


def test_a_feature_may_have_the_name_of_a_column_that_was_dropped(kitchen: Kitchen) -> None:
    steps = [
        {"derive": {"long": "length(spent)"}},
        {"drop": ["spent"]},
        {"features": ["spend"]},
        {"derive": {"half": "spent / 2"}},
    ]
    row = {**BY_17, "spent": "a text"}
    dish = with_features(kitchen, {**ASKED, "spent": "VARCHAR"}, row, steps, spent="sum")
    assert_as_in_training(dish, row)


def test_events_of_another_type_than_in_training_are_missing_to_steps_too(
    kitchen: Kitchen,
) -> None:
    steps = [{"features": ["spend"]}, {"derive": {"share": 'newest / "limit"'}}]
    dish = with_features(kitchen, ASKED, BY_17, steps, amount="much", newest="last")
    request = dish.ask(BY_17)
    assert (request.rows[0]["newest"], request.rows[0]["share"]) == (None, None)
    assert request.notes[0] == ("newest: left out, the events hold text where the model had none",)


def test_only_the_last_value_of_a_feature_is_held_against_training(kitchen: Kitchen) -> None:
    steps = [{"features": ["spend"]}, {"clip": {"spent": {"max": 5}}}]
    dish = with_features(kitchen, ASKED, BY_17, steps, spent="sum")
    columns = tuple(
        replace(each, minimum=0.0, maximum=20.0) if each.kind is Kind.NUMBER else each
        for each in dish.signature.columns
    )
    narrow = tuple(replace(each, maximum=5.0) if each.name == "spent" else each for each in columns)
    dish.signature = replace(dish.signature, columns=narrow)
    request = dish.ask(BY_17)
    assert (request.rows[0]["spent"], request.notes[0]) == (5.0, ())


def test_an_entity_and_a_time_that_steps_make_may_be_sent_instead(kitchen: Kitchen) -> None:
    """Neither is a column of the model."""
    types = {"code": "VARCHAR", "day": "VARCHAR", "limit": "DOUBLE"}
    row = {"code": "c-17", "day": "24.11.2026 12", "limit": 10.0}
    made = {
        "customer": "CAST(string_split(code, '-')[2] AS BIGINT)",
        "asked_at": "strptime(day, '%d.%m.%Y %H')",
    }
    dish = with_features(
        kitchen, types, row, [{"derive": made}, {"features": ["spend"]}], spent="sum"
    )
    columns = tuple(each for each in dish.signature.columns if each.name in {"limit", "spent"})
    recipe = replace(dish.recipe, also=("asked_at",)).for_columns([each.name for each in columns])
    dish.signature = replace(dish.signature, columns=columns, recipe=recipe)
    assert dish.ask(row).rows[0]["spent"] == 12.5
    sent = {"customer": 17, "asked_at": "2026-11-24T11:15:00", "limit": 10.0}
    request = complete(dish.read(sent), dish.signature, dish.lookups)
    assert request.rows[0]["spent"] == 4.5
    assert request.aside[0]["asked_at"] == "2026-11-24T11:15:00"
    assert request.notes[0] == ()
