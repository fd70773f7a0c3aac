"""The step `features` gives each row the aggregates of its entity as of the row's own time."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from tests.unit.features.workshop import Workshop

SPEND: dict[str, Any] = {
    "name": "spend",
    "dataset": "payments",
    "entity": "customer",
    "time": "paid_at",
    "aggregates": {
        "spend_7d": {"sum": "amount", "over": "7 days"},
        "orders": {"count": True, "over": "30 days"},
        "last_shop": {"last": "shop", "over": "30 days"},
    },
}
PAYMENTS = """
SELECT 'p' || i AS event_id, i % 5 AS customer,
    TIMESTAMP '2026-01-01' + INTERVAL (i) HOUR AS paid_at,
    i * 0.25 AS amount, 's' || (i % 3) AS shop FROM range(400) t(i)
"""
ROWS = """
SELECT i % 6 AS customer, TIMESTAMP '2026-01-02' + INTERVAL (i * 3) HOUR AS asked_at,
    i AS place, i % 2 AS y FROM range(120) t(i)
"""


def features(workshop: Workshop, *steps: Any, payments: str = PAYMENTS, **more: Any) -> Any:
    named = {"references": {"payments": payments}, "features": [SPEND], "time": "asked_at"}
    return workshop.prepare(ROWS, *steps, {"features": ["spend"]}, **{**named, **more})


def test_every_row_sees_strictly_earlier_events_of_its_entity(workshop: Workshop) -> None:
    features(workshop)
    got = workshop.written("place, spend_7d, orders, last_shop")
    for place, spend, orders, shop in got:
        at = 24 + place * 3
        seen = [i for i in range(400) if i % 5 == place % 6 and at - 168 <= i < at]
        assert spend == sum(i * 0.25 for i in seen)
        assert orders == len(seen)  # 30 days hold all of them that 7 days hold, and more
        assert shop == (f"s{seen[-1] % 3}" if seen else None)
        if place * 3 + 24 >= 168:
            return
    raise AssertionError("no row")


def test_an_event_that_was_uploaded_twice_counts_once(workshop: Workshop) -> None:
    features(workshop)
    once = sorted(workshop.written("place, spend_7d, orders"))
    features(workshop, payments=f"({PAYMENTS}) UNION ALL ({PAYMENTS})")
    assert sorted(workshop.written("place, spend_7d, orders")) == once


def test_the_model_is_told_what_to_look_up(workshop: Workshop) -> None:
    signature = features(workshop).training_set.signature
    (lookup,) = signature.lookups
    assert (lookup.name, lookup.entity, lookup.at) == ("spend", "customer", "asked_at")
    assert type(signature).from_json(signature.to_json()) == signature


def test_events_without_an_entity_are_counted_and_left_out(workshop: Workshop) -> None:
    holes = f"SELECT * REPLACE (nullif(customer, 3) AS customer) FROM ({PAYMENTS})"
    assert any(
        "80 events of 'payments'" in note for note in features(workshop, payments=holes).notes
    )


def test_the_events_may_be_the_rows_themselves(workshop: Workshop) -> None:
    own = {**SPEND, "dataset": "rows", "time": "asked_at", "id": "place"}
    own["aggregates"] = {"before": {"count": True, "over": "30 days"}}
    workshop.prepare(ROWS, {"features": ["spend"]}, features=[own], time="asked_at")
    assert sorted(workshop.written("place, before")) == [(n, n // 6) for n in range(120)]


@pytest.mark.parametrize(
    ("payments", "problem"),
    [
        ("SELECT * EXCLUDE (amount) FROM ({})", "column 'amount' is not in dataset 'payments'"),
        ("SELECT * REPLACE ('a' AS amount) FROM ({})", "integer or number is needed here"),
        ("SELECT * REPLACE (0.5::DOUBLE AS customer) FROM ({})", "integer or text is needed here"),
        ("SELECT * REPLACE ('x' AS paid_at) FROM ({})", "date or timestamp is needed here"),
        ("SELECT * EXCLUDE (event_id) FROM ({})", "column 'event_id' is not in"),
    ],
)
def test_what_cannot_be_aggregated_is_refused_by_name(
    workshop: Workshop, payments: str, problem: str
) -> None:
    with pytest.raises(ValueError, match=r"step 1 \(features\)") as caught:
        features(workshop, payments=payments.format(PAYMENTS))
    assert problem in str(caught.value)


def test_a_name_that_the_rows_have_is_refused(workshop: Workshop) -> None:
    with pytest.raises(ValueError, match="there is a column 'orders' already"):
        features(workshop, {"derive": {"orders": "1"}})


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"keep": "1 day"}, "looks back further than events are kept"),
        ({"aggregates": {"a": {"sum": "x"}}}, "'keep' must be declared"),
        ({"aggregates": {"a": {"sum": "x", "max": "x", "over": "1 day"}}}, "exactly one of"),
        ({"aggregates": {"a": {"sum": "project", "over": "1 day"}}}, "'project' says in a message"),
        ({"id": "paid_at"}, "entity, time and id are three columns"),
        ({"name": "other"}, "a preparation step asks for 'spend'"),
    ],
)
def test_a_definition_that_makes_no_sense_is_refused(
    workshop: Workshop, change: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ValidationError, match=problem):
        features(workshop, features=[{**SPEND, **change}])


def test_features_want_the_time_of_the_rows(workshop: Workshop) -> None:
    with pytest.raises(ValidationError, match=r"declare preparation\.time"):
        features(workshop, time=None)


def test_a_key_that_is_a_number_is_nothing_to_learn_from(workshop: Workshop) -> None:
    signature = features(workshop).training_set.signature
    assert dict(signature.ignored)["customer"] == "names the entity whose features are looked up"


def test_keys_that_are_too_long_for_serving_do_not_count_for_training(workshop: Workshop) -> None:
    long = f"SELECT * REPLACE (repeat(event_id, 60) AS event_id) FROM ({PAYMENTS})"
    made = features(workshop, payments=long)
    left = sum(len(f"p{i}") * 60 > 200 for i in range(400))
    assert any(f"{left:,} events of 'payments'" in note for note in made.notes)
