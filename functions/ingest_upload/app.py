"""Check an uploaded file, write its good rows as Parquet, catalogue and explore the dataset."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from evergreen.cloud.explorer import explore
from evergreen.cloud.lake import UploadTooLargeError, fetch_upload
from evergreen.cloud.runtime import Message, Stage, now, on_messages
from evergreen.contracts.data_section import NOTHING_DECLARED
from evergreen.contracts.facts import DatasetIngested, ProjectChanged, UploadQuarantined
from evergreen.contracts.objects import KeyRefusedError, UploadedObject, dataset_of_upload
from evergreen.contracts.project_file import ProjectFile
from evergreen.data.checks import Expected
from evergreen.data.ingestion import UploadRefusedError, ingest
from evergreen.data.limits import Limits
from evergreen.data.observations import Observed, together
from evergreen.data.refusal import printable
from evergreen.data.schema import Schema, unify
from evergreen.registry.catalogue import DatasetVersion
from evergreen.registry.derivations import Outcome
from evergreen.registry.identity import (
    Derivation,
    code_digest,
    digest_of,
    digest_of_file,
    part_checks_key,
    part_key,
    part_observed_key,
    part_quarantine_key,
    upload_quarantine_key,
)

MOST_WARNINGS = 50
"""An event carries at most 256 KB."""

stage = Stage("ingest_upload")


def take(message: Message) -> None:
    """Take one upload; or look anew at the datasets of a project whose file changed."""
    if message.body.get("detail-type") == ProjectChanged.__name__:
        explore(stage, message, message.event.fact.project)
        return
    upload = UploadedObject.from_event(message.body)
    try:
        project, dataset = dataset_of_upload(upload.key)
    except KeyRefusedError as error:
        reason = {"code": "bad_key", "message": printable(str(error), 500)}
        quarantine(message, upload, "unknown", "unknown", [reason])
        return
    with tempfile.TemporaryDirectory() as directory:
        try:
            source = fetch_upload(upload, Path(directory, "source"), limits().upload_bytes)
            part = derive_part(message, upload, project, dataset, source)
        except UploadTooLargeError as error:
            reason = {"code": "too_large", "message": printable(str(error), 500)}
            quarantine(message, upload, project, dataset, [reason])
            return
        if "refused" in part:
            quarantine(message, upload, project, dataset, part["refused"])
            return
        version = stage.catalogue.put_part(project, dataset, upload.key, part)
    stage.say(
        message,
        DatasetIngested(
            project=project,
            dataset=dataset,
            version=version.version,
            key=upload.key,
            rows=part["rows"],
            quarantined_rows=part["quarantined_rows"],
            parts=len(version.parts),
            warnings=tuple(part["warnings"]),
        ),
    )
    # Said before: nothing that follows waits for what people look at.
    explore(stage, message, project, (dataset,))


def derive_part(
    message: Message, upload: UploadedObject, project: str, dataset: str, source: Path
) -> Mapping[str, Any]:
    """The typed part of a file, made once for equal bytes; or why it is `refused`."""
    file = stage.catalogue.project_file(project)
    required = required_columns(file, dataset) if file else []
    expected = Expected(file.declared(dataset) if file else NOTHING_DECLARED, moment_of(message))
    content = digest_of_file(source)
    # How a file is judged; what the other parts are does not make a taken file another one.
    judged = digest_of([code_digest(stage.name), content, required, expected.identity])
    version = stage.catalogue.dataset(project, dataset)
    taken = version.parts.get(upload.key) if version else None
    if taken and taken["judged"] == judged:
        return taken
    others = other_parts(version, upload.key)
    known = unify(Schema.from_plain(part["schema"]) for part in others) if others else None
    before = together(observed(part) for part in others)
    inputs = {
        "content": content,
        "known": known.to_plain() if known else None,
        "before": digest_of(before.to_plain()) if before else None,
        "required": required,
        "expected": digest_of(expected.identity),
        "limits": asdict(limits()),
    }

    def work(derivation: Derivation) -> Outcome:
        rows, refused = source.with_name("rows.parquet"), source.with_name("refused.parquet")
        try:
            made = ingest(
                source,
                Path(upload.key).name,
                rows,
                known=known,
                before=before,
                required=required,
                expected=expected,
                destination_quarantine=refused,
                limits=limits(),
            )
        except UploadRefusedError as error:
            return Outcome((), {"refused": [reason.to_plain() for reason in error.reasons]})
        stage.lake.store(rows, part_key(derivation.key))
        seen = json.dumps(made.observed.to_plain()).encode()
        stage.lake.write(part_observed_key(derivation.key), seen)
        checks = {
            "notes": made.notes,
            "anomalies": [anomaly.to_plain() for anomaly in made.anomalies],
        }
        stage.lake.write(part_checks_key(derivation.key), json.dumps(checks).encode())
        if made.quarantined_rows:
            stage.lake.store(refused, part_quarantine_key(derivation.key))
        return Outcome(
            facts=(),
            output={
                "part": derivation.key,
                "digest": digest_of([content, made.reading]),
                "schema": made.schema.to_plain(),
                "rows": made.rows,
                "quarantined_rows": made.quarantined_rows,
                "warnings": in_short(made.warnings),
            },
        )

    made = stage.derive(message, project, inputs, work)
    source_object = {"key": upload.key, "version_id": upload.version_id}
    return {**made, **source_object, "content": content, "judged": judged}


def limits() -> Limits:
    """How large an upload may be in this deployment."""
    return Limits.from_setting(stage.settings.environment.get("UPLOAD_LIMITS", ""))


def moment_of(message: Message) -> datetime:
    """When a file was uploaded: it is judged by that time, however late and often."""
    return datetime.fromisoformat(message.body["time"]) if "time" in message.body else now()


def in_short(warnings: Sequence[str]) -> list[str]:
    """As many as an event can carry; all of them lie in the lake beside the part."""
    more = len(warnings) - MOST_WARNINGS
    return [*warnings[:MOST_WARNINGS], *([f"and {more:,} more"] if more > 0 else [])]


def required_columns(file: ProjectFile, dataset: str) -> list[str]:
    """What an upload must carry: of labels all that is declared, of rows the target."""
    if file.labelling:
        return list(file.labelling.required) if dataset == file.labelling.dataset else []
    made = any(step.may_make(file.target) for step in file.preparation.steps)
    return [file.target] if dataset == file.dataset and not made else []


def other_parts(version: DatasetVersion | None, key: str) -> list[Mapping[str, Any]]:
    """The parts of the dataset that `key` does not name, in a lasting order."""
    parts = version.parts if version else {}
    return [parts[other] for other in sorted(parts) if other != key]


def observed(part: Mapping[str, Any]) -> Observed:
    """What was seen of a part when it was written."""
    return Observed.from_plain(json.loads(stage.lake.read(part_observed_key(part["part"]))))


def quarantine(
    message: Message,
    upload: UploadedObject,
    project: str,
    dataset: str,
    reasons: list[dict[str, Any]],
) -> None:
    """Record an upload that is refused whole, with all its reasons."""
    record = digest_of([upload.key, upload.etag, upload.version_id, reasons])
    body = {
        "record": record,
        "key": upload.key,
        "version_id": upload.version_id,
        "dataset": dataset,
        "reasons": reasons,
    }
    key = upload_quarantine_key(project, record)
    stage.lake.write(key, json.dumps(body).encode())
    stage.catalogue.list_project(project)
    stage.catalogue.put(project, "QUARANTINE", record, body)
    stage.say(
        message,
        UploadQuarantined(
            project=project,
            dataset=dataset,
            key=upload.key,
            record=key,
            reasons=tuple(str(reason["message"]) for reason in reasons),
        ),
    )


handler = on_messages(take)
