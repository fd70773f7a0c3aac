"""Feature updates through queue messages, and predictions that rest on them."""

from __future__ import annotations

import json
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console

from bench.figures import Figure
from bench.one_cloud import one_cloud, wait_for_answer
from bench.online_shop import PROJECT as SHOP
from bench.online_shop import orders, payment, payments
from demo.endpoint import Endpoint
from evergreen.cloud.clients import client
from evergreen.cloud.event_table import DynamoEventStore
from evergreen.cloud.table import DynamoTable
from evergreen.contracts.feature_definition import Definition, instant, stream_of
from evergreen.contracts.project_reading import read_project_file
from evergreen.data.engine import connect, literal
from evergreen.data.rows import write_rows
from evergreen.features.event_store import StoredEvent
from evergreen.features.offline_aggregates import Source, aggregates_query
from evergreen.features.online_aggregates import aggregate
from evergreen.features.online_events import events_of, read_message
from evergreen.registry.catalogue import Catalogue
from local.cloud import LocalCloud

PROJECT = "online-updates"
UPDATES = 100_000
EVENTS_PER_ENTITY = 50
EVENTS_OF_AN_ENTITY = (10, 50, 500)
SENDERS = 4
CHUNK = 10_000
BACKLOG = 5_000
FILE = f"""
project: {PROJECT}
dataset: orders
target: returned
preparation: {{time: asked_at, steps: [{{features: [spend]}}]}}
features:
  - name: spend
    dataset: payments
    entity: customer
    time: paid_at
    aggregates:
      spend_1d: {{sum: amount, over: 1 day}}
      spend_30d: {{sum: amount, over: 30 days}}
      mean_7d: {{mean: amount, over: 7 days}}
      least_7d: {{min: amount, over: 7 days}}
      most_7d: {{max: amount, over: 7 days}}
      orders_30d: {{count: true, over: 30 days}}
      shops_30d: {{distinct: shop, over: 30 days}}
      last_shop: {{last: shop, over: 30 days}}
    keep: 40 days
"""


def measure(console: Console) -> list[Figure]:
    """100,000 updates, each delivered one to three times; then requests with an entity key."""
    with one_cloud(console) as cloud:
        latencies = measure_lookups(cloud)
        updates = measure_updates(cloud, UPDATES, seed=1, say=console.print)
    return [
        Figure("updates, each delivered 1 to 3 times", f"{updates.updates:,}", "100,000"),
        Figure("  messages", f"{updates.deliveries:,}"),
        Figure("  lost", f"{updates.lost:,}", "0"),
        Figure("  counted twice", f"{updates.doubled:,}", "0"),
        Figure(
            f"  of {updates.entities:,} entities, not exactly as in one batch in DuckDB",
            f"{updates.differing:,}",
            "0",
        ),
        Figure("  messages a second, sent and stored", f"{updates.rate:,.0f}"),
        *(
            Figure(
                f"predict by entity key with {events:,} events, p50", f"{p50 * 1e3:.1f} ms", target
            )
            for (events, p50), target in zip(
                latencies.items(), ("≤ 10 ms", "≤ 10 ms", ""), strict=True
            )
        ),
    ]


def measure_lookups(cloud: LocalCloud, requests: int = 100) -> dict[int, float]:
    """The middle time (s) of a request over HTTP, by how many events its entity has."""
    s3, bucket = client("s3"), cloud.outputs.uploads_bucket
    for key, text in {
        "projects/shop/project.yaml": SHOP,
        "uploads/shop/payments/payments.csv": payments(),
        "uploads/shop/orders/orders.csv": orders(),
    }.items():
        s3.put_object(Bucket=bucket, Key=key, Body=text.encode())
    endpoint = Endpoint(cloud.outputs.api_url, cloud.outputs.api_key, "shop")
    wait_for_answer(endpoint, {})
    now = datetime.now(UTC)
    store = DynamoEventStore(cloud.outputs.feature_table)
    features = read_project_file(SHOP.encode(), "shop").features
    latencies = {}
    for customer, events in enumerate(EVENTS_OF_AN_ENTITY, start=9_000):
        told: list[StoredEvent] = []
        for number in range(events):
            at = now - timedelta(seconds=60 * number + 60)
            message = read_message(json.dumps(payment(f"l{number}", customer, at, 1.5)))
            told += events_of(message, features, now)
        store.put(told)
        times = []
        for number in range(requests + 10):
            began = time.perf_counter()
            endpoint.predict([{"customer_id": customer}])
            if number >= 10:
                times.append(time.perf_counter() - began)
        latencies[events] = statistics.median(times)
    return latencies


@dataclass(frozen=True)
class Updates:
    """What came of so many updates, delivered so many times in `seconds`."""

    updates: int
    deliveries: int
    seconds: float
    lost: int
    doubled: int
    differing: int
    """Entities whose aggregates are not exactly those of one batch in DuckDB."""
    entities: int

    @property
    def rate(self) -> float:
        """Messages a second, from the first sent to the last stored."""
        return self.deliveries / self.seconds


