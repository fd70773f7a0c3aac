"""Unlabelled rows are listed by the champion's uncertainty, labelled, and learned from."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from evergreen.contracts.events import Event, event_id
from evergreen.contracts.facts import (
    DatasetIngested,
    Fact,
    LabellingListed,
    ModelPromoted,
    TrainingSetPrepared,
    TrainingSetRefused,
)
from evergreen.contracts.project_file import ProjectFile
from evergreen.features.training_set import TrainingSet
from evergreen.registry.identity import (
    graph_key,
    model_file_key,
    training_labels_key,
    training_set_key,
)
from evergreen.training.export import export
from evergreen.training.fit import fit
from evergreen.training.plan import first_rung
from tests.unit.functions.conftest import Function
from tests.unit.functions.uploading import Uploads

FILE = ProjectFile.model_validate(
    {
        "project": "p",
        "dataset": "d",
        "target": "risky",
        "preparation": {"steps": [{"drop": ["id"]}]},
        "labelling": {
            "dataset": "said",
            "key": ["id"],
            "labeller": "who",
            "time": "said_at",
            "rows": 20,
        },
    }
)


def table(first: int, after: int, labelled: int) -> str:
    """Rows with the target `age > 50`, the first ones labelled."""
    draw = np.random.default_rng(first)
    lines = ["id,age,town,risky"]
    for number in range(first, after):
        age, town = round(draw.uniform(20, 80), 2), draw.choice(["Oslo", "Rome"])
        lines.append(f"r{number},{age},{town},{'yes' if age > 50 else 'no'}")
        if number >= first + labelled:
            lines[-1] = lines[-1].rsplit(",", 1)[0] + ","
    return "\n".join(lines) + "\n"


class Team:
    """The functions from upload to list, over one table, lake and bus."""

    def __init__(self, load: Callable[[str], Function], patch: pytest.MonkeyPatch) -> None:
        self.ingest = load("ingest_upload")
        self.prepare, self.lister = load("prepare_training_set"), load("list_for_labelling")
        self.console = load("console_api")
        for one in (self.prepare, self.lister, self.console):
            one.table, one.lake, one.bus = self.ingest.table, self.ingest.lake, self.ingest.bus
            vars(one.app.stage).update(table=one.table, lake=one.lake, bus=one.bus)
        self.uploads = Uploads(self.ingest, patch)
        self.catalogue = self.ingest.catalogue
        self.catalogue.change_project(FILE)

    def upload(self, key: str, content: str, kind: type[Fact] = TrainingSetPrepared) -> Any:
        """Upload a file and prepare what it changes; the fact that says so."""
        self.uploads.put(key, content)
        assert self.hear(self.prepare, self.last(DatasetIngested)) == []
        return self.last(kind)

    def promote(self, training_set: str) -> ModelPromoted:
        """Fit a model, and make it the champion."""
        made = TrainingSet.from_bytes(self.ingest.lake.read(training_set_key(training_set)))
        task = made.signature.task.value
        graph = export(fit(made, first_rung(task, FILE.search, 1)[0], seed=1))
        model = f"model-of-{training_set}"
        self.ingest.lake.write(graph_key(model), graph)
        signature = made.signature.to_json().encode()
        self.ingest.lake.write(model_file_key(model, "signature.json"), signature)
        before = self.catalogue.alias("p")
        body = {"model": model, "training_set": training_set}
        version = before.version if before else 0
        assert self.catalogue.move_alias("p", "champion", body, expected=version)
        return ModelPromoted(project="p", model=model, replaced=None, reason="it is good")

    def hear(self, who: Function, fact: Fact) -> list[str]:
        return who.hear(Event(fact, event_id("e", fact), "c", datetime(2026, 1, 1, tzinfo=UTC)))

    def listed(self, fact: Fact) -> LabellingListed | None:
        """Wake the lister; what it says."""
        count = len(self.ingest.said)
        assert self.hear(self.lister, fact) == []
        said = self.ingest.said[count:]
        return said[-1] if said and isinstance(said[-1], LabellingListed) else None

    def last(self, kind: type[Any]) -> Any:
        return next(fact for fact in reversed(self.ingest.said) if isinstance(fact, kind))

    def ask(self, path: str) -> tuple[int, dict[str, Any]]:
        event = {
            "httpMethod": "GET",
            "path": path,
            "headers": {},
            "requestContext": {"requestId": "r", "stage": "live"},
        }
        answer = self.console.app.handler(event, None)
        return answer["statusCode"], json.loads(answer["body"])


@pytest.fixture
def team(function: Callable[[str], Function], monkeypatch: pytest.MonkeyPatch) -> Team:
    return Team(function, monkeypatch)


def test_the_champion_lists_what_it_is_uncertain_of_and_labels_come_back(team: Team) -> None:
    prepared = team.upload("uploads/p/d/1.csv", table(0, 300, labelled=100))
    assert prepared.rows == 100
    said = team.listed(team.promote(prepared.training_set))
    assert said is not None
    assert (said.rows, said.unlabelled, said.training_set) == (20, 200, prepared.training_set)

    status, answer = team.ask("/projects/p/labelling")
    assert (status, answer["list"], len(answer["rows"])) == (200, said.list, 20)
    ages = ages_of(table(0, 300, labelled=100))
    uncertain = [row for row in answer["rows"] if row["chosen_by"] == "uncertainty"]
    assert len(uncertain) == 16
    assert uncertain == sorted(uncertain, key=lambda row: -row["uncertainty"])
    # The border is at 50 and ages are spread evenly over 20 to 80: drawn at random, rows are 15
    # from it on average; these are 12 at the most, 8 in each town, each 2.4 from the next.
    assert np.mean([abs(ages[row["key"]["id"]] - 50) for row in uncertain]) < 12
    assert {row["prediction"] for row in answer["rows"]} == {"no", "yes"}
    assert said.csv == answer["csv"]

    rows = list(csv.DictReader(io.StringIO(team.ingest.lake.read(answer["csv"]).decode())))
    assert list(rows[0]) == ["id", "age", "town", "risky", "who", "said_at", "chosen_by"]
    for row in rows:
        told = "yes" if float(row["age"]) > 50 else "no"
        row |= {"risky": told, "who": "anna", "said_at": "2026-01-02T09:00:00"}
    again = team.upload("uploads/p/said/1.csv", written(rows))
    assert again.rows >= 119
    assert any("20 rows got their target from 20 labels" in note for note in again.notes)
    assert training_labels_key(again.training_set) in team.ingest.lake.contents
    shorter = team.listed(again)
    assert shorter is not None
    assert (shorter.unlabelled, shorter.training_set) == (180, again.training_set)
    answer = team.ask("/projects/p/labelling")[1]
    assert answer["labels"]["labelled"] == 20
    listed_now = {row["key"]["id"] for row in answer["rows"]}
    assert not listed_now & {row["id"] for row in rows}


def test_of_a_number_the_rows_are_listed_where_the_answer_is_far_from_what_is_known(
    team: Team,
) -> None:
    """In Rome, what a thing costs cannot be told from its age; in Oslo it can."""
    team.catalogue.change_project(FILE.model_copy(update={"target": "cost"}))
    draw = np.random.default_rng(0)
    lines, towns = ["id,age,town,cost"], {}
    for number in range(600):
        age, town = draw.uniform(20, 80), draw.choice(["Oslo", "Rome"])
        cost = f"{age + draw.normal() * (20 if town == 'Rome' else 0.5):.2f}"
        lines.append(f"r{number},{age:.2f},{town},{cost if number < 300 else ''}")
        towns[f"r{number}"] = town
    prepared = team.upload("uploads/p/d/1.csv", "\n".join(lines) + "\n")
    said = team.listed(team.promote(prepared.training_set))
    assert said is not None
    assert said.measure == (
        "mean distance of the answer from the known values of the 10 rows most like it, in units "
        "of the target"
    )
    rows = team.ask("/projects/p/labelling")[1]["rows"]
    uncertain = [row for row in rows if row["chosen_by"] == "uncertainty"]
    assert (len(rows), len(uncertain)) == (20, 16)
    assert uncertain == sorted(uncertain, key=lambda row: -row["uncertainty"])
    assert {towns[row["key"]["id"]] for row in uncertain} == {"Rome"}
    # Beside the noise, half of whose mean size is 16, the values of the ten differ by their ages.
    assert 10 < np.mean([row["uncertainty"] for row in uncertain]) < 40
    drawn = {towns[row["key"]["id"]]: row["uncertainty"] for row in rows if row not in uncertain}
    assert drawn.get("Oslo", 0) < 10


def test_without_a_champion_the_list_is_a_random_draw(team: Team) -> None:
    prepared = team.upload("uploads/p/d/1.csv", table(0, 300, labelled=100))
    assert team.ask("/projects/p/labelling")[0] == 404
    said = team.listed(prepared)
    assert said is not None
    assert (said.rows, said.unlabelled, said.model) == (20, 200, None)
    row = team.ask("/projects/p/labelling")[1]["rows"][0]
    assert (row["chosen_by"], row["uncertainty"], row["prediction"]) == ("random", None, None)


@pytest.mark.parametrize("labelled", [0, 7])
def test_labelling_can_begin_with_hardly_a_label(team: Team, labelled: int) -> None:
    rows = table(0, 100, labelled)
    team.upload("uploads/p/d/1.csv", rows, TrainingSetRefused)
    refused = team.last(TrainingSetRefused)
    assert "at least 20 are needed" in refused.problem
    said = team.listed(refused)
    assert said is not None
    assert (said.rows, said.unlabelled) == (20, 100 - labelled)
    assert said.csv is not None
    filled = list(csv.DictReader(io.StringIO(team.ingest.lake.read(said.csv).decode())))
    for row in filled:
        told = "yes" if float(row["age"]) > 50 else "no"
        row |= {"risky": told, "who": "anna", "said_at": "2026-01-02"}
    assert team.upload("uploads/p/said/1.csv", written(filled)).rows == 20 + labelled


def test_a_refusal_for_another_reason_lists_nothing(team: Team) -> None:
    wrong = FILE.model_dump(mode="json") | {"preparation": {"steps": [{"drop": ["nothing"]}]}}
    team.catalogue.change_project(ProjectFile.model_validate(wrong))
    team.upload("uploads/p/d/1.csv", table(0, 100, 50), TrainingSetRefused)
    assert team.listed(team.last(TrainingSetRefused)) is None


def test_a_half_filled_list_labels_what_is_filled(team: Team) -> None:
    prepared = team.upload("uploads/p/d/1.csv", table(0, 300, labelled=100))
    said = team.listed(team.promote(prepared.training_set))
    assert said is not None
    assert said.csv is not None
    rows = list(csv.DictReader(io.StringIO(team.ingest.lake.read(said.csv).decode())))
    rows[0] |= {"risky": "yes", "who": "anna", "said_at": "2026-01-02"}
    again = team.upload("uploads/p/said/1.csv", written(rows))
    assert any("1 rows got their target" in note for note in again.notes)
    assert any("19 rows of label files say nothing" in note for note in again.notes)


def test_an_event_twice_lists_once(team: Team) -> None:
    prepared = team.upload("uploads/p/d/1.csv", table(0, 300, labelled=100))
    promoted = team.promote(prepared.training_set)
    first, keys = team.listed(promoted), set(team.ingest.lake.contents)
    assert first == team.listed(promoted) == team.listed(prepared)
    assert set(team.ingest.lake.contents) == keys


def test_a_training_set_that_newer_rows_have_overtaken_is_not_listed(team: Team) -> None:
    old = team.upload("uploads/p/d/1.csv", table(0, 300, labelled=100))
    team.promote(old.training_set)
    new = team.upload("uploads/p/d/2.csv", table(300, 400, labelled=0))
    assert team.listed(old) is None
    said = team.listed(new)
    assert said is not None
    assert said.unlabelled == 300


def test_labels_that_were_replaced_under_their_key_still_count(team: Team) -> None:
    team.upload("uploads/p/d/1.csv", table(0, 300, labelled=100))
    head = "id,risky,who,said_at\n"
    team.upload("uploads/p/said/labels.csv", head + "r200,yes,anna,2026-01-02\n")
    made = team.upload("uploads/p/said/labels.csv", head + "r201,no,anna,2026-01-02\n")
    assert made.rows == 102


def test_when_all_rows_are_labelled_the_list_is_empty(team: Team) -> None:
    prepared = team.upload("uploads/p/d/1.csv", table(0, 100, labelled=100))
    said = team.listed(team.promote(prepared.training_set))
    assert said is not None
    assert (said.rows, said.unlabelled, said.csv) == (0, 0, None)
    assert team.ask("/projects/p/labelling")[1]["rows"] == []


def test_a_project_without_labelling_is_left_alone(team: Team) -> None:
    prepared = team.upload("uploads/p/d/1.csv", table(0, 300, labelled=100))
    team.catalogue.change_project(FILE.model_copy(update={"labelling": None}))
    assert team.listed(team.promote(prepared.training_set)) is None


def ages_of(content: str) -> dict[str, float]:
    return {row["id"]: float(row["age"]) for row in csv.DictReader(io.StringIO(content))}


def written(rows: list[dict[str, str]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
