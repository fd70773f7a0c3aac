"""Join late truth to the predictions that it belongs to."""

import json
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from evergreen.cloud.lake import UploadNotFetchedError, fetch_upload
from evergreen.cloud.runtime import Message, Stage, now, on_messages
from evergreen.contracts.facts import LabelsJoined, LabelsRefused
from evergreen.contracts.objects import KeyRefusedError, UploadedObject, project_of_labels
from evergreen.contracts.project_file import ProjectFile
from evergreen.data.ingestion import UploadRefusedError
from evergreen.data.limits import Limits
from evergreen.data.rows import read_rows
from evergreen.features.signature import Signature
from evergreen.monitoring.label_matching import Unmatched
from evergreen.monitoring.labels import Keys, LabelsRefusedError, LabelsSummary, join_labels
from evergreen.registry.derivations import Outcome
from evergreen.registry.identity import (
    Derivation,
    dataset_version,
    digest_of_file,
    labels_key,
    model_file_key,
    upload_quarantine_key,
)

MAXIMUM_BYTES = 1024**3
LIMITS = Limits(rows=1_000_000, seconds=200)
"""All rows are held at once; the function has 300 seconds."""

stage = Stage("ingest_labels", lease_seconds=360)


def take(message: Message) -> None:
    """Join one label file with the captures that are there by now."""
    upload = UploadedObject.from_event(message.body)
    try:
        project = project_of_labels(upload.key)
    except KeyRefusedError as error:
        stage.say(message, LabelsRefused(project="unknown", key=upload.key, problem=str(error)))
        return
    file, alias = stage.catalogue.project_file(project), stage.catalogue.alias(project)
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
                "labels": file.sections()["labels"] if file else {},
            }
            keys = keys_of(file)
            stage.derive(
                message, project, inputs, lambda work: join(work, project, upload.key, source, keys)
            )
        except (UploadNotFetchedError, UploadRefusedError, LabelsRefusedError) as error:
            stage.say(message, LabelsRefused(project=project, key=upload.key, problem=str(error)))


def keys_of(file: ProjectFile | None) -> Keys | None:
    """How labels by entity find their predictions."""
    if file is None or file.labels is None:
        return None
    return Keys(tuple(file.labels.key), file.labels.time, file.labels.within)


def join(
    derivation: Derivation, project: str, key: str, source: Path, keys: Keys | None
) -> Outcome:
    """Write the labelled predictions as a part of the project's feedback."""
    model = str(derivation.inputs["signature"])
    signature = Signature.from_json(stage.lake.read(model_file_key(model, "signature.json")))
    captures = [
        stage.lake.fetch(capture, source.with_name(f"capture-{index}.parquet"))
        for index, capture in enumerate(derivation.inputs["captures"])
    ]
    joined = source.with_name("labelled.parquet")
    rows = list(read_rows(source, key, limits=LIMITS))
    summary = join_labels(
        rows,
        captures,
        joined,
        signature.target,
        task=signature.task,
        labelled_at=now(),
        keys=keys,
    )
    refused = (*summary.invalid, *summary.unmatched)
    quarantine = set_aside(derivation, project, key, rows, refused) if refused else None
    version = catalogue_feedback(derivation, project, joined, summary)
    fact = LabelsJoined(
        project=project,
        key=key,
        matched=summary.matched,
        unmatched=len(summary.unmatched),
        invalid=len(summary.invalid),
        version=version,
        conflicts=summary.conflicts,
        quarantine=quarantine,
    )
    return Outcome((fact,), {"labels": derivation.key})


def set_aside(
    derivation: Derivation,
    project: str,
    key: str,
    rows: Sequence[Mapping[str, Any]],
    refused: Sequence[Unmatched],
) -> str:
    """Keep the rows that were not used, each with its reason; the lake key."""
    reasons = Counter(each.reason for each in refused)
    record = {
        "record": derivation.key,
        "key": key,
        "dataset": "labels",
        "reasons": [
            {"message": f"{count:,} rows: {reason}"} for reason, count in sorted(reasons.items())
        ],
    }
    values = [
        {"row": each.row, "reason": each.reason, "values": rows[each.row - 1]} for each in refused
    ]
    place = upload_quarantine_key(project, derivation.key)
    stage.lake.write(place, json.dumps({**record, "rows": values}, default=str).encode())
    stage.catalogue.put(project, "QUARANTINE", derivation.key, record)
    return place


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
