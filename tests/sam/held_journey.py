"""The penguins' journey through the local cloud, held before any function that a test asks for."""

from __future__ import annotations

import csv
import io
import json
import re
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from evergreen.cloud.table import DynamoTable
from evergreen.registry.journey import read_journey
from local.cloud import LocalCloud

CHECKOUT = Path(__file__).resolve().parents[2]
PENGUINS = CHECKOUT / "examples" / "penguins"
PROJECT = "penguins"
PATIENCE_SECONDS = 120.0

# Every function in the order of the journey, with the sign that it did its work: the fact that it
# says, or what it writes to the lake.
JOURNEY: dict[str, str | None] = {
    "register_project": "ProjectChanged",
    "ingest_upload": "DatasetIngested",
    "prepare_training_set": "TrainingSetPrepared",
    "plan_search": "SearchPlanned",
    "run_trial": "TrialFinished",
    "advance_search": "SearchFinished",
    "fit_model": "ModelFitted",
    "evaluate_model": "ModelEvaluated",
    "promote_model": "ModelPromoted",
    "list_for_labelling": "LabellingListed",
    "update_features": None,
    "backfill_features": None,
    "predict": None,
    "score_batch": "BatchScored",
    "capture_predictions": "captures/",
    "ingest_labels": "LabelsJoined",
    "check_drift": "WindowChecked",
    "decide_retrain": "RetrainRequested",
    "sweep": None,
    "console_api": None,
}

# Nothing in the journey puts a message into their queue, or they have none.
ASKED_DIRECTLY = {
    "update_features",
    "backfill_features",
    "predict",
    "check_drift",
    "sweep",
    "console_api",
}

# Small enough for one trial, one window and one retraining to be all there is to wait for.
SETTINGS = {
    "goals": {"accuracy": 0.8},
    "search": {"families": ["boosting"], "trials": 1, "folds": 2},
    "monitoring": {"window": "PT5S", "minimum_rows": 20},
    "retraining": {"on": ["labels"], "minimum_labels": 20},
    "labelling": {"dataset": "said", "key": ["studyName", "Sample Number"]},
    "features": [
        {
            "name": "sightings",
            "dataset": "sightings",
            "entity": "Island",
            "time": "seen_at",
            "aggregates": {"birds_seen": {"sum": "birds", "over": "3650 days"}},
        }
    ],
}


@dataclass
class Held:
    """A message that was taken from a function's queue; it comes again unless `done` is set."""

    queue_url: str
    message: dict[str, Any]
    done: bool = False

    @property
    def body(self) -> dict[str, Any]:
        """What it says."""
        return dict(json.loads(self.message["Body"]))


