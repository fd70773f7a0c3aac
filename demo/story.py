"""The two acts: a model is born and served; the world moves and the model replaces itself."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from demo.endpoint import Endpoint
from demo.journey import Journey
from demo.replay import Period, periods
from demo.screen import Screen
from evergreen.cloud.bus import LifecycleBus
from evergreen.cloud.clients import client
from evergreen.cloud.lake import S3Lake
from evergreen.cloud.runtime import now
from evergreen.cloud.table import DynamoTable
from evergreen.contracts.events import Event
from evergreen.contracts.facts import DriftCheckRequested
from evergreen.contracts.project_reading import read_project_file
from evergreen.registry.catalogue import Catalogue
from evergreen.registry.identity import model_file_key, part_key

JUDGED = ("ModelPromoted", "ModelHeld")
STOPPED = ("ProjectRefused", "UploadQuarantined", "TrainingSetRefused", "SearchFailed")
ROWS_PER_REQUEST = 100
WEEK = timedelta(days=7)


class StoryEndedError(RuntimeError):
    """The story cannot go on, because of what a stage said."""


@dataclass(frozen=True)
class Stack:
    """The names under which a deployed stack is reached (`.local/outputs.json`)."""

    uploads_bucket: str
    lake_bucket: str
    table: str
    bus: str
    api_url: str
    api_key: str


@dataclass
class Story:
    """One project's story, told on a screen."""

    stack: Stack
    example: Path
    screen: Screen
    reports: Path

    def __post_init__(self) -> None:
        content = (self.example / "project.yaml").read_bytes()
        name = self.example.name
        self.file = read_project_file(content, name)
        self.table = DynamoTable(self.stack.table)
        self.catalogue = Catalogue(self.table)
        self.lake = S3Lake(self.stack.lake_bucket)
        self.journey = Journey(self.table, name)
        self.endpoint = Endpoint(self.stack.api_url, self.stack.api_key, name)
        self.models: list[Mapping[str, str]] = []
        self.asked = 0

    # ---- act one

    def upload(self, path: Path, key: str) -> None:
        """Upload a file as a person would."""
        client("s3").upload_file(str(path), self.stack.uploads_bucket, key)
        self.screen.say(f"upload  {path.relative_to(self.example)}  →  {key}")

    def train(self, files: list[tuple[Path, str]]) -> None:
        """Upload datasets and the project file, and follow the journey to a judged model."""
        name = self.file.project
        for path, dataset in files:
            self.upload(path, f"uploads/{name}/{dataset}/{path.name}")
        with self.screen.waiting("ingesting"):
            for _ in files:
                self._until(("DatasetIngested",), 120)
        self.upload(self.example / "project.yaml", f"projects/{name}/project.yaml")
        with self.screen.waiting("preparing, searching, fitting, judging"):
            entry = self._until(JUDGED, 300)
        if entry["name"] != "ModelPromoted":
            raise StoryEndedError(f"no champion: {entry['summary']}")
        self._note_model("promoted", entry)
        self.show_champion()

    def show_champion(self) -> None:
        """The champion's metrics on the holdout, beside its goals."""
        alias = self.catalogue.alias(self.file.project)
        model = self.catalogue.model(self.file.project, alias.body["model"]) if alias else None
        if not model:
            return
        rows = []
        for metric, measured in model["metrics"].items():
            goal = self.file.goals.get(metric)
            rows.append(
                {
                    "metric": metric,
                    "holdout": f"{measured['value']:.4f}",
                    "95 % interval": f"{measured['lower']:.4f} – {measured['upper']:.4f}",
                    "goal": f"{goal:g}" if goal is not None else "",
                }
            )
        self.screen.table(f"Champion {model['model'][:12]} ({model['family']})", rows)

    def ask_about(self, month: Path) -> None:
        """One prediction through the HTTP endpoint, for the first flight of a month."""
        first = next(periods(self.file, month, self._references(), WEEK, self.reports))
        row = first.rows[0]
        shown = {name: value for name, value in row.items() if value is not None}
        self.screen.say(f"POST /projects/{self.file.project}/predict  {_short(shown)}")
        (answer,) = self.endpoint.predict([row])["predictions"]
        self.asked += 1
        self.screen.say(f"  → {answer['prediction']}  {answer['probabilities'] or ''}")

    # ---- act two

    def replay(self, month: Path) -> None:
        """Send a month as live requests by period, each with its labels a day later."""
        references = self._references()
        with self.screen.waiting(f"replaying {month.stem}"):
            for period in periods(self.file, month, references, WEEK, self.reports):
                self._live(period)
                self._label(period)
                self._check()
        self._settle()

    def _live(self, period: Period) -> None:
        for start in range(0, len(period.rows), ROWS_PER_REQUEST):
            end = start + ROWS_PER_REQUEST
            self.endpoint.predict(period.rows[start:end], period.ids[start:end])
        self.screen.say(f"{len(period.rows):,} live requests of {period.start:%d %B %Y} and after")

    def _label(self, period: Period) -> None:
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(["prediction_id", "label"])
        writer.writerows(zip(period.ids, period.labels, strict=True))
        self._captured(len(period.rows))
        client("s3").put_object(
            Bucket=self.stack.uploads_bucket,
            Key=f"labels/{self.file.project}/{period.ids[0]}.csv",
            Body=text.getvalue().encode(),
        )
        self._until(("LabelsJoined", "LabelsRefused"), 60)

    def _captured(self, rows: int) -> None:
        """Labels come a day later; by then the capture queue is empty."""
        self.asked += rows
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            batches = self.catalogue.newest(self.file.project, "CAPTURE", 10_000)
            if sum(int(batch["rows"]) for batch in batches) >= self.asked:
                return
            time.sleep(0.1)

    def _check(self) -> None:
        """Ask for the drift check that the schedule would make."""
        fact = DriftCheckRequested(project=self.file.project)
        moment = now()
        event = Event(fact, f"demo-{moment.timestamp()}", "demo", moment)
        LifecycleBus(self.stack.bus, "demo").publish([event])
        self.journey.settle(1.5, 30, self.screen.fact)

    def _settle(self) -> None:
        """Wait for a retraining that was asked for to be judged."""
        names = [entry["name"] for entry in self.journey.entries]
        asked = names.count("RetrainRequested")
        judged = sum(names.count(name) for name in JUDGED)
        if asked + 1 > judged:
            with self.screen.waiting("retraining"):
                entry = self._until(JUDGED, 300)
            self._note_model("promoted" if entry["name"] == "ModelPromoted" else "held", entry)
        self.journey.settle(0.5, 30, self.screen.fact)

    # ---- the end

    def summary(self) -> None:
        """What happened, and where the reports lie."""
        self.screen.table("Models", self.models)
        windows = [
            {
                "window": str(window["start"])[:10],
                "rows": f"{window['rows']:,}",
                "found": str(window.get("sentence") or window.get("finding") or ""),
            }
            for window in reversed(self.catalogue.newest(self.file.project, "WINDOW"))
        ]
        self.screen.table("Windows", windows)
        decisions = [
            {
                "when": str(d.get("event_time", d["at"]))[:10],
                "what": d["decision"],
                "why": d["reason"],
            }
            for d in reversed(self.catalogue.newest(self.file.project, "DECISION"))
        ]
        self.screen.table("Decisions", decisions)
        self.save_reports()

    def save_reports(self) -> None:
        """Copy the cards and window reports out of the local cloud."""
        self.screen.console.print()
        for model in self.catalogue.newest(self.file.project, "MODEL"):
            if "card" in model:
                self._save(
                    model_file_key(str(model["model"]), "card.html"), f"card-{model['model'][:12]}"
                )
        for window in reversed(self.catalogue.newest(self.file.project, "WINDOW")):
            self._save(str(window["report"]), f"window-{str(window['start'])[:10]}")

    def _save(self, key: str, name: str) -> None:
        target = self.reports / f"{name}.html"
        target.write_bytes(self.lake.read(key))
        self.screen.console.print(f"report  {target}")

    # ---- steps of both

    def _until(self, names: tuple[str, ...], seconds: float) -> dict[str, Any]:
        entry = self.journey.until((*names, *STOPPED), seconds, self.screen.fact)
        if entry["name"] in STOPPED:
            raise StoryEndedError(entry["summary"])
        return entry

    def _references(self) -> dict[str, list[Path]]:
        found = {}
        for name in self.file.references:
            version = self.catalogue.dataset(self.file.project, name)
            parts = (
                sorted({str(part["part"]) for part in version.parts.values()}) if version else []
            )
            found[name] = [
                self.lake.fetch(part_key(part), self.reports / f"{part}.parquet") for part in parts
            ]
        return found

    def _note_model(self, outcome: str, entry: Mapping[str, Any]) -> None:
        model = self.catalogue.model(self.file.project, entry["detail"]["model"]) or {}
        shown = {name: f"{value['value']:.4f}" for name, value in model.get("metrics", {}).items()}
        self.models.append(
            {
                "model": str(entry["detail"]["model"])[:12],
                "family": str(model.get("family", "")),
                "on its holdout": ", ".join(f"{name} {value}" for name, value in shown.items()),
                "outcome": outcome,
                "why": entry["summary"],
            }
        )


def _short(row: Mapping[str, Any]) -> str:
    text = str(dict(row))
    return text if len(text) < 160 else text[:157] + "…"
