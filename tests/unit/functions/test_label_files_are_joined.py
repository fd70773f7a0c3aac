"""`ingest_labels` joins what belongs together and keeps the rest with its reasons."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evergreen.contracts.facts import LabelsJoined, LabelsRefused
from evergreen.contracts.objects import UploadedObject
from evergreen.contracts.project_file import ProjectFile
from evergreen.features.signature import Column, Kind, Signature, Task
from evergreen.registry.identity import model_file_key
from tests.unit.functions.conftest import Function

FILE = ProjectFile.model_validate(
    {
        "project": "p",
        "dataset": "d",
        "target": "left",
        "labels": {"key": ["customer"], "time": "at", "within": "1 days"},
    }
)
SIGNATURE = Signature("left", Task.BINARY, (Column("age", Kind.NUMBER),), ("no", "yes"))


@pytest.fixture
def joiner(function: Callable[[str], Function], monkeypatch: pytest.MonkeyPatch) -> Function:
    """A champion, and five predictions of five customers on the first of January."""
    made, capture = function("ingest_labels"), function("capture_predictions")
    vars(capture.app.stage).update(table=made.table, lake=made.lake)
    made.catalogue.change_project(FILE)
    made.catalogue.move_alias("p", "champion", {"model": "m"}, expected=0)
    made.lake.write(model_file_key("m", "signature.json"), SIGNATURE.to_json().encode())
    rows = [
        {"id": f"id{n}", "inputs": {"age": n}, "prediction": "no", "keys": {"customer": n}}
        for n in range(5)
    ]
    head = {"project": "p", "model": "m", "asked_at": "2026-01-01T00:00:00+00:00"}
    assert capture.take({**head, "kinds": {"age": "number"}, "rows": rows}) == []
    return made


def upload(joiner: Function, patch: pytest.MonkeyPatch, content: str) -> Any:
    """Upload a label file; what is said of it."""

    def fetch(_: UploadedObject, path: Path, __: int) -> Path:
        path.write_text(content)
        return path

    patch.setattr(joiner.app, "fetch_upload", fetch)
    subject = {"key": "labels/p/truth.csv", "etag": "e"}
    event = {"detail": {"bucket": {"name": "uploads"}, "object": subject}}
    assert joiner.take(event) == []
    return joiner.said[-1]


def test_labels_by_entity_are_joined_and_the_rest_is_quarantined_with_reasons(
    joiner: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = upload(
        joiner,
        monkeypatch,
        "customer,at,left,labeller\n"
        "0,2026-01-01T12:00:00,yes,ann\n"
        "1,2026-01-01T12:00:00,no,bob\n"
        "2,2026-01-05T12:00:00,no,bob\n"
        "99,2026-01-01T12:00:00,no,bob\n"
        "3,2026-01-01T12:00:00,,bob\n",
    )
    assert isinstance(said, LabelsJoined)
    assert (said.matched, said.unmatched, said.invalid) == (2, 2, 1)
    record = json.loads(joiner.lake.read(str(said.quarantine)))
    assert [(row["row"], row["values"]["customer"]) for row in record["rows"]] == [
        (5, 3),
        (3, 2),
        (4, 99),
    ]
    assert record["rows"][0]["reason"] == "left is empty"
    (listed,) = joiner.catalogue.newest("p", "QUARANTINE")
    assert listed["reasons"][0]["message"] == "1 rows: left is empty"
    (labelled,) = joiner.catalogue.newest("p", "LABELLED")
    assert labelled["rows"] == 2


def test_a_file_that_fits_has_no_quarantine(
    joiner: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = upload(joiner, monkeypatch, "prediction_id,label\nid1,yes\n")
    assert (said.matched, said.quarantine) == (1, None)
    assert joiner.catalogue.newest("p", "QUARANTINE") == []


def test_the_same_file_twice_is_joined_once(
    joiner: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (
        upload(joiner, monkeypatch, "customer,at,left\n0,2026-01-01T12:00:00,yes\n")
        for _ in range(2)
    )
    assert first == second
    assert len(joiner.catalogue.newest("p", "LABELLED")) == 1


def test_without_declared_keys_a_file_by_entity_is_refused(
    joiner: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    joiner.catalogue.change_project(FILE.model_copy(update={"labels": None}))
    said = upload(joiner, monkeypatch, "customer,at,left\n0,2026-01-01T12:00:00,yes\n")
    assert isinstance(said, LabelsRefused)
    assert "lacks `prediction_id`" in said.problem


def test_keys_that_are_declared_later_reach_the_champion(
    function: Callable[[str], Function],
) -> None:
    promoter = function("promote_model")
    body = {"model": "m", "training_set": "t"}
    promoter.catalogue.move_alias("p", "champion", body, expected=0)
    for _ in range(2):
        promoter.app.note_keys(FILE)
    alias = promoter.catalogue.alias("p")
    assert alias is not None
    assert (alias.body, alias.version) == ({**body, "keys": ["customer"]}, 2)
