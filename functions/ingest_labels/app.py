"""Join late truth to the predictions that it belongs to."""

import tempfile
from datetime import datetime
from pathlib import Path

from evergreen.cloud.lake import UploadTooLargeError, fetch_upload
from evergreen.cloud.runtime import Message, Stage, now, on_messages
from evergreen.contracts.facts import LabelsJoined, LabelsRefused
from evergreen.contracts.objects import KeyRefusedError, UploadedObject, project_of_labels
from evergreen.data.ingestion import UploadRefusedError
from evergreen.data.rows import read_rows
from evergreen.features.signature import Signature
from evergreen.monitoring.labels import LabelsRefusedError, LabelsSummary, join_labels
from evergreen.registry.derivations import Outcome
from evergreen.registry.identity import (
    Derivation,
    dataset_version,
    digest_of_file,
    labels_key,
    model_file_key,
)

MAXIMUM_BYTES = 1024**3

stage = Stage("ingest_labels", lease_seconds=360)


def take(message: Message) -> None:
    """Join one label file with the captures that are there by now."""
    upload = UploadedObject.from_event(message.body)
    try:
        project = project_of_labels(upload.key)
    except KeyRefusedError as error:
        stage.say(message, LabelsRefused(project="unknown", key=upload.key, problem=str(error)))
        return
    alias = stage.catalogue.alias(project)
    if alias is None:
        problem = f"project '{project}' has answered no requests yet: it has no champion"
        stage.say(message, LabelsRefused(project=project, key=upload.key, problem=problem))
        return
    captures = sorted(
        str(body["key"]) for body in stage.catalogue.newest(project, "CAPTURE", 10_000)
    )
    with tempfile.TemporaryDirectory() as directory:
        try:
            source = fetch_upload(upload, Path(directory, "source"), MAXIMUM_BYTES)
            model = str(alias.body["model"])
            inputs = {
                "content": digest_of_file(source),
                "captures": captures,
                "signature": model,
            }
            stage.derive(
                message, project, inputs, lambda work: join(work, project, upload.key, source)
            )
        except (UploadTooLargeError, UploadRefusedError, LabelsRefusedError) as error:
            stage.say(message, LabelsRefused(project=project, key=upload.key, problem=str(error)))


def join(derivation: Derivation, project: str, key: str, source: Path) -> Outcome:
    """Write the labelled predictions as a part of the project's feedback."""
    model = str(derivation.inputs["signature"])
    signature = Signature.from_json(stage.lake.read(model_file_key(model, "signature.json")))
    captures = [
        stage.lake.fetch(capture, source.with_name(f"capture-{index}.parquet"))
        for index, capture in enumerate(derivation.inputs["captures"])
    ]
    joined = source.with_name("labelled.parquet")
    summary = join_labels(
        list(read_rows(source, key)),
        captures,
        joined,
        signature.target,
        task=signature.task,
        labelled_at=now(),
    )
    version = catalogue_feedback(derivation, project, joined, summary)
    fact = LabelsJoined(
        project=project,
        key=key,
        matched=summary.matched,
        unmatched=len(summary.unmatched),
        invalid=len(summary.invalid),
        version=version,
    )
    return Outcome((fact,), {"labels": derivation.key})


def catalogue_feedback(
    derivation: Derivation, project: str, joined: Path, summary: LabelsSummary
) -> str:
    """List the part, and the version of the feedback that now holds it."""
    if summary.matched:
        stage.lake.store(joined, labels_key(project, derivation.key))
        stage.catalogue.put(
            project,
            "LABELLED",
            derivation.key,
            {
                "part": derivation.key,
                "rows": summary.matched,
                "earliest": moment(summary.earliest),
                "latest": moment(summary.latest),
            },
        )
    parts = sorted(
        str(body["part"]) for body in stage.catalogue.newest(project, "LABELLED", 10_000)
    )
    version = dataset_version(parts)
    stage.catalogue.put(project, "FEEDBACKVERSION", version, {"parts": parts})
    return version


def moment(value: datetime | None) -> str | None:
    """ISO 8601 text."""
    return value.isoformat() if value else None


handler = on_messages(take)
