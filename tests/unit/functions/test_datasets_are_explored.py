"""Each dataset version gets a profile and a page, drawn anew when target or joins become known."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from threading import Event as Moment
from threading import Thread
from typing import Any

import pytest

from evergreen.cloud import explorer
from evergreen.contracts.events import Event, event_id
from evergreen.contracts.facts import ProjectChanged
from evergreen.contracts.project_file import ProjectFile
from evergreen.registry.catalogue import EXPLORATION
from tests.unit.functions.conftest import Function
from tests.unit.functions.uploading import Uploads

ORDERS = "customer,price,bought\n" + "".join(
    f"c{i % 40},{i % 7}.5,{'yes' if i % 7 > 3 else 'no'}\n" for i in range(200)
)
CUSTOMERS = "customer,town\n" + "".join(f"c{i},t{i % 5}\n" for i in range(60))


@pytest.fixture
def uploads(function: Callable[[str], Function], monkeypatch: pytest.MonkeyPatch) -> Uploads:
    return Uploads(function("ingest_upload"), monkeypatch)


def explored(uploads: Uploads, dataset: str) -> Mapping[str, Any]:
    found = uploads.ingest.catalogue.get("p", EXPLORATION, dataset)
    assert found is not None
    return found


def page(uploads: Uploads, dataset: str) -> str:
    return uploads.ingest.lake.read(explored(uploads, dataset)["exploration"]).decode()


def declare_target(uploads: Uploads) -> None:
    file = ProjectFile.model_validate({"project": "p", "dataset": "orders", "target": "bought"})
    digest, sections = uploads.ingest.catalogue.change_project(file)
    changed = ProjectChanged(project="p", file_digest=digest, sections=sections)
    event = Event(changed, event_id("e", changed), "c", datetime(2026, 1, 1, tzinfo=UTC))
    assert uploads.ingest.hear(event) == []


def test_a_version_has_a_profile_and_a_page(uploads: Uploads) -> None:
    uploads.put("uploads/p/orders/1.csv", ORDERS)
    version = uploads.ingest.catalogue.dataset("p", "orders")
    assert version is not None
    found = explored(uploads, "orders")
    assert found["version"] == version.version
    content = json.loads(uploads.ingest.lake.read(found["profile"]))
    assert content["version"] == version.version
    assert content["profile"]["rows"] == 200
    assert "<h1>p / orders</h1>" in page(uploads, "orders")
    assert "200 rows of 3 columns" in page(uploads, "orders")


def test_quarantined_rows_and_warnings_stand_on_the_page(uploads: Uploads) -> None:
    uploads.put("uploads/p/orders/1.csv", ORDERS + "c1,2.5\n")
    assert "refused, with their reasons" in page(uploads, "orders")


def test_a_dataset_that_comes_later_is_suggested_as_a_join(uploads: Uploads) -> None:
    uploads.put("uploads/p/orders/1.csv", ORDERS)
    assert "dataset: customers" not in page(uploads, "orders")
    uploads.put("uploads/p/customers/1.csv", CUSTOMERS)
    assert "dataset: customers" in page(uploads, "orders")
    assert "100.0%" in page(uploads, "orders")


def test_a_project_file_that_comes_later_brings_the_target(uploads: Uploads) -> None:
    uploads.put("uploads/p/orders/1.csv", ORDERS)
    assert "What goes with" not in page(uploads, "orders")
    declare_target(uploads)
    assert "What goes with bought" in page(uploads, "orders")


def test_the_same_upload_again_draws_nothing(uploads: Uploads) -> None:
    event = uploads.event("uploads/p/orders/1.csv", ORDERS)
    uploads.take(event)
    before = dict(explored(uploads, "orders"))
    keys = set(uploads.ingest.lake.keys("datasets/"))
    uploads.take(event)
    assert dict(explored(uploads, "orders")) == before
    assert set(uploads.ingest.lake.keys("datasets/")) == keys


def test_the_console_lists_profile_and_page(
    uploads: Uploads, function: Callable[[str], Function]
) -> None:
    uploads.put("uploads/p/orders/1.csv", ORDERS)
    console = function("console_api")
    vars(console.app.stage).update(table=uploads.ingest.table, lake=uploads.ingest.lake)
    event = {
        "httpMethod": "GET",
        "path": "/projects/p/datasets",
        "headers": {},
        "requestContext": {"requestId": "r", "stage": "live"},
    }
    (listed,) = json.loads(console.app.handler(event, None)["body"])["datasets"]
    assert listed["exploration"] == explored(uploads, "orders")["exploration"]
    assert listed["profile"] == explored(uploads, "orders")["profile"]


def test_a_version_that_another_worker_profiles_has_its_profile_recorded(
    uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    explore, profile = uploads.ingest.app.explore, explorer.profile_with_keys
    taken, busy = Moment(), Moment()
    second = uploads.event("uploads/p/orders/2.csv", ORDERS.replace("c1,", "c9,"))
    other = Thread(target=uploads.take, args=[second])

    def explored_by_the_first(*arguments: Any) -> None:
        if not other.ident:
            other.start()
            assert taken.wait(60)  # The newest version is the other's now.
        else:
            taken.set()
            assert busy.wait(60)
        explore(*arguments)

    def slowly(*arguments: Any, **named: Any) -> Any:
        busy.set()
        time.sleep(0.3)  # The other finds the work in progress.
        return profile(*arguments, **named)

    monkeypatch.setattr(uploads.ingest.app, "explore", explored_by_the_first)
    monkeypatch.setattr(explorer, "profile_with_keys", slowly)
    uploads.put("uploads/p/orders/1.csv", ORDERS)
    other.join(60)

    newest, _ = sorted(
        uploads.ingest.catalogue.versions("p", "orders"), key=lambda each: -int(each["rows"])
    )
    assert newest["rows"] == 400
    assert newest["profile"] == explored(uploads, "orders")["profile"]


def test_a_target_is_drawn_though_another_dataset_is_being_profiled(
    uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile, busy = explorer.profile_with_keys, Moment()
    uploads.put("uploads/p/orders/1.csv", ORDERS)

    def slowly(*arguments: Any, **named: Any) -> Any:
        busy.set()
        time.sleep(0.3)
        return profile(*arguments, **named)

    monkeypatch.setattr(explorer, "profile_with_keys", slowly)
    customers = uploads.event("uploads/p/customers/1.csv", CUSTOMERS)
    other = Thread(target=uploads.take, args=[customers])
    other.start()
    assert busy.wait(60)
    declare_target(uploads)
    other.join(60)

    assert "What goes with bought" in page(uploads, "orders")
    assert "dataset: customers" in page(uploads, "orders")


def test_parts_that_are_judged_anew_are_explored_together(
    uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(4):
        uploads.put(f"uploads/p/d/{n}.csv", ORDERS.replace("\nc", f"\nc{n}-"))
    profile, profiled = explorer.profile_with_keys, list[int]()

    def counted(files: Any, *arguments: Any, **named: Any) -> Any:
        profiled.append(len(files))
        return profile(files, *arguments, **named)

    monkeypatch.setattr(explorer, "profile_with_keys", counted)
    uploads.declare({"constraints": [{"column": "price", "range": [0, 6]}]})
    assert len(uploads.rows()) < 800
    assert profiled == [4]
