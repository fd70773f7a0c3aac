"""People label what the champion is uncertain of, and label later what it has answered."""

from __future__ import annotations

import csv
import io
import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

PENGUINS = Path(__file__).parents[2] / "examples/penguins/penguins.csv"
PROJECT = """
project: nests
dataset: penguins
target: Species
goals: {accuracy: 0.8}
search: {families: [linear], trials: 1, folds: 2}
labelling:
  dataset: said
  key: [studyName, Sample Number]
  labeller: who
  time: said_at
  rows: 10
labels:
  key: [studyName, Sample Number]
  time: seen
"""


def table(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def key(row: dict[str, Any]) -> tuple[str, str]:
    return str(row["studyName"]), str(row["Sample Number"])


@pytest.fixture(scope="module")
def truth() -> list[dict[str, str]]:
    """Each penguin once: some sample numbers were given twice."""
    rows = list(csv.DictReader(io.StringIO(PENGUINS.read_text())))
    return list({key(row): row for row in rows}.values())


@pytest.fixture(scope="module")
def nests(person: Any, truth: list[dict[str, str]]) -> Any:
    """A champion that learned from penguins of which every fourth was not labelled."""
    rows = [row | ({"Species": ""} if i % 4 == 0 else {}) for i, row in enumerate(truth)]
    person.upload("projects/nests/project.yaml", PROJECT)
    person.upload("uploads/nests/penguins/penguins.csv", table(rows))
    person.wait_for("nests", "ModelPromoted", seconds=120)
    return person


def listed(person: Any, **wanted: Any) -> Any:
    """The first list with such details; before the champion there is one without a model."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for entry in person.journey("nests"):
            detail = entry["detail"]
            if entry["name"] == "LabellingListed" and wanted.items() <= detail.items():
                return detail
        time.sleep(0.2)
    raise AssertionError(f"no list with {wanted} in {person.journey('nests')}")


def test_a_list_is_made_filled_in_and_learned_from(nests: Any, truth: list[dict[str, str]]) -> None:
    champion = nests.catalogue.alias("nests").body["model"]
    first = listed(nests, model=champion)
    assert (first["rows"], first["unlabelled"]) == (10, len(truth[::4]))
    deadline = time.monotonic() + 20  # it is said before it is noted as the newest
    while (answer := nests.ask("/projects/nests/labelling"))["list"] != first["list"]:
        assert time.monotonic() < deadline, answer["list"]
        time.sleep(0.1)
    assert answer["csv"] == first["csv"]
    assert [row["chosen_by"] for row in answer["rows"]].count("random") == 2

    species = {key(row): row["Species"] for row in truth}
    filled = [
        row | {"Species": species[key(row)], "who": "ann", "said_at": "2026-01-01T10:00:00"}
        for row in csv.DictReader(io.StringIO(nests.lake.read(first["csv"]).decode()))
    ]
    nests.upload("uploads/nests/said/ann.csv", table(filled))
    prepared = nests.wait_for("nests", "TrainingSetPrepared", count=2)["detail"]
    assert any("10 rows got their target from 10 labels" in note for note in prepared["notes"])
    assert listed(nests, unlabelled=first["unlabelled"] - 10)["rows"] == 10


def test_labels_by_entity_and_time_find_their_predictions(
    nests: Any, truth: list[dict[str, str]]
) -> None:
    rows = [
        {"studyName": row["studyName"], "Sample Number": int(row["Sample Number"])}
        for row in truth[:5]
    ]
    status, _ = nests.predict("nests", json.dumps({"rows": rows}))
    assert status == 200
    deadline = time.monotonic() + 20
    while not nests.catalogue.newest("nests", "CAPTURE") and time.monotonic() < deadline:
        time.sleep(0.1)
    seen = datetime.now(UTC).isoformat()
    labels = [row | {"seen": seen, "Species": "Adelie"} for row in rows]
    labels[0]["seen"] = "2001-01-01"
    nests.upload("labels/nests/truth.csv", table(labels))
    said = nests.wait_for("nests", "LabelsJoined", "LabelsRefused")
    assert (said["detail"]["matched"], said["detail"]["unmatched"]) == (4, 1), said["summary"]
    record = json.loads(nests.lake.read(said["detail"]["quarantine"]))
    assert [row["row"] for row in record["rows"]] == [1]
