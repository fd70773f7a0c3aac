"""Compare each finished window of predictions with what its model learned from."""

import io
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from evergreen.cloud.runtime import Message, Stage, now, on_messages
from evergreen.contracts.facts import (
    DriftCheckRequested,
    DriftDetected,
    Fact,
    PerformanceDropped,
    WindowChecked,
)
from evergreen.contracts.project_file import ProjectFile
from evergreen.features.signature import Signature
from evergreen.features.training_set import TrainingSet
from evergreen.monitoring.captures import Captured, read_captures
from evergreen.monitoring.drift import DriftReport, check
from evergreen.monitoring.labels import read_labelled
from evergreen.monitoring.performance import PerformanceReport, performance
from evergreen.monitoring.report import render_report, report_to_plain
from evergreen.monitoring.windows import Window, windows_of
from evergreen.registry.derivations import Outcome
from evergreen.registry.identity import (
    Derivation,
    digest_of,
    labels_key,
    model_file_key,
    training_set_key,
    window_key,
)
from evergreen.registry.ports import Record

stage = Stage("check_drift", lease_seconds=360)


def take(message: Message) -> None:
    """Check the project that was asked for, or all on schedule."""
    asked = message.body.get("detail-type") == DriftCheckRequested.__name__
    projects = (message.event.fact.project,) if asked else stage.catalogue.projects()
    for project in projects:
        file, alias = stage.catalogue.project_file(project), stage.catalogue.alias(project)
        if file and alias:
            check_project(message, file, alias)


def check_project(message: Message, file: ProjectFile, alias: Record) -> None:
    """Check the champion's windows that ended and were not checked with the same inputs."""
    model = str(alias.body["model"])
    batches = [
        body
        for body in stage.catalogue.newest(file.project, "CAPTURE", 10_000)
        if model in body["models"]
    ]
    if not batches:
        return
    labelled = stage.catalogue.newest(file.project, "LABELLED", 10_000)
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        files = [
            stage.lake.fetch(str(body["key"]), place / f"capture-{index}.parquet")
            for index, body in enumerate(batches)
        ]
        signature = Signature.from_json(stage.lake.read(model_file_key(model, "signature.json")))
        captured = read_captures(files, signature, model)
        # Rows that carry their own time are on the event clock: its newest moment is now.
        clock = None if file.preparation.time else now()
        for window in windows_of(captured.happened_at, file.monitoring.window, clock):
            if window.complete and window.rows >= file.monitoring.minimum_rows:
                parts = [str(body["part"]) for body in labelled if overlaps(body, window)]
                check_window(
                    message, file, alias, signature, captured, window, sorted(parts), place
                )


def overlaps(body: Any, window: Window) -> bool:
    """Whether a labelled part may hold rows of the window."""
    earliest, latest = (aware(body[name]) for name in ("earliest", "latest"))
    return bool(earliest < window.end and latest >= window.start)


def check_window(
    message: Message,
    file: ProjectFile,
    alias: Record,
    signature: Signature,
    captured: Captured,
    window: Window,
    parts: Sequence[str],
    place: Path,
) -> None:
    """Check one window, and say what was found, once for equal rows and labels."""
    model = str(alias.body["model"])
    rows = captured.between(window.start, window.end)
    identity = digest_of([file.project, model, window.start.isoformat(), window.end.isoformat()])
    inputs = {
        "model": model,
        "window": identity,
        "rows": digest_of(sorted(rows.ids)),
        "labels": list(parts),
        "monitoring": file.sections()["monitoring"],
    }

    def work(derivation: Derivation) -> Outcome:
        training_set = TrainingSet.from_bytes(
            stage.lake.read(training_set_key(str(alias.body["training_set"])))
        )
        reference = training_set.with_columns(signature).part(holdout=False)
        with np.load(
            io.BytesIO(stage.lake.read(model_file_key(model, "holdout.npz"))), allow_pickle=False
        ) as arrays:
            predicted, truth = arrays["predictions"], arrays["target"]
        drift = check(
            reference.rows,
            rows.encoded,
            signature,
            predicted,
            rows.predictions,
            false_alarm_rate=file.monitoring.false_alarm_rate,
            seed=derivation.seed,
            leave_out=(file.preparation.time,) if file.preparation.time else (),
            ordered=training_set.ordered,
        )
        files = [
            stage.lake.fetch(labels_key(file.project, part), place / f"{part}.parquet")
            for part in parts
        ]
        known = read_labelled(files, signature, model, window.start, window.end) if files else None
        realised = None
        if known is not None and len(known.target) >= file.monitoring.minimum_rows:
            realised = performance(
                known.target,
                known.captured.predictions,
                truth,
                predicted,
                task=signature.task.value,
                metric=next(iter(file.goals), None),
                false_alarm_rate=file.monitoring.false_alarm_rate,
                seed=derivation.seed,
                ordered=training_set.ordered,
            )
        report = render_report(
            file.project, model, window, signature, reference.rows, rows.encoded, drift, realised
        )
        key = window_key(file.project, identity, f"{derivation.key}.html")
        stage.lake.write(key, report.encode())
        return conclude(derivation, file, model, identity, window, drift, realised, key)

    key = Derivation(stage.name, file.project, inputs).key
    told = stage.catalogue.get(file.project, "TOLD", identity)
    if told and told["check"] == key:
        return  # Every check comes past all windows: none is news twice.
    stage.derive(message, file.project, inputs, work)
    stage.catalogue.put(file.project, "TOLD", identity, {"check": key})


def conclude(
    derivation: Derivation,
    file: ProjectFile,
    model: str,
    identity: str,
    window: Window,
    drift: DriftReport,
    realised: PerformanceReport | None,
    report: str,
) -> Outcome:
    """List the window, and say what was found."""
    finding = drift.sentence + (f" {realised.sentence}" if realised else "")
    stage.catalogue.put(
        file.project,
        "WINDOW",
        f"{window.start.isoformat()}#{identity}",
        {
            "window": identity,
            "model": model,
            "start": window.start.isoformat(),
            "end": window.end.isoformat(),
            "rows": window.rows,
            "report": report,
            **report_to_plain(drift, realised),
        },
    )
    end = window.end.isoformat()
    facts: list[Fact] = [
        WindowChecked(
            project=file.project,
            window=identity,
            start=window.start.isoformat(),
            end=end,
            rows=window.rows,
            drifted=drift.drifted,
            report=report,
            finding=finding,
        )
    ]
    if drift.drifted:
        facts.append(
            DriftDetected(
                project=file.project,
                window=identity,
                model=model,
                end=end,
                columns=tuple(column.name for column in drift.columns if column.drifted),
                finding=drift.sentence,
            )
        )
    if realised and realised.dropped:
        facts.append(
            PerformanceDropped(
                project=file.project,
                window=identity,
                model=model,
                end=end,
                metric=realised.metric,
                value=realised.value,
                reference=realised.reference,
                finding=realised.sentence,
            )
        )
    return Outcome(tuple(facts), {"window": identity, "report": report})


def aware(text: str) -> datetime:
    """A moment with its zone; UTC when it has none."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


handler = on_messages(take)
