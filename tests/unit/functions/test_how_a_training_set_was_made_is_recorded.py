"""The record of a training set says what its steps left out and found, and how it is divided."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from evergreen.contracts.events import Event, event_id
from evergreen.contracts.facts import DatasetIngested, TrainingSetPrepared, TrainingSetRefused
from evergreen.contracts.project_file import ProjectFile
from evergreen.registry.identity import training_record_key
from tests.unit.functions.conftest import Function
from tests.unit.functions.uploading import Uploads

STEPS: list[dict[str, Any]] = [
    {"filter": "price >= 10"},
    {
        "join": {
            "dataset": "rates",
            "on": [],
            "columns": ["rate"],
            "as_of": {"time": "made_on", "event": "day", "known": "known"},
        }
    },
]


def project(*steps: dict[str, Any]) -> ProjectFile:
    return ProjectFile.model_validate(
        {
            "project": "p",
            "dataset": "d",
            "target": "late",
            "preparation": {"steps": list(steps)},
        }
    )


ORDERS = "made_on,price,late\n" + "".join(
    f"2024-{1 + i // 28:02}-{1 + i % 28:02},{i},{'yes' if i % 3 else 'no'}\n" for i in range(110)
)
RATES = "day,known,rate\n2024-01-05,2024-01-20,1.5\n2024-02-01,2024-02-02,2.5\n2024-03-01,,9\n"


@pytest.fixture
def prepared(
    function: Callable[[str], Function], monkeypatch: pytest.MonkeyPatch
) -> Callable[[ProjectFile], Function]:
    def run(file: ProjectFile) -> Function:
        ingest, prepare = function("ingest_upload"), function("prepare_training_set")
        prepare.table, prepare.lake, prepare.bus = ingest.table, ingest.lake, ingest.bus
        vars(prepare.app.stage).update(table=ingest.table, lake=ingest.lake, bus=ingest.bus)
        ingest.catalogue.change_project(file)
        uploads = Uploads(ingest, monkeypatch)
        uploads.put("uploads/p/rates/1.csv", RATES)
        uploads.put("uploads/p/d/1.csv", ORDERS)
        fact = next(each for each in reversed(ingest.said) if isinstance(each, DatasetIngested))
        event = Event(fact, event_id("e", fact), "c", datetime(2026, 1, 1, tzinfo=UTC))
        assert prepare.hear(event) == []
        return prepare

    return run


def test_losses_joins_and_the_division_are_recorded(
    prepared: Callable[[ProjectFile], Function],
) -> None:
    made = prepared(project(*STEPS))
    fact = made.said[-1]
    assert isinstance(fact, TrainingSetPrepared)
    record = json.loads(made.lake.read(training_record_key(fact.training_set)))
    assert record["steps"] == [
        {"step": 1, "kind": "filter", "before": 110, "after": 100},
        {"step": 2, "kind": "join", "before": 100, "after": 100},
    ]
    (join,) = record["joins"]
    assert join == {
        "dataset": "rates",
        "step": 2,
        "kind": "join",
        "matched": 91,
        "unmatched": 9,
        "duplicate_keys": 0,
        "without_key": 0,
        "not_yet": 9,
        "too_old": 0,
        "unusable": 1,
    }
    assert record["holdout"] == {
        "by": "time",
        "time": "made_on",
        "group": None,
        "rows": 20,
        "together": {"rows": 0, "units": 0, "largest": 0, "left_out": 0},
    }
    assert record["split"].startswith("by time: the newest 20 of 100 rows (20%)")
    assert any("declare 'time: made_on' to keep it so" in note for note in fact.notes)


def test_a_step_that_fails_is_said_with_its_number_and_nothing_is_kept(
    prepared: Callable[[ProjectFile], Function],
) -> None:
    made = prepared(project(*STEPS, {"derive": {"n": "CAST(late AS INTEGER)"}}))
    fact = made.said[-1]
    assert isinstance(fact, TrainingSetRefused)
    assert fact.problem.startswith("step 3 (derive): 'CAST(late AS INTEGER)'")
    assert fact.problem.endswith("(row 11: late = 'yes')")
    assert made.lake.keys("training_sets/") == []
