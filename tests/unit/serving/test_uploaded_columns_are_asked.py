"""Whoever asks sends the columns of the dataset; the model gets those that its steps make."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

import duckdb
import numpy as np
import pytest

from evergreen.contracts.feature_definition import instant, stream_of
from evergreen.features.event_store import MemoryEventStore, StoredEvent
from evergreen.features.online_aggregates import EntityEvent
from evergreen.monitoring.captures import check_message
from evergreen.serving.answers import answers
from evergreen.serving.captures import capture_messages
from evergreen.serving.completion import complete
from evergreen.serving.lookups import Lookups
from evergreen.serving.requests import RequestInvalidError, read_request
from evergreen.serving.step_engine import SnapshotMismatchError, StepEngine
from tests.unit.serving.kitchen import Dish, Kitchen

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
TYPES = {
    "price": "DOUBLE",
    "seats": "BIGINT",
    "word": "VARCHAR",
    "day": "DATE",
    "open": "BOOLEAN",
    "typed": "VARCHAR",
    "spare": "BIGINT",
}
GIVEN = {
    "price": 12.0,
    "seats": 4,
    "word": "a b",
    "day": "2024-02-29",
    "open": True,
    "typed": "7",
    "spare": 1,
}
STEPS: list[dict[str, Any]] = [
    {"derive": {"each": "price / seats", "long": "length(word)", "shut": "NOT open"}},
    {"derive": {"number": "CAST(typed AS INTEGER)"}},
    {"clip": {"price": {"max": 10}}},
    {"dates": {"day": ["year"]}},
    {"join": {"dataset": "shop", "on": {"seats": "id"}}},
    {"drop": ["spare", "word", "typed"]},
]
SHOP = "SELECT i AS id, 'place ' || i AS place FROM range(6) r(i)"


def engineless() -> NoReturn:
    raise AssertionError("no engine is needed")


@pytest.fixture(scope="module")
def kitchen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kitchen]:
    with Kitchen.opened(tmp_path_factory.mktemp("kitchen"), shop=SHOP, events=EVENTS) as opened:
        yield opened


@pytest.fixture(scope="module")
def dish(kitchen: Kitchen) -> Dish:
    return kitchen.prepare(
        TYPES, [{**GIVEN, "day": datetime(2024, 2, 29, tzinfo=UTC).date()}], *STEPS
    )


def test_an_uploaded_row_gets_what_steps_make_of_it(dish: Dish) -> None:
    request = dish.ask(GIVEN)
    assert {name: request.rows[0][name] for name in ("each", "price", "long", "shut")} == {
        "each": 3.0,
        "price": 10.0,
        "long": 3.0,
        "shut": 0.0,
    }
    assert (request.rows[0]["day_year"], request.rows[0]["place"]) == (2024.0, "place 4")
    np.testing.assert_array_equal(request.encoded.numbers, dish.offline.numbers)


def test_uploaded_columns_that_the_model_does_not_need_are_left_aside(dish: Dish) -> None:
    request = dish.ask(GIVEN)
    assert request.notes[0] == ("spare is left aside: the model does not use it",)
    assert not {"spare", "word", "typed"} & {*request.rows[0]}


def test_a_column_that_nobody_knows_is_refused(dish: Dish) -> None:
    with pytest.raises(RequestInvalidError, match="did you mean 'seats'") as caught:
        dish.ask({**GIVEN, "seat": 4})
    assert caught.value.field == "rows[0].seat"


def test_what_is_not_sent_is_missing_and_that_is_said(dish: Dish) -> None:
    request = dish.ask({"seats": 4, "word": None})
    assert request.rows[0]["each"] is None
    assert request.rows[0]["long"] is None
    assert request.notes[0] == ("computed without what was not sent: day, open, price, typed",)


def test_what_a_row_carries_itself_counts_null_too(dish: Dish) -> None:
    request = dish.ask({**GIVEN, "each": 5, "place": None})
    assert (request.rows[0]["each"], request.rows[0]["place"]) == (5.0, None)


def test_a_name_of_the_upload_means_the_uploaded_column(dish: Dish) -> None:
    assert dish.ask({**GIVEN, "price": 11}).rows[0]["price"] == 10.0


def test_no_engine_starts_where_nothing_is_left_to_make(kitchen: Kitchen) -> None:
    steps = [{"derive": {"each": "price / seats"}}, {"drop": ["spare"]}]
    dish = kitchen.prepare(TYPES, [{"price": 1.0}], *steps)
    request = complete(dish.read({**GIVEN, "each": 1}), dish.signature, None, engineless)
    assert request.rows[0]["each"] == 1.0


def test_a_number_in_a_column_of_whole_ones_is_computed_with_as_one(dish: Dish) -> None:
    alone = dish.ask({**GIVEN, "seats": 2.5}).rows[0]
    assert (alone["each"], alone["seats"], alone["place"]) == (4.8, 2.5, None)
    mixed = dish.ask(GIVEN, {**GIVEN, "seats": 2.5}, {**GIVEN, "seats": 4.0})
    assert [row["each"] for row in mixed.rows] == [3.0, 4.8, 3.0]


def test_a_time_in_a_column_of_dates_is_one(dish: Dish) -> None:
    assert dish.ask({**GIVEN, "day": "2023-05-01T10:00:00Z"}).rows[0]["day_year"] == 2023.0


def test_a_key_without_a_partner_is_said(dish: Dish) -> None:
    request = dish.ask({**GIVEN, "seats": 99})
    assert request.rows[0]["place"] is None
    assert "dataset 'shop', as of training, has no row for this seats" in request.notes[0]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"price": "much"}, "a number is needed"),
        ({"seats": "4"}, "a number is needed"),
        ({"seats": 1e39}, "beyond"),
        ({"word": 5}, "text is needed"),
        ({"word": "\ud800"}, "half a character"),
        ({"word": {"a": 1}}, "text is needed"),
        ({"day": "tomorrow"}, "a date or time"),
        ({"open": "yes"}, "true or false"),
        ({"open": 2}, "true or false"),
        ({"typed": "many"}, r"step 2 \(derive\) cannot compute 'number' of it"),
    ],
)
def test_a_malformed_value_is_refused_by_field(
    dish: Dish, row: dict[str, Any], problem: str
) -> None:
    with pytest.raises(RequestInvalidError, match=problem) as caught:
        dish.ask(GIVEN, {**GIVEN, **row})
    assert caught.value.field == f"rows[1].{next(iter(row))}"


@pytest.mark.parametrize("places", [[0], [999], [400, 401, 999]])
def test_the_first_wrong_row_of_a_thousand_is_found_by_few_looks(
    dish: Dish, monkeypatch: pytest.MonkeyPatch, places: list[int]
) -> None:
    rows = [{**GIVEN, "typed": "many" if place in places else "7"} for place in range(1000)]
    execute, looks = StepEngine._execute, list[int]()

    def counted(engine: StepEngine, query: Any, types: Any, some: Any, columns: Any) -> Any:
        looks.append(len(some))
        return execute(engine, query, types, some, columns)

    monkeypatch.setattr(StepEngine, "_execute", counted)
    with pytest.raises(RequestInvalidError, match="cannot compute 'number'") as caught:
        dish.ask(*rows)
    assert caught.value.field == f"rows[{places[0]}].typed"
    assert len(looks) < 30


def test_what_other_rows_decide_is_sent_or_missing(kitchen: Kitchen) -> None:
    steps = [
        {"derive": {"mean": "avg(price) OVER ()"}},
        {"derive": {"rel": "coalesce(price / mean, 0)"}},
    ]
    dish = kitchen.prepare(TYPES, [{"price": 1.0}], *steps)
    without = dish.ask({**GIVEN})
    assert not {"mean", "rel"} & {*without.rows[0]}
    assert without.notes[0] == (
        "mean is missing: it was not sent",
        "rel is missing: mean, which it is made of, was not sent",
    )
    with_it = dish.ask({**GIVEN, "mean": 24})
    assert (with_it.rows[0]["rel"], with_it.notes[0]) == (0.5, ())


def test_a_name_that_was_dropped_may_come_back_from_a_reference(kitchen: Kitchen) -> None:
    steps = [
        {"drop": ["word"]},
        {"join": {"dataset": "shop", "on": {"seats": "id"}}},
        {"derive": {"word": "upper(place)"}},
    ]
    dish = kitchen.prepare(TYPES, [{"seats": 4}], *steps)
    assert dish.ask(GIVEN).rows[0]["word"] == "PLACE 4"


def test_texts_are_taken_without_the_spaces_around_them(kitchen: Kitchen) -> None:
    dish = kitchen.prepare(TYPES, [{"word": "x"}], {"derive": {"long": "length(word)"}})
    assert dish.ask({**GIVEN, "word": "\u00a0 a b\t"}).rows[0]["word"] == "a b"
    assert dish.ask({**GIVEN, "word": "\u00a0 a b\t"}).rows[0]["long"] == 3.0
    assert dish.ask({**GIVEN, "word": "  "}).rows[0]["long"] is None


def test_captured_rows_hold_the_columns_as_the_model_saw_them(dish: Dish) -> None:
    request = dish.ask(GIVEN)
    made = answers(np.array([0.5]), request, dish.signature, "m", lambda: "id")
    (text,) = capture_messages("p", "m", dish.signature, NOW, request, made, None, ("typed",))
    message = json.loads(text)
    check_message(message)
    (row,) = message["rows"]
    assert row["inputs"]["price"] == 10.0
    assert {*row["inputs"]} == {column.name for column in dish.signature.columns}
    assert row["keys"] == {"typed": "7"}


def test_a_time_that_a_step_makes_says_when_a_row_happened(kitchen: Kitchen) -> None:
    steps = [{"derive": {"at": "strptime(typed, '%d.%m.%Y')"}}]
    dish = kitchen.prepare(TYPES, [{"typed": "01.02.2024"}], *steps)
    columns = tuple(each for each in dish.signature.columns if each.name != "at")
    recipe = replace(dish.recipe, also=("at",)).for_columns([each.name for each in columns])
    other = replace(dish, signature=replace(dish.signature, columns=columns, recipe=recipe))
    request = other.ask({**GIVEN, "typed": "03.05.2024"})
    assert request.aside[0]["at"] == "2024-05-03T00:00:00"


def test_rows_as_preparation_left_them_are_asked_without_any_step(dish: Dish) -> None:
    prepared = dish.signature.prepared
    request = read_request(json.dumps({"rows": [{"price": 11, "each": 3}]}), prepared)
    assert request.rows[0] == {"price": 11.0, "each": 3.0}


def test_the_engine_reads_no_file_and_keeps_its_settings(dish: Dish) -> None:
    connection = dish.engine()._connection
    for query in (
        "FROM read_text('/etc/hostname')",
        "SET enable_external_access = true",
        "COPY (SELECT 1) TO '/tmp/out.csv'",
        "ATTACH '/tmp/other.db'",
    ):
        with pytest.raises(duckdb.Error):
            connection.execute(query)


def test_a_reference_that_is_another_one_is_not_served(dish: Dish) -> None:
    with pytest.raises(SnapshotMismatchError):
        StepEngine.load(dish.recipe, lambda _: b"something else")


EVENTS = """
    SELECT * FROM (VALUES ('e1', 17, TIMESTAMP '2026-11-24 11:00:00', 4.5),
        ('e2', 17, TIMESTAMP '2026-11-24 11:30:00', 8.0),
        ('e3', 18, TIMESTAMP '2026-11-20 11:30:00', 1.0)) AS e(event_id, customer, paid_at, amount)
