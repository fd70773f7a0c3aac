"""Rows asked as they were uploaded get the very columns that preparation made of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evergreen.data import readings
from evergreen.serving.raw_values import SPACES
from tests.unit.serving.kitchen import Kitchen

TYPES = {
    "a": "DOUBLE",
    "b": "BIGINT",
    "s": "VARCHAR",
    "d": "DATE",
    "t": "TIMESTAMP",
    "f": "BOOLEAN",
    "k": "BIGINT",
}
"""A column of each type that ingestion knows, and a key."""

SHOP = """
    SELECT * FROM (VALUES (0, 'ä', 1.5, DATE '2024-02-29', true), (1, 'ß', -0.1, NULL, false),
        (1, 'ß', 7.25, DATE '2024-01-01', NULL), (2, '東京', NULL, DATE '1999-12-31', true),
        (NULL, NULL, 9.5, NULL, NULL)) AS shop(id, city, size, opened, open)
"""

STEPS: dict[str, list[dict[str, Any]]] = {
    "derive": [
        {
            "derive": {
                "ratio": "a / (1 + abs(b % 10))",
                "shout": "upper(s) || '·' || coalesce(CAST(b AS VARCHAR), '–')",
                "long": "length(s)",
                "a": "round(a, 2)",
                "high": "a > b",
                "later": '"t" + INTERVAL 3 HOUR',
                "day": 'CAST("t" AS DATE)',
                "words": "list_transform(string_split(s, ' '), lambda w: length(w))",
                "first": "words[1] + ratio",
                "exact": "CAST(b AS DECIMAL(38, 3)) / 7",
                "tiny": "a * 1e-300",
                "huge": "a * 1e300",
                "undefined": "a / (b % 3)",
                "made_up": "coalesce(undefined, -1)",
            }
        }
    ],
    "fill": [{"fill": {"a": 0.1, "b": 7, "s": "none", "f": True, "d": "2024-02-29"}}],
    "clip": [{"clip": {"a": {"min": -1.5, "max": 2}, "b": {"max": 5}}}],
    "dates": [
        {
            "dates": {
                "t": ["year", "quarter", "month", "week", "day", "day_of_year", "day_of_week"],
                "d": ["weekend", "hour", "minute", "month_cyclic", "day_of_week_cyclic"],
            }
        },
        {"dates": {"t": ["hour_cyclic", "weekend"]}},
    ],
    "drop": [{"drop": ["a", "k"]}],
    "keep": [{"keep": ["s", "t"]}],
    "filter": [{"filter": "true"}],
    "deduplicate": [{"deduplicate": ["k0"]}],
    "join": [
        {"join": {"dataset": "shop", "on": {"k": "id"}, "prefix": "k_"}},
        {"join": {"dataset": "shop", "on": {"s": "city"}, "columns": ["size", "opened"]}},
        {"derive": {"near": "b % 3"}},
        {"join": {"dataset": "shop", "on": {"near": "id", "s": "city"}, "prefix": "both_"}},
        {"join": {"dataset": "shop", "on": {"a": "id"}, "columns": ["open"], "prefix": "a_"}},
    ],
    "all": [
        {"fill": {"a": 0.5}},
        {"derive": {"key": "abs(b) % 4", "b": "b % 100"}},
        {"drop": ["k"]},
        {"join": {"dataset": "shop", "on": {"key": "id"}}},
        {"derive": {"k": "coalesce(size, a) * 2"}},
        {"clip": {"k": {"min": 0}}},
        {"dates": {"opened": ["year", "month_cyclic"]}},
        {"drop": ["key", "size"]},
    ],
}
"""By the kind that an entry is about; `all` in one, with names that are dropped and made again."""

FIRST, LAST = (datetime.fromisoformat(day) for day in ("0001-01-02", "9999-12-30"))
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["ä", "ß", "東京", "a b", "none", "´`'\"", "🙂", "İ", "0", "true"]
)
rows = st.fixed_dictionaries(
    {
        "a": st.none() | st.floats(-3e38, 3e38) | st.floats(-10, 10),
        "b": st.none() | st.integers(-(2**62), 2**62) | st.integers(-9, 9),
        "s": st.none() | texts,
        "d": st.none() | st.dates(date(1, 1, 1)),
        "t": st.none() | st.datetimes(FIRST, LAST),
        "f": st.none() | st.booleans(),
        "k": st.none() | st.integers(-1, 4),
    }
)


def ingested(row: dict[str, Any]) -> dict[str, Any]:
    """As ingestion stores it: without spaces around texts."""
    return {**row, "s": (row["s"] or "").strip(SPACES) or None}


@pytest.fixture(scope="module")
def kitchen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kitchen]:
    with Kitchen.opened(tmp_path_factory.mktemp("kitchen"), shop=SHOP) as opened:
        yield opened


@pytest.mark.parametrize("kind", STEPS)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(table=st.lists(rows, min_size=1, max_size=4))
def test_a_row_gets_the_same_bits_online_as_offline(
    kind: str, table: list[dict[str, Any]], kitchen: Kitchen
) -> None:
    types = {**TYPES, "k0": "BIGINT"}
    uploaded = [{**row, "k0": place} for place, row in enumerate(table)]
    dish = kitchen.prepare(types, [ingested(row) for row in uploaded], *STEPS[kind])
    online = dish.ask(*uploaded).encoded
    np.testing.assert_array_equal(bits(online.numbers), bits(dish.offline.numbers))
    np.testing.assert_array_equal(online.categories, dish.offline.categories)
    alone = [dish.ask(row).encoded for row in uploaded]
    np.testing.assert_array_equal(
        bits(np.concatenate([e.numbers for e in alone])), bits(online.numbers)
    )


def test_texts_lose_the_spaces_that_ingestion_takes_from_around_them() -> None:
    # Each says it by itself: serving starts without the engine that reads uploads.
    assert readings.SPACES == SPACES


def bits(numbers: Any) -> Any:
    return np.ascontiguousarray(numbers).view(np.uint32)