def measure_updates(
    cloud: LocalCloud, updates: int, seed: int, say: Callable[[str], None] = lambda _: None
) -> Updates:
    """Send each update one to three times in random order, and compare with one batch."""
    definition = _declared(cloud)
    chance = random.Random(seed)  # noqa: S311 - repeatable
    now = datetime.now(UTC)
    rows = list(_payments(chance, now, updates))
    delivered = [row for row in rows for _ in range(chance.randint(1, 3))]
    chance.shuffle(delivered)
    began, others = time.monotonic(), _waiting(cloud)
    _send(cloud, delivered, say)
    _wait_until_left(cloud, others)
    seconds = time.monotonic() - began
    at = now + timedelta(seconds=1)
    batch = _in_one_batch(definition, rows, at)
    store = DynamoEventStore(cloud.outputs.feature_table)
    stream = stream_of(PROJECT, definition)
    ids: dict[str, list[str]] = {}
    differing = 0
    for customer, expected in batch.items():
        events = store.read(stream, customer, instant(now - timedelta(days=40)))
        ids[customer] = [event.id for event in events]
        differing += dict(aggregate(definition, events, instant(at)).values) != expected
    sent = {(row["customer"], row["event_id"]) for row in rows}
    found = [(customer, name) for customer, names in ids.items() for name in names]
    return Updates(
        updates=len(rows),
        deliveries=len(delivered),
        seconds=seconds,
        lost=len(sent - set(found)),
        doubled=len(found) - len(set(found)),
        differing=differing,
        entities=len(batch),
    )


def _declared(cloud: LocalCloud) -> Definition:
    """Upload the project file, and wait until it counts."""
    client("s3").put_object(
        Bucket=cloud.outputs.uploads_bucket,
        Key=f"projects/{PROJECT}/project.yaml",
        Body=FILE.encode(),
    )
    catalogue = Catalogue(DynamoTable(cloud.outputs.table))
    while catalogue.project_file(PROJECT) is None:
        time.sleep(0.1)
    time.sleep(2.5)  # a worker that was asked earlier may still know of none
    (definition,) = read_project_file(FILE.encode(), PROJECT).learned_features
    return definition


def _payments(chance: random.Random, now: datetime, updates: int) -> Iterator[dict[str, Any]]:
    entities = max(1, updates // EVENTS_PER_ENTITY)
    for number in range(updates):
        ago = timedelta(microseconds=chance.randrange(39 * 86_400 * 10**6))
        yield {
            "event_id": f"e{number}",
            "customer": f"c{chance.randrange(entities)}",
            "paid_at": (now - ago).replace(tzinfo=None).isoformat(timespec="microseconds"),
            "amount": round(chance.lognormvariate(3, 2), 2) if chance.random() < 0.95 else None,
            "shop": chance.choice(["north", "south", "east", "west"]),
        }


def _send(cloud: LocalCloud, rows: Sequence[dict[str, Any]], say: Callable[[str], None]) -> None:
    sqs, queue = client("sqs"), cloud.outputs.feature_events_queue
    head = {"project": PROJECT, "dataset": "payments"}

    def send(start: int) -> None:
        entries = [
            {"Id": str(place), "MessageBody": json.dumps({**head, **row})}
            for place, row in enumerate(rows[start : start + 10])
        ]
        answer = sqs.send_message_batch(QueueUrl=queue, Entries=entries)
        if answer.get("Failed"):
            raise RuntimeError(f"SQS took {len(answer['Failed'])} message(s) not")

    with ThreadPoolExecutor(SENDERS) as pool:
        for start in range(0, len(rows), CHUNK):
            list(pool.map(send, range(start, min(start + CHUNK, len(rows)), 10)))
            # The local stand-in searches a queue from its beginning: a long one makes it slow.
            _wait_until_left(cloud, BACKLOG)
            say(f"{min(start + CHUNK, len(rows)):,} of {len(rows):,} messages sent")


def _wait_until_left(cloud: LocalCloud, messages: int) -> None:
    """Wait until no more than so many messages are waiting or in work."""
    while _waiting(cloud) > messages:
        time.sleep(0.1)


def _waiting(cloud: LocalCloud) -> int:
    depths = client("sqs").get_queue_attributes(
        QueueUrl=cloud.outputs.feature_events_queue,
        AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
    )["Attributes"]
    return sum(int(depth) for depth in depths.values())


def _in_one_batch(
    definition: Definition, rows: Sequence[dict[str, Any]], at: datetime
) -> dict[str, dict[str, Any]]:
    """What DuckDB makes of all events at once, as of one moment, by customer."""
    names = ", ".join(f'"{each.name}"' for each in definition.aggregates)
    with TemporaryDirectory() as directory, connect(Path(directory)) as connection:
        path = Path(directory, "payments.parquet")
        types: Any = {"event_id": "text", "customer": "text", "paid_at": "timestamp"}
        write_rows(path, rows, types)
        connection.execute(f"CREATE TABLE payments AS FROM {literal(str(path))}")
        moment = at.replace(tzinfo=None).isoformat()
        connection.execute(
            "CREATE TABLE asked AS SELECT customer, row_number() OVER () AS r, "
            f"TIMESTAMP {literal(moment)} AS asked_at "
            "FROM (SELECT DISTINCT customer FROM payments)"
        )
        described = {
            name: {column: kind for column, kind, *_ in rest}
            for name in ("asked", "payments")
            for rest in [connection.execute(f"DESCRIBE {name}").fetchall()]
        }
        query, _ = aggregates_query(
            connection,
            definition,
            Source("asked", described["asked"]),
            Source("payments", described["payments"]),
            "r",
        )
        result = connection.execute(f"SELECT customer, {names} FROM ({query})").fetchall()
        columns = [each.name for each in definition.aggregates]
        return {
            str(customer): dict(zip(columns, values, strict=True)) for customer, *values in result
        }
