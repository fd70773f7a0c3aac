"""One definition, two engines: equal aggregates for every entity, whatever the delivery."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evergreen.contracts.feature_definition import (
    Aggregate,
    Definition,
    microseconds,
    moment_of,
)
from evergreen.features.offline_aggregates import Source, aggregates_query
from evergreen.features.online_aggregates import EntityEvent, aggregate

SECOND = microseconds(timedelta(seconds=1))
DAY = microseconds(timedelta(days=1))
FUNCTIONS = ("sum", "mean", "min", "max", "last", "distinct")

SPEND = Definition(
    name="spend",
    dataset="payments",
    entity="customer",
    time="paid_at",
    id="event_id",
    aggregates=(
        *(Aggregate(f"{f}_short", f, "amount", 5 * SECOND) for f in FUNCTIONS),
        *(Aggregate(f"{f}_long", f, "amount", 40 * SECOND) for f in FUNCTIONS),
        Aggregate("orders", "count", None, 20 * SECOND),
        Aggregate("last_shop", "last", "shop", 40 * SECOND),
        Aggregate("shops", "distinct", "shop", 10 * SECOND),
    ),
    at="asked_at",
)

Payment = tuple[str, str, int, float | None, str | None]
"""Id, customer, time (µs), amount, shop."""

amounts = st.none() | st.floats(-3.4e38, 3.4e38) | st.sampled_from([0.1, 0.2, -0.3, 1e16, -0.0])
payments = st.lists(
    st.tuples(
        st.sampled_from([f"p{n}" for n in range(8)]),
        st.sampled_from(["ann", "17"]),
        st.integers(0, 50 * SECOND) | st.sampled_from([s * SECOND for s in range(50)]),
        amounts,
        st.none() | st.sampled_from(["a", "b", "é", "\N{DROMEDARY CAMEL}", "\uffee"]),
    ),
    max_size=25,
)
moments = st.integers(0, 60 * SECOND) | st.sampled_from([s * SECOND for s in range(60)])


def offline(
    definition: Definition, events: Sequence[Payment], asked: Sequence[tuple[str | None, int]]
) -> list[dict[str, Any]]:
    """What DuckDB says for each customer and moment."""
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE payments (event_id VARCHAR, customer VARCHAR, paid_at TIMESTAMP, "
            "amount DOUBLE, shop VARCHAR)"
        )
        connection.execute("CREATE TABLE asked (customer VARCHAR, asked_at TIMESTAMP, r BIGINT)")
        for name, customer, time, amount, shop in events:
            moment = moment_of(time).replace(tzinfo=None)
            connection.execute(
                "INSERT INTO payments VALUES (?, ?, ?, ?, ?)",
                [name, customer, moment, amount, shop],
            )
        for row, (customer, at) in enumerate(asked):
            moment = moment_of(at).replace(tzinfo=None)
            connection.execute("INSERT INTO asked VALUES (?, ?, ?)", [customer, moment, row])
        query, _ = aggregates_query(
            connection,
            definition,
            table(connection, "asked"),
            table(connection, "payments"),
            "r",
        )
        names = ", ".join(f'"{each.name}"' for each in definition.aggregates)
        result = connection.execute(f"SELECT {names} FROM ({query}) ORDER BY r")
        columns = [column[0] for column in result.description]
        return [dict(zip(columns, row, strict=True)) for row in result.fetchall()]


def table(connection: duckdb.DuckDBPyConnection, name: str) -> Source:
    described = connection.execute(f"DESCRIBE {name}").fetchall()
    return Source(name, {column: kind for column, kind, *_ in described})


def stored(events: Sequence[Payment], customer: str) -> list[EntityEvent]:
    return [
        EntityEvent(time, name, {"amount": amount, "shop": shop})
        for name, owner, time, amount, shop in events
        if owner == customer
    ]


@settings(max_examples=150)
@given(events=payments, moment=moments, shuffled=st.randoms(use_true_random=False))
def test_online_equals_offline_for_every_entity_as_of_any_moment(
    events: list[Payment], moment: int, shuffled: random.Random
) -> None:
    delivered = [event for event in events for _ in range(shuffled.randint(1, 3))]
    shuffled.shuffle(delivered)
    customers = ["ann", "17", "nobody"]
    batch = offline(SPEND, events, [(customer, moment) for customer in customers])
    for customer, expected in zip(customers, batch, strict=True):
        online = aggregate(SPEND, stored(delivered, customer), moment)
        assert dict(online.values) == expected


def test_sums_are_exact_whatever_the_order() -> None:
    values = [0.1] * 10 + [1e16, -1e16, 1e-30, 3e38, -3e38]
    expected = math.fsum(values)
    for seed in range(5):
        random.Random(seed).shuffle(values)  # noqa: S311 - repeatable
        events = [(f"p{n}", "ann", n, value, None) for n, value in enumerate(values)]
        (batch,) = offline(SPEND, events, [("ann", SECOND)])
        online = aggregate(SPEND, stored(events, "ann"), SECOND)
        assert online.values["sum_short"] == batch["sum_short"] == expected


def test_only_strictly_earlier_events_of_the_window_count() -> None:
    events = [
        ("at", "ann", 10 * SECOND, 1.0, None),
        ("before", "ann", 10 * SECOND - 1, 2.0, None),
        ("first", "ann", 5 * SECOND, 4.0, None),
        ("older", "ann", 5 * SECOND - 1, 8.0, None),
    ]
    online = aggregate(SPEND, stored(events, "ann"), 10 * SECOND)
    assert online.values["sum_short"] == 6.0
    assert offline(SPEND, events, [("ann", 10 * SECOND)])[0]["sum_short"] == 6.0


def test_of_two_versions_of_an_event_the_later_counts() -> None:
    events = [("p", "ann", 2 * SECOND, 5.0, "b"), ("p", "ann", 3 * SECOND, 4.0, "a")]
    for order in (events, events[::-1]):
        online = aggregate(SPEND, stored(order, "ann"), 4 * SECOND)
        assert (online.values["sum_short"], online.values["last_shop"]) == (4.0, "a")


@pytest.mark.parametrize("turned", [False, True])
def test_of_two_versions_at_one_time_the_greater_values_count(turned: bool) -> None:  # noqa: FBT001
    events = [
        ("p", "ann", SECOND, 5.0, "a"),
        ("p", "ann", SECOND, 5.0, "b"),
        ("q", "ann", SECOND, None, "c"),
        ("q", "ann", SECOND, 4.0, None),
    ]
    events = events[::-1] if turned else events
    online = aggregate(SPEND, stored(events, "ann"), 2 * SECOND)
    (batch,) = offline(SPEND, events, [("ann", 2 * SECOND)])
    assert dict(online.values) == batch
    assert (batch["sum_short"], batch["last_shop"]) == (9.0, "b")


def test_an_entity_without_events_has_counts_of_zero_and_nothing_else() -> None:
    online = aggregate(SPEND, [], 0)
    assert (online.events, online.newest) == (0, None)
    assert {name for name, value in online.values.items() if value == 0.0} == {
        "sum_short", "sum_long", "distinct_short", "distinct_long", "orders", "shops"
    }  # fmt: skip
    assert {value for value in online.values.values() if value != 0.0} == {None}


def test_a_row_without_an_entity_has_no_aggregates() -> None:
    (row,) = offline(SPEND, [("p", "ann", 1, 1.0, "a")], [(None, SECOND)])
    assert set(row.values()) == {None}


@pytest.mark.parametrize("cell", ["text", None, "  "])
def test_a_text_where_numbers_are_added_does_not_count(cell: Any) -> None:
    events = [EntityEvent(1, "a", {"amount": cell}), EntityEvent(2, "b", {"amount": 2})]
    assert aggregate(SPEND, events, SECOND).values["sum_short"] == 2.0


def test_a_definition_survives_its_record() -> None:
    assert Definition.from_plain(SPEND.to_plain()) == SPEND
