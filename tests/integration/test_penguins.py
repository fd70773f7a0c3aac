"""The whole loop on the penguins: what a person sees from upload to retrained decision."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

PENGUINS = Path(__file__).parents[2] / "examples/penguins/penguins.csv"
ROW = {
    "Island": "Biscoe",
    "Culmen Length (mm)": 46.1,
    "Culmen Depth (mm)": 13.2,
    "Flipper Length (mm)": 211,
    "Body Mass (g)": 4500,
    "Sex": "FEMALE",
}


def request(*rows: dict[str, Any], **more: Any) -> str:
    return json.dumps({"rows": list(rows), **more})


def test_an_upload_becomes_a_champion_that_meets_its_goal(penguins: Any) -> None:
    alias = penguins.catalogue.alias("penguins")
    model = penguins.catalogue.model("penguins", alias.body["model"])
    assert model["metrics"]["accuracy"]["value"] >= 0.95


def test_the_endpoint_answers_with_class_and_probabilities(penguins: Any) -> None:
    status, answer = penguins.predict("penguins", request(ROW, ids=["a"]))
    (prediction,) = answer["predictions"]
    assert (status, prediction["id"]) == (200, "a")
    assert prediction["prediction"].startswith("Gentoo")
    assert sum(prediction["probabilities"].values()) == pytest.approx(1, abs=1e-5)


def test_values_may_be_missing_or_null(penguins: Any) -> None:
    status, answer = penguins.predict("penguins", request({}, {"Body Mass (g)": None}))
    assert (status, len(answer["predictions"])) == (200, 2)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (request({**ROW, "Body Mass (g)": "heavy"}), "rows[0].Body Mass (g)"),
        (request(ROW, {"Body Mas (g)": 1}), "rows[1].Body Mas (g)"),
        ('{"rows": [{"Body Mass (g)": NaN}]}', "rows[0].Body Mass (g)"),
        ("{}", "rows"),
    ],
)
def test_a_malformed_request_gets_400_with_the_field(penguins: Any, body: str, field: str) -> None:
    status, answer = penguins.predict("penguins", body)
    assert (status, answer["field"]) == (400, field)


def test_a_request_without_the_key_gets_403(penguins: Any) -> None:
    assert penguins.predict("penguins", request(ROW), key="")[0] == 403


def test_a_project_without_a_champion_gets_404(penguins: Any) -> None:
    assert penguins.predict("nobody", request(ROW))[0] == 404


def test_predictions_are_captured_and_labels_joined_to_them(penguins: Any) -> None:
    ids = [f"capture-{index}" for index in range(5)]
    penguins.predict("penguins", request(*[ROW] * 5, ids=ids))
    wait_for_captures(penguins, 5)
    lines = "\n".join(f"{name},Gentoo penguin (Pygoscelis papua)" for name in ids)
    penguins.upload(
        "labels/penguins/truth.csv", "prediction_id,label\n" + lines + "\nstranger,Adelie\n"
    )
    entry = penguins.wait_for("penguins", "LabelsJoined", "LabelsRefused")
    assert (entry["detail"]["matched"], entry["detail"]["unmatched"]) == (5, 1)


def wait_for_captures(person: Any, rows: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        batches = person.catalogue.newest("penguins", "CAPTURE")
        if sum(int(batch["rows"]) for batch in batches) >= rows:
            return
        time.sleep(0.1)
    raise AssertionError("the captures did not arrive")


def test_a_file_under_scoring_is_answered_row_by_row(penguins: Any) -> None:
    penguins.upload(
        "scoring/penguins/new.csv", "id,Island,Body Mass (g)\nx,Biscoe,5000\ny,Dream,\n"
    )
    entry = penguins.wait_for("penguins", "BatchScored", "BatchRefused")
    assert (entry["name"], entry["detail"]["rows"]) == ("BatchScored", 2)
    assert penguins.lake.read(entry["detail"]["result"])[:4] == b"PAR1"


@pytest.fixture(scope="class")
def settled(penguins: Any) -> Any:
    """The penguins when all that was asked for before is done; each change waits for its own."""
    penguins.settle("penguins")
    return penguins


class TestChanges:
    """What runs again after a change, and only that."""

    def names_after(self, person: Any, change: Any) -> list[str]:
        before = {entry["position"] for entry in person.journey("penguins")}
        change()
        person.settle("penguins", quiet=4)
        return [e["name"] for e in person.journey("penguins") if e["position"] not in before]

    def test_the_same_bytes_again_train_nothing(self, settled: Any) -> None:
        content = PENGUINS.read_bytes()
        names = self.names_after(
            settled, lambda: settled.upload("uploads/penguins/penguins/copy.csv", content)
        )
        assert names == ["DatasetIngested"]

    def test_new_goals_judge_again_without_training(self, settled: Any) -> None:
        text = "project: penguins\ndataset: penguins\ntarget: Species\ngoals: {accuracy: 1.01}\n"
        names = self.names_after(
            settled, lambda: settled.upload("projects/penguins/project.yaml", text)
        )
        assert names == ["ProjectChanged", "ModelHeld"]

    def test_a_new_search_trains_again_without_ingesting(self, settled: Any) -> None:
        text = (
            "project: penguins\ndataset: penguins\ntarget: Species\ngoals: {accuracy: 0.9}\n"
            "search: {families: [linear], trials: 2}\n"
        )
        names = self.names_after(
            settled, lambda: settled.upload("projects/penguins/project.yaml", text)
        )
        assert "SearchPlanned" in names
        assert "TrialFinished" in names
        assert not {"DatasetIngested", "TrainingSetPrepared"} & set(names)
