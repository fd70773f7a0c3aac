"""Events through the queue, from upload to an answer that rests on them."""

from __future__ import annotations

import json
import random
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bench.online_shop import PROJECT, orders, payment, payments
from evergreen.data.engine import connect, literal


@pytest.fixture(scope="module")
def shop(person: Any) -> Any:
    person.upload("projects/shop/project.yaml", PROJECT)
    person.upload("uploads/shop/payments/payments.csv", payments())
    person.upload("uploads/shop/orders/orders.csv", orders())
    person.wait_for("shop", "ModelPromoted", seconds=120)
    return person


def send(person: Any, messages: list[dict[str, Any] | str]) -> None:
    sqs = person.cloud.client("sqs")
    for start in range(0, len(messages), 10):
        entries = [
            {"Id": str(n), "MessageBody": m if isinstance(m, str) else json.dumps(m)}
            for n, m in enumerate(messages[start : start + 10])
        ]
        sqs.send_message_batch(QueueUrl=person.cloud.outputs.feature_events_queue, Entries=entries)


def ask(person: Any, row: dict[str, Any]) -> dict[str, Any]:
    status, answer = person.predict("shop", json.dumps({"rows": [row]}))
    assert status == 200, answer
    (prediction,) = answer["predictions"]
    return dict(prediction)


def ask_until(person: Any, row: dict[str, Any], events: int) -> dict[str, Any]:
    """Ask until the answer rests on so many events."""
    deadline = time.monotonic() + 30
    while True:
        prediction = ask(person, row)
        if prediction["features"]["customer_spend"]["events"] == events:
            return prediction
        assert time.monotonic() < deadline, prediction
        time.sleep(0.1)


def test_an_entity_key_is_enough_to_be_answered(shop: Any) -> None:
    now = datetime.now(UTC)
    events: list[Any] = [
        payment(f"rich-{n}", 1001, now - timedelta(hours=4 * n + 1), 10.25) for n in range(5)
    ]
    poor: list[Any] = [
        payment(f"poor-{n}", 1000, now - timedelta(hours=4 * n + 1), 1.25) for n in range(5)
    ]
    delivered = [*events, *poor] * 2
    random.Random(1).shuffle(delivered)  # noqa: S311 - repeatable
    send(shop, delivered)
    rich = ask_until(shop, {"customer_id": 1001}, 5)
    poor_one = ask_until(shop, {"customer_id": "1000"}, 5)
    assert (rich["prediction"], poor_one["prediction"]) == ("yes", "no")
    assert rich["notes"] == []
    assert 3600 <= rich["features"]["customer_spend"]["age_seconds"] < 3700


def test_an_unknown_entity_is_answered_with_a_note(shop: Any) -> None:
    prediction = ask(shop, {"customer_id": 4040})
    assert "unknown customer_id" in prediction["notes"][0]


def test_a_bad_message_fails_alone(shop: Any) -> None:
    now = datetime.now(UTC)
    good = [payment(f"g{n}", 2001, now - timedelta(minutes=n + 1), 1.0) for n in range(3)]
    bad = {**good[0], "event_id": "bad", "amount": "much"}
    send(shop, [good[0], "no event", good[1], bad, good[2]])
    ask_until(shop, {"customer_id": 2001}, 3)
    sqs = shop.cloud.client("sqs")
    left = sqs.get_queue_attributes(
        QueueUrl=shop.cloud.outputs.feature_events_queue,
        AttributeNames=["ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessages"],
    )["Attributes"]
    assert sum(map(int, left.values())) == 2


def test_what_the_model_saw_is_captured(shop: Any) -> None:
    deadline = time.monotonic() + 20
    ask(shop, {"customer_id": 4040})
    while not shop.catalogue.newest("shop", "CAPTURE"):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    with tempfile.TemporaryDirectory() as directory, connect(Path(directory)) as connection:
        path = Path(directory, "capture.parquet")
        path.write_bytes(shop.lake.read(shop.catalogue.newest("shop", "CAPTURE")[0]["key"]))
        columns = connection.execute(f"DESCRIBE FROM {literal(str(path))}").fetchall()
    assert any("spend_7d" in name for name, *_ in columns)


def test_files_to_score_need_no_more_than_an_entity_key_either(shop: Any) -> None:
    now = datetime.now(UTC)
    send(
        shop,
        [payment(f"s{n}", 3001, now - timedelta(hours=n + 1), 10.5) for n in range(25)],
    )
    ask_until(shop, {"customer_id": 3001}, 25)
    shop.upload("scoring/shop/next.csv", "id,customer_id\nknown,3001\nnew,4040\n")
    entry = shop.wait_for("shop", "BatchScored", "BatchRefused")
    assert entry["name"] == "BatchScored", entry
    with tempfile.TemporaryDirectory() as directory, connect(Path(directory)) as connection:
        path = Path(directory, "scored.parquet")
        path.write_bytes(shop.lake.read(entry["detail"]["result"]))
        rows = connection.execute(f"SELECT id, prediction, notes FROM {literal(str(path))}")
        known, new = rows.fetchall()
    assert known[:2] == ("known", "yes")
    assert "unknown customer_id" in new[2]


def test_no_update_is_lost_or_counted_twice(shop: Any) -> None:
    from bench.online import measure_updates

    measured = measure_updates(shop.cloud, updates=1_500, seed=11)
    assert measured.deliveries > measured.updates
    assert (measured.lost, measured.doubled, measured.differing) == (0, 0, 0)


def test_events_that_were_only_uploaded_are_known_too(shop: Any) -> None:
    now = datetime.now(UTC).replace(tzinfo=None)
    lines = ["event_id,customer_id,paid_at,amount"]
    lines += [f"u{n},5001,{now - timedelta(hours=n + 1)},10.5" for n in range(20)]
    shop.upload("uploads/shop/payments/recent.csv", "\n".join(lines))
    prediction = ask_until(shop, {"customer_id": 5001}, 20)
    assert prediction["prediction"] == "yes"
