"""After the last day of a waiver its rule holds again, for the parts that are there too: once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest

from evergreen.contracts.events import Event, event_id
from evergreen.contracts.facts import DatasetIngested, UploadQuarantined, WaiverEnded
from evergreen.contracts.project_file import ProjectFile
from tests.unit.functions.conftest import Function
from tests.unit.functions.uploading import Uploads

KEY = "uploads/p/d/a.csv"
ROWS = "id,x\n" + "".join(f"{i},{i}\n" for i in range(40))
WAIVER = {"constraint": "range:x", "author": "ada", "reason": "a slip", "until": "2026-01-31"}
LAST = "2026-01-31T23:59:59Z"


def declared(severity: str = "quarantine", **waiver: str) -> dict[str, Any]:
    rule = {"column": "x", "range": [0, 35], "severity": severity}
    return {"constraints": [rule], "waivers": [{**WAIVER, **waiver}]}


@dataclass
class Days:
    """A project whose sweep and uploads happen at given times."""

    uploads: Uploads
    sweep: Function
    patch: pytest.MonkeyPatch

    def declare(self, section: dict[str, Any]) -> None:
        file = {"project": "p", "dataset": "other", "target": "t", "data": {"d": section}}
        self.uploads.ingest.catalogue.change_project(ProjectFile.model_validate(file))

    def look(self, at: str) -> list[WaiverEnded]:
        """Sweep at a time and hear what it says; that."""
        moment = datetime.fromisoformat(at)
        self.patch.setattr(self.sweep.app, "now", lambda: moment)
        before = len(self.sweep.said)
        assert self.sweep.take({"detail-type": "Scheduled Event"}) == []
        said = self.sweep.said[before:]
        for fact in said:
            plain = Event(fact, event_id("w", fact), "c", moment).to_plain()
            self.uploads.take({"detail-type": plain["name"], "detail": plain["detail"], "time": at})
        return [fact for fact in said if isinstance(fact, WaiverEnded)]


@pytest.fixture
def days(function: Callable[[str], Function], monkeypatch: pytest.MonkeyPatch) -> Days:
    uploads = Uploads(function("ingest_upload"), monkeypatch)
    sweep = function("sweep")
    vars(sweep.app.stage).update(table=uploads.ingest.table, lake=uploads.ingest.lake)
    made = Days(uploads, sweep, monkeypatch)
    made.declare(declared())
    return made


def test_the_parts_are_judged_anew_after_the_last_day_once(days: Days) -> None:
    days.uploads.put(KEY, ROWS, at="2026-01-20T10:00:00Z")
    assert days.look(LAST) == []
    assert len(days.uploads.rows()) == 40
    (ended,) = days.look("2026-02-01T00:00:00Z")
    assert (ended.constraint, ended.author, ended.parts) == ("range:x", "ada", 1)
    assert len(days.uploads.rows()) == 36
    assert days.uploads.said(DatasetIngested)[-1].quarantined_rows == 4
    assert days.look("2026-02-01T00:15:00Z") == []
    assert days.look("2026-03-01T00:00:00Z") == []


def test_two_sweeps_at_once_say_it_once_and_one_that_died_is_made_up_for(days: Days) -> None:
    days.uploads.put(KEY, ROWS, at="2026-01-20T10:00:00Z")
    bus, taken = days.sweep.bus, list[bool]()

    class Dying:
        def publish(self, _: object) -> None:
            taken.append(True)
            vars(days.sweep.app.stage)["bus"] = bus
            assert days.look("2026-02-01T00:00:01Z") == []  # Another sweep, at the same time.
            raise RuntimeError("the function died")

    vars(days.sweep.app.stage)["bus"] = Dying()
    days.patch.setattr(
        days.sweep.app, "now", lambda: datetime.fromisoformat("2026-02-01T00:00:00Z")
    )
    assert days.sweep.take({"detail-type": "Scheduled Event"}) == ["m0"]
    assert taken == [True]
    assert len(days.uploads.rows()) == 40
    assert len(days.look("2026-02-01T00:15:00Z")) == 1
    assert len(days.uploads.rows()) == 36
    assert days.look("2026-02-01T00:30:00Z") == []


def test_a_part_that_is_refused_then_stays_and_that_is_said_once(days: Days) -> None:
    days.declare(declared("refuse"))
    days.uploads.put(KEY, ROWS, at="2026-01-20T10:00:00Z")
    assert len(days.look("2026-02-01T00:00:00Z")) == 1
    (refused,) = days.uploads.said(UploadQuarantined)
    assert "column 'x': in 4 row(s) the value is not within 0 to 35" in refused.reasons[0]
    assert len(days.uploads.rows()) == 40
    assert days.look("2026-02-01T00:15:00Z") == []


def test_a_file_of_the_last_day_that_is_taken_after_it_is_not_forgotten(days: Days) -> None:
    days.uploads.put(KEY, ROWS, at="2026-01-20T10:00:00Z")
    late = days.uploads.event("uploads/p/d/late.csv", ROWS.replace("\n1,", "\n100,"), at=LAST)
    days.look("2026-02-01T00:00:00Z")
    days.uploads.take(late)
    assert days.uploads.said(DatasetIngested)[-1].quarantined_rows == 0
    (ended,) = days.look("2026-02-01T00:15:00Z")
    assert ended.parts == 1
    assert days.uploads.said(DatasetIngested)[-1].quarantined_rows == 4


def test_a_redelivered_file_does_not_make_the_waiver_hold_again(days: Days) -> None:
    event = days.uploads.event(KEY, ROWS, at="2026-01-20T10:00:00Z")
    days.uploads.take(event)
    days.look("2026-02-01T00:00:00Z")
    days.uploads.take(event)
    assert len(days.uploads.rows()) == 36


def test_a_waiver_of_a_dataset_without_parts_says_nothing(days: Days) -> None:
    assert days.look("2026-02-01T00:00:00Z") == []


def test_a_file_that_came_after_the_last_day_is_no_reason_to_look_again(days: Days) -> None:
    days.uploads.put(KEY, ROWS, at="2026-02-01T00:00:00Z")
    assert len(days.uploads.rows()) == 36
    assert days.look("2026-02-01T00:15:00Z") == []


def test_each_waiver_ends_by_itself(days: Days) -> None:
    section = declared()
    section["constraints"].append({"row": "id <> 3"})
    section["waivers"].append({**WAIVER, "constraint": "row:id <> 3", "until": "2026-02-10"})
    days.declare(section)
    days.uploads.put(KEY, ROWS, at="2026-01-20T10:00:00Z")
    assert [each.constraint for each in days.look("2026-02-01T00:00:00Z")] == ["range:x"]
    assert len(days.uploads.rows()) == 36
    ended = days.look("2026-02-11T00:00:00Z")
    assert [each.constraint for each in ended] == ["row:id <> 3"]
    assert len(days.uploads.rows()) == 35


def test_the_end_of_an_hour_elsewhere_is_not_the_end_of_the_day(days: Days) -> None:
    days.uploads.put(KEY, ROWS, at="2026-01-20T10:00:00Z")
    assert days.look("2026-02-01T09:00:00+10:00") == []
