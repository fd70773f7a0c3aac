"""`backfill_features` makes an uploaded dataset known to serving, as its messages would have."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from evergreen.contracts.events import Event, event_id
from evergreen.contracts.facts import DatasetIngested, Fact, FeaturesBackfilled, ProjectChanged
from evergreen.contracts.feature_definition import instant, stream_of
from evergreen.contracts.project_file import ProjectFile
from evergreen.features.event_store import MemoryEventStore, StoredEvent
from evergreen.features.online_aggregates import aggregate
from evergreen.features.online_events import events_of, read_message
from tests.unit.functions.conftest import Function
from tests.unit.functions.uploading import Uploads

NOW = datetime.now(UTC)
SPEND: dict[str, Any] = {
    "name": "spend",
    "dataset": "payments",
    "entity": "customer",
    "time": "paid_at",
    "aggregates": {
        "spend_7d": {"sum": "amount", "over": "7 days"},
        "shops": {"distinct": "shop", "over": "7 days"},
        "last_shop": {"last": "shop", "over": "7 days"},
    },
}


def project(**changed: Any) -> ProjectFile:
    plain = {"project": "shop", "dataset": "orders", "target": "y"}
    return ProjectFile.model_validate({**plain, "features": [SPEND | changed]})


class Unwilling(MemoryEventStore):
    """A store that does not take one event, once."""

    def __init__(self) -> None:
        super().__init__()
        self.refusals = 1

    def put(self, events: list[StoredEvent]) -> frozenset[int]:
        refused = min(self.refusals, len(events))
        self.refusals -= refused
        super().put(events[refused:])
        return frozenset(range(refused))


class Shop:
    """Uploads of payments, and the function that fills them in."""

    def __init__(self, load: Callable[[str], Function], patch: pytest.MonkeyPatch) -> None:
        self.ingest, self.filler = load("ingest_upload"), load("backfill_features")
        filler = self.filler
        filler.table, filler.lake, filler.bus = (
            self.ingest.table, self.ingest.lake, self.ingest.bus
        )  # fmt: skip
        vars(filler.app.stage).update(table=filler.table, lake=filler.lake, bus=filler.bus)
        self.store = MemoryEventStore()
        patch.setattr(filler.app, "store", lambda: self.store)
        self.uploads = Uploads(self.ingest, patch)

    def declare(self, file: ProjectFile) -> ProjectChanged:
        digest, sections = self.ingest.catalogue.change_project(file)
        return ProjectChanged(project="shop", file_digest=digest, sections=sections)

    def upload(self, name: str, rows: str) -> DatasetIngested:
        self.uploads.put(f"uploads/shop/payments/{name}.csv", rows)
        return self.uploads.said(DatasetIngested)[-1]

    def hear(self, fact: Fact) -> FeaturesBackfilled | None:
        """Wake the function; what it says."""
        count = len(self.ingest.said)
        assert self.filler.hear(self.event(fact)) == []
        said = self.ingest.said[count:]
        return said[0] if said and isinstance(said[0], FeaturesBackfilled) else None

    def event(self, fact: Fact) -> Event:
        return Event(fact, event_id("e", fact), "c", NOW)

    def aggregates(self, customer: str, file: ProjectFile) -> dict[str, Any]:
        definition = file.features[0].definition()
        events = self.store.read(stream_of("shop", definition), customer, instant(NOW) - 10**15)
        return dict(aggregate(definition, events, instant(NOW)).values)


@pytest.fixture
def shop(function: Callable[[str], Function], monkeypatch: pytest.MonkeyPatch) -> Shop:
    return Shop(function, monkeypatch)


def payments(first: int, after: int, customer: int = 17) -> str:
    """A payment every hour back from now."""
    lines = ["event_id,customer,paid_at,amount,shop"]
    for number in range(first, after):
        at = (NOW - timedelta(hours=number + 1)).replace(tzinfo=None).isoformat(sep=" ")
        lines.append(f"p{number},{customer},{at},{number}.25,s{number % 3}")
    return "\n".join(lines) + "\n"


def messages(first: int, after: int) -> list[StoredEvent]:
    """The same payments as they come through the queue."""
    told: list[StoredEvent] = []
    for line in payments(first, after).splitlines()[1:]:
        name, customer, at, amount, where = line.split(",")
        body = (
            f'{{"project": "shop", "dataset": "payments", "event_id": "{name}", '
            f'"customer": {customer}, "paid_at": "{at}Z", "amount": {amount}, "shop": "{where}"}}'
        )
        told += events_of(read_message(body), project().features, NOW)
    return told


def test_rows_that_windows_can_see_become_events(shop: Shop) -> None:
    shop.declare(project())
    said = shop.hear(shop.upload("a", payments(0, 300)))
    assert said is not None
    assert (said.events, said.refused) == (7 * 24 - 1, 0)  # the last hour began before now
    assert shop.aggregates("17", project())["spend_7d"] == sum(n + 0.25 for n in range(167))


def test_uploads_and_messages_of_the_same_events_count_them_once(shop: Shop) -> None:
    shop.declare(project())
    shop.store.put(messages(20, 90))
    shop.hear(shop.upload("a", payments(0, 60)))
    shop.store.put(messages(0, 10))
    only_messages = MemoryEventStore()
    only_messages.put(messages(0, 90))
    both = shop.aggregates("17", project())
    shop.store = only_messages
    assert both == shop.aggregates("17", project())


def test_a_part_that_was_filled_in_is_not_read_again(shop: Shop) -> None:
    shop.declare(project())
    shop.hear(shop.upload("a", payments(0, 50)))
    fact = shop.upload("b", payments(50, 60))
    said = shop.hear(fact)
    assert said is not None
    assert said.events == 10
    assert shop.hear(fact) is None


def test_features_declared_after_the_upload_are_filled_in_then(shop: Shop) -> None:
    assert shop.hear(shop.upload("a", payments(0, 50))) is None
    said = shop.hear(shop.declare(project()))
    assert said is not None
    assert said.events == 50


def test_events_that_are_kept_longer_are_filled_in_again(shop: Shop) -> None:
    shop.declare(project())
    shop.hear(shop.upload("a", payments(0, 300)))
    said = shop.hear(shop.declare(project(keep="30 days")))
    assert said is not None
    assert said.events == 300


def test_a_change_of_other_sections_fills_nothing_in(shop: Shop) -> None:
    shop.upload("a", payments(0, 50))
    changed = shop.declare(project())
    assert shop.hear(changed.model_copy(update={"sections": ("search",)})) is None


def test_rows_that_can_be_no_event_are_counted(shop: Shop) -> None:
    shop.declare(project())
    rows = payments(0, 5) + f"p5,,{NOW.replace(tzinfo=None).isoformat(sep=' ')},1.25,s\n"
    said = shop.hear(shop.upload("a", rows))
    assert said is not None
    assert (said.events, said.refused) == (5, 1)


def test_what_the_store_does_not_take_is_delivered_again(shop: Shop) -> None:
    shop.declare(project())
    shop.store = Unwilling()
    fact = shop.upload("a", payments(0, 5))
    assert shop.filler.hear(shop.event(fact)) == ["m0"]
    said = shop.hear(fact)
    assert said is not None
    assert said.events == 5
    assert shop.aggregates("17", project())["spend_7d"] == sum(n + 0.25 for n in range(5))


def test_a_dataset_without_the_columns_of_an_event_is_left_alone(shop: Shop) -> None:
    shop.declare(project(time="sent_at"))
    said = shop.hear(shop.upload("a", payments(0, 5)))
    assert said is not None
    assert (said.events, said.refused) == (0, 0)
