"""A model with steps is asked with the columns of the dataset as it was uploaded."""

from __future__ import annotations

import json
import random
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from evergreen.data.engine import connect, literal

PROJECT = """
project: trips
dataset: trips
target: late
goals: {accuracy: 0.5}
preparation:
  time: leaves
  steps:
    - filter: arrived IS NOT NULL
    - derive: {late: arrived > 30, speed: miles / hours, away: upper(dest)}
    - drop: [arrived, dest]
    - clip: {speed: {max: 60}}
    - dates: {leaves: [hour]}
    - join: {dataset: places, on: {away: place}, columns: [height]}
    - derive: {effort: height * speed}
    - drop: [away]
search: {families: [linear], trials: 1}
"""
START = datetime.fromisoformat("2026-01-01")
PLACES = "place,height\nA,10\nB,500\nC,900\nB,1\n"
RAW = {
    "leaves": "2026-03-01T17:00:00",
    "dest": "b",
    "miles": 120.5,
    "hours": 2,
    "arrived": None,
}


def trips() -> str:
    """Late is who goes high up in the evening, mostly."""
    chance = random.Random(5)  # noqa: S311 - repeatable
    lines = ["leaves,dest,miles,hours,arrived"]
    for place in range(600):
        leaves = START + timedelta(hours=5 * place)
        dest, miles, hours = chance.choice("abc"), chance.uniform(10, 300), chance.randint(1, 5)
        likely = 0.2 + 0.3 * (dest == "c") + 0.3 * (leaves.hour > 12)
        arrived = chance.randint(31, 90) if chance.random() < likely else chance.randint(0, 30)
        said = "" if place % 50 == 7 else arrived
        lines.append(f"{leaves},{dest},{miles:.3f},{hours},{said}")
    return "\n".join(lines)


@pytest.fixture(scope="module")
def traveller(person: Any) -> Any:
    person.upload("projects/trips/project.yaml", PROJECT)
    person.upload("uploads/trips/places/places.csv", PLACES)
    person.upload("uploads/trips/trips/trips.csv", trips())
    person.wait_for("trips", "ModelPromoted", seconds=120)
    return person


def ask(person: Any, *rows: dict[str, Any]) -> list[dict[str, Any]]:
    status, answer = person.predict("trips", json.dumps({"rows": list(rows)}))
    assert status == 200, answer
    return list(answer["predictions"])


def test_an_uploaded_row_is_answered_like_the_prepared_one(traveller: Any) -> None:
    prepared = {
        "leaves": RAW["leaves"],
        "miles": 120.5,
        "hours": 2,
        "speed": 60,
        "leaves_hour": 17,
        "height": 500,
        "effort": 30_000,
    }
    raw, same = ask(traveller, RAW, prepared)
    assert raw["probabilities"] == same["probabilities"]
    assert not [note for note in raw["notes"] if "left aside" not in note]


def test_a_value_that_a_step_cannot_take_is_refused_by_field(traveller: Any) -> None:
    body = json.dumps({"rows": [RAW, {**RAW, "hours": "two"}]})
    status, answer = traveller.predict("trips", body)
    assert (status, answer["field"]) == (400, "rows[1].hours")


def test_a_place_without_an_entry_is_answered_and_said(traveller: Any) -> None:
    (answer,) = ask(traveller, {**RAW, "dest": "z"})
    assert "dataset 'places', as of training, has no row for this away" in answer["notes"]


def test_files_to_score_have_the_columns_of_the_dataset(traveller: Any) -> None:
    lines = trips().splitlines()
    rows = [line.rsplit(",", 1)[0] for line in lines]
    body = "\n".join([f"id,{rows[0]}", *(f"r{n},{row}" for n, row in enumerate(rows[1:] * 4))])
    traveller.upload("scoring/trips/next.csv", body)
    entry = traveller.wait_for("trips", "BatchScored", "BatchRefused")
    assert entry["name"] == "BatchScored", entry
    assert entry["detail"]["rows"] == 2_400
    with tempfile.TemporaryDirectory() as directory, connect(Path(directory)) as connection:
        path = Path(directory, "scored.parquet")
        path.write_bytes(traveller.lake.read(entry["detail"]["result"]))
        scored = connection.execute(
            f'SELECT id, "probability.true", notes FROM {literal(str(path))} ORDER BY id'
        ).fetchall()
    by_id = {name: (probability, notes) for name, probability, notes in scored}
    names = rows[0].split(",")
    asked = [dict(zip(names, row.split(","), strict=True)) for row in rows[1:4]]
    typed = [{**row, "miles": float(row["miles"]), "hours": int(row["hours"])} for row in asked]
    for place, answer in enumerate(ask(traveller, *typed)):
        assert by_id[f"r{place}"][0] == answer["probabilities"]["true"]
        assert by_id[f"r{place + 1800}"] == by_id[f"r{place}"]


def test_the_card_says_what_serving_computes(traveller: Any) -> None:
    alias = traveller.catalogue.alias("trips")
    card = traveller.lake.read(f"models/{alias.body['model']}/card.html").decode()
    assert "when the model is asked" in card
