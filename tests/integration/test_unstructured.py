"""Pictures in a zip and reviews in JSON Lines go the whole way: to a champion that is asked."""

from __future__ import annotations

import base64
import io
import json
import time
import zipfile
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from PIL import Image

WORDS = ("tea", "box", "day", "shop", "price", "cup", "time", "bag")


def picture(striped: bool, seed: int) -> bytes:  # noqa: FBT001
    """Noise, or noise with stripes."""
    chance = np.random.default_rng(seed)
    values = chance.integers(0, 120, (32, 32, 3))
    if striped:
        values[:, (np.arange(32) + seed) % 8 < 4] += 120
    buffer = io.BytesIO()
    Image.fromarray(values.astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def archive(pictures: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        for name, content in pictures.items():
            packed.writestr(name, content)
    return buffer.getvalue()


def declared(project: str, dataset: str, target: str) -> str:
    search = {"families": ["linear"], "trials": 2, "folds": 2}
    return json.dumps({"project": project, "dataset": dataset, "target": target, "search": search})


@pytest.fixture(scope="module")
def pictures(person: Any) -> Any:
    """A project of 80 pictures in two folders, of which one is damaged."""
    files = {f"{('plain', 'striped')[i % 2]}/{i}.png": picture(i % 2 == 1, i) for i in range(80)}
    files["plain/cut.png"] = picture(striped=False, seed=99)[:500]
    person.upload("projects/pictures/project.yaml", declared("pictures", "photos", "label"))
    person.upload("uploads/pictures/photos/photos.zip", archive(files))
    person.wait_for("pictures", "ModelPromoted", "ModelHeld", "TrainingSetRefused")
    return person


def test_good_pictures_are_rows_and_a_damaged_one_is_quarantined(pictures: Any) -> None:
    entry = pictures.wait_for("pictures", "DatasetIngested")
    assert (entry["detail"]["rows"], entry["detail"]["quarantined_rows"]) == (80, 1)


def test_the_champion_of_pictures_is_asked_with_a_picture(pictures: Any) -> None:
    asked = [base64.b64encode(picture(striped, 1_000)).decode() for striped in (False, True)]
    body = json.dumps({"rows": [{"image": each} for each in asked], "ids": ["a", "b"]})
    status, answer = pictures.predict("pictures", body)
    assert status == 200, answer
    assert [each["prediction"] for each in answer["predictions"]] == ["plain", "striped"]


def test_a_damaged_picture_gets_400_with_the_field(pictures: Any) -> None:
    cut = base64.b64encode(picture(striped=True, seed=5)[:500]).decode()
    status, answer = pictures.predict("pictures", json.dumps({"rows": [{"image": cut}]}))
    assert (status, answer["field"]) == (400, "rows[0].image")
    assert "damaged picture" in answer["detail"]


def test_a_zip_of_pictures_is_scored_file_by_file(pictures: Any, tmp_path: Path) -> None:
    files = {f"{i}.png": picture(i % 2 == 1, 2_000 + i) for i in range(6)}
    pictures.upload("scoring/pictures/new.zip", archive(files))
    entry = pictures.wait_for("pictures", "BatchScored", "BatchRefused")
    path = pictures.lake.fetch(entry["detail"]["result"], tmp_path / "scored.parquet")
    with duckdb.connect() as connection:
        found = connection.execute(f"SELECT id, prediction FROM '{path}'").fetchall()
    assert found == [(f"{i}.png", ("plain", "striped")[i % 2]) for i in range(6)]


def test_reviews_become_a_champion_that_reads_words(person: Any) -> None:
    chance = np.random.default_rng(3)
    lines = []
    for i in range(240):
        words = list(chance.choice(WORDS, 7))
        words[int(chance.integers(7))] = ("awful", "lovely")[i % 2]
        said = f"{' '.join(words)} {i}"
        lines.append(json.dumps({"said": said, "score": ("bad", "good")[i % 2]}))
    person.upload("uploads/reviews/texts/texts.jsonl", "\n".join(lines))
    person.upload("projects/reviews/project.yaml", declared("reviews", "texts", "score"))
    person.wait_for("reviews", "ModelPromoted", "ModelHeld", "TrainingSetRefused")
    rows = [{"said": "what an AWFUL cup of tea"}, {"said": "lovely, lovely tea"}, {"said": "été"}]
    status, answer = person.predict("reviews", json.dumps({"rows": rows}))
    assert status == 200, answer
    assert [each["prediction"] for each in answer["predictions"]][:2] == ["bad", "good"]
    assert answer["predictions"][2]["notes"] == [
        "said: none of its words was seen often enough in training"
    ]
    deadline = time.monotonic() + 30
    while not person.lake.keys("captures/reviews/") and time.monotonic() < deadline:
        time.sleep(0.2)
    assert person.lake.keys("captures/reviews/")