@dataclass
class HeldJourney:
    """A local cloud in which functions take their messages only after they are let go."""

    cloud: LocalCloud
    queues: dict[str, str]
    """Function → URL of its queue."""
    triggers: dict[str, str]
    """Function → identifier of the mapping that feeds it."""
    begun: set[str] = field(default_factory=set)
    let_go: set[str] = field(default_factory=set)
    predictions: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def of(cls, cloud: LocalCloud) -> HeldJourney:
        """Hold every function of a freshly deployed stack."""
        queues, triggers = {}, {}
        for mapping in cloud.client("lambda").list_event_source_mappings()["EventSourceMappings"]:
            words = re.search(r"-(\w+)Function-", mapping["FunctionArn"])
            assert words is not None, mapping
            stage = re.sub(r"(?<!^)(?=[A-Z])", "_", words[1]).lower()
            queue = mapping["EventSourceArn"].rpartition(":")[2]
            queues[stage] = cloud.client("sqs").get_queue_url(QueueName=queue)["QueueUrl"]
            triggers[stage] = mapping["UUID"]
        journey = cls(cloud, queues, triggers)
        for stage in triggers:
            journey._switch(stage, enabled=False)
        return journey

    # ---- the journey ----------------------------------------------------------------------------

    def reach(self, stage: str) -> None:
        """Let everything before a function happen, and what people do to wake it."""
        order = list(JOURNEY)
        for earlier in order[: order.index(stage)]:
            self._begin(earlier)
            self.let_pass(earlier)
        self._begin(stage)

    @contextmanager
    def message_for(self, stage: str, kind: str | None) -> Iterator[Held]:
        """Take a message of a kind that waits for a function; others keep waiting."""
        sqs, queue_url = self.cloud.client("sqs"), self.queues[stage]
        taken: list[Held] = []

        def found() -> bool:
            answer = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=1)
            taken.extend(Held(queue_url, message) for message in answer.get("Messages", []))
            return bool(taken) and taken[-1].body.get("detail-type") == kind

        try:
            self.wait_until(found, f"{kind} comes for {stage}")
            yield taken[-1]
        finally:
            # As Lambda does: delete a message that was worked on, else let it come again.
            for held in taken:
                receipt = {"QueueUrl": queue_url, "ReceiptHandle": held.message["ReceiptHandle"]}
                if held.done:
                    sqs.delete_message(**receipt)
                else:
                    sqs.change_message_visibility(**receipt, VisibilityTimeout=0)

    def let_pass(self, stage: str) -> None:
        """Let a function work in the local cloud from now on, and wait until it has."""
        if stage in self.let_go:
            return
        self.let_go.add(stage)
        if stage in self.triggers:
            self._switch(stage, enabled=True)
        sign = JOURNEY[stage]
        if sign is not None and stage not in ASKED_DIRECTLY:
            self.wait_until(lambda: self.shown(sign) > 0, f"{stage} has shown {sign}")

    def shown(self, sign: str) -> int:
        """How often a function has shown the sign of its work."""
        return len(self._lake(sign) if sign.endswith("/") else self.facts(sign))

    def facts(self, name: str) -> list[dict[str, Any]]:
        """All facts of a name that were said, the oldest first."""
        entries = read_journey(DynamoTable(self.cloud.outputs.table), PROJECT, limit=500)
        return [entry for entry in entries if entry["name"] == name]

    def story(self) -> str:
        """What happened so far, for people."""
        entries = read_journey(DynamoTable(self.cloud.outputs.table), PROJECT, limit=500)
        return "\n".join(f"{entry['name']}: {entry['summary']}" for entry in entries)

    def _lake(self, prefix: str) -> list[str]:
        listing = self.cloud.client("s3").list_objects_v2(
            Bucket=self.cloud.outputs.lake_bucket, Prefix=prefix
        )
        return [item["Key"] for item in listing.get("Contents", [])]

    def wait_until(self, happened: Callable[[], bool], what: str) -> None:
        """Wait for something to have happened."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not happened():
            if time.monotonic() > deadline:
                raise AssertionError(f"waited in vain until {what}; the journey:\n{self.story()}")
            time.sleep(0.2)

    # ---- what people do -------------------------------------------------------------------------

    def _begin(self, stage: str) -> None:
        """Do, once, what people do to wake a function."""
        if stage not in self.begun:
            self.begun.add(stage)
            act = {
                "register_project": self._upload_project,
                "ingest_upload": self._upload_data,
                "score_batch": self._upload_rows_to_score,
                "capture_predictions": self._predict,
                "ingest_labels": self._upload_labels,
                "check_drift": self._end_the_window,
            }.get(stage)
            if act is not None:
                act()

    def _upload(self, key: str, body: bytes) -> None:
        bucket = self.cloud.outputs.uploads_bucket
        self.cloud.client("s3").put_object(Bucket=bucket, Key=key, Body=body)

    def _upload_project(self) -> None:
        settings = yaml.safe_load((PENGUINS / "project.yaml").read_text()) | SETTINGS
        self._upload(f"projects/{PROJECT}/project.yaml", yaml.safe_dump(settings).encode())

    def _upload_data(self) -> None:
        rows = list(csv.DictReader(io.StringIO(self._data().decode())))
        for row in rows[::20]:
            row["Species"] = ""  # for somebody to label
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
        self._upload(f"uploads/{PROJECT}/penguins/penguins.csv", text.getvalue().encode())

    def _upload_rows_to_score(self) -> None:
        self._upload(f"scoring/{PROJECT}/new.csv", self._data())

    def _predict(self) -> None:
        rows = list(csv.DictReader(io.StringIO(self._data().decode())))[:60]
        known = ("Island", "Culmen Length (mm)", "Flipper Length (mm)", "Body Mass (g)")
        asked = [
            {name: _number(row[name]) for name in known if row[name] not in {"", "NA"}}
            for row in rows
        ]
        outputs = self.cloud.outputs
        request = urllib.request.Request(
            f"{outputs.api_url}/projects/{PROJECT}/predict",
            json.dumps({"rows": asked}).encode(),
            {"x-api-key": outputs.api_key, "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            self.predictions = json.load(answer)["predictions"]

    def _upload_labels(self) -> None:
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(["prediction_id", "label"])
        writer.writerows([p["id"], p["prediction"]] for p in self.predictions)
        self._upload(f"labels/{PROJECT}/labels.csv", text.getvalue().encode())

    def _end_the_window(self) -> None:
        time.sleep(6)  # a window of five seconds, and a little

    def _data(self) -> bytes:
        return (PENGUINS / "penguins.csv").read_bytes()

    def _switch(self, stage: str, *, enabled: bool) -> None:
        self.cloud.client("lambda").update_event_source_mapping(
            UUID=self.triggers[stage], Enabled=enabled
        )


def _number(text: str) -> str | float:
    try:
        return float(text)
    except ValueError:
        return text