"""
SPEND = {
    "name": "spend",
    "dataset": "events",
    "entity": "customer",
    "time": "paid_at",
    "aggregates": {
        "spent": {"sum": "amount", "over": "7 days"},
        "orders": {"count": True, "over": "7 days"},
    },
}


@pytest.fixture
def shop(kitchen: Kitchen) -> Dish:
    """Entity and time are made before the look-up, and its columns are worked with after it."""
    at = datetime.fromisoformat("2026-11-24T12:00:00")
    rows = [
        {"code": code, "asked": at - timedelta(minutes=minutes), "limit": 10.0}
        for code, minutes in (("c-17", 0), ("c-17", 45), ("c-18", 0), ("c-99", 0), (None, 0))
    ]
    types = {"code": "VARCHAR", "asked": "TIMESTAMP", "limit": "DOUBLE"}
    dish = kitchen.prepare(
        types,
        rows,
        {
            "derive": {
                "customer": "CAST(string_split(code, '-')[2] AS BIGINT)",
                "asked_at": '"asked"',
            }
        },
        {"features": ["spend"]},
        {"derive": {"share": 'spent / "limit"', "each": "spent / orders"}},
        {"fill": {"share": 0}},
        {"drop": ["spent"]},
        time="asked_at",
        features=[SPEND],
    )
    (definition,) = dish.signature.lookups
    store = MemoryEventStore()
    for name, entity, paid_at, amount in kitchen.connection.execute(EVENTS).fetchall():
        time = instant(paid_at)
        event = EntityEvent(time, name, {"amount": float(amount)})
        store.put([StoredEvent(stream_of("p", definition), str(entity), event, time + 10**13)])
    dish.lookups = Lookups("p", store, NOW)
    dish.asked = rows
    return dish


def test_features_between_steps_are_the_same_bits_online_as_offline(shop: Dish) -> None:
    request = shop.ask(*shop.asked)
    np.testing.assert_array_equal(request.encoded.numbers, shop.offline.numbers)
    np.testing.assert_array_equal(request.encoded.categories, shop.offline.categories)
    assert request.rows[0]["share"] == 1.25
    assert request.features[0]["spend"]["events"] == 2


def test_a_feature_that_a_row_carries_is_worked_with(shop: Dish) -> None:
    request = shop.ask({**shop.asked[0], "spent": 5})
    assert (request.rows[0]["share"], request.rows[0]["each"]) == (0.5, 2.5)
    whole = shop.ask({**shop.asked[0], "spent": 5, "orders": 2})
    assert (whole.rows[0]["each"], whole.features) == (2.5, ({},))


def test_a_row_without_entity_has_none_of_what_is_made_of_its_features(shop: Dish) -> None:
    request = shop.ask({"limit": 3, "code": None})
    assert (request.rows[0]["share"], request.rows[0]["each"]) == (0.0, None)
    assert "spend: not looked up, there is no customer" in request.notes[0]
