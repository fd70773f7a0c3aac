"""Check one uploaded file, write its good rows as typed Parquet, and catalogue the dataset."""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evergreen.cloud.lake import UploadTooLargeError, fetch_upload
from evergreen.cloud.runtime import Message, Stage, on_messages
from evergreen.contracts.facts import DatasetIngested, UploadQuarantined
from evergreen.contracts.objects import KeyRefusedError, UploadedObject, dataset_of_upload
from evergreen.contracts.project_file import ProjectFile
from evergreen.data.ingestion import UploadRefusedError, ingest
from evergreen.data.observations import Observed, together
from evergreen.data.profile import profile
from evergreen.data.schema import Schema, unify
from evergreen.registry.catalogue import DatasetVersion
from evergreen.registry.derivations import Outcome
from evergreen.registry.identity import (
    Derivation,
    dataset_profile_key,
    digest_of,
    digest_of_file,
    part_key,
    part_observed_key,
    part_quarantine_key,
    upload_quarantine_key,
)

MAXIMUM_BYTES = 4 * 1024**3

stage = Stage("ingest_upload")


def take(message: Message) -> None:
    """Take one upload."""
    upload = UploadedObject.from_event(message.body)
    try:
        project, dataset = dataset_of_upload(upload.key)
    except KeyRefusedError as error:
        quarantine(message, upload, "unknown", "unknown", [{"message": str(error)}])
        return
    with tempfile.TemporaryDirectory() as directory:
        try:
            source = fetch_upload(upload, Path(directory, "source"), MAXIMUM_BYTES)
            part = derive_part(message, upload, project, dataset, source)
        except UploadTooLargeError as error:
            quarantine(message, upload, project, dataset, [{"message": str(error)}])
            return
        if "refused" in part:
            quarantine(message, upload, project, dataset, part["refused"])
            return
        version = stage.catalogue.put_part(project, dataset, upload.key, part)
        write_profile(message, project, version, Path(directory))
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


def derive_part(
    message: Message, upload: UploadedObject, project: str, dataset: str, source: Path
) -> Mapping[str, Any]:
    """The typed part of a file, made once for equal bytes; or why it is `refused`."""
    file = stage.catalogue.project_file(project)
    required = required_columns(file, dataset) if file else []
    others = other_parts(project, dataset, upload.key)
    known = unify(Schema.from_plain(part["schema"]) for part in others) if others else None
    before = together(observed(part) for part in others)
    inputs = {
        "content": digest_of_file(source),
        "known": known.to_plain() if known else None,
        "before": digest_of(before.to_plain()) if before else None,
        "required": required,
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
                destination_quarantine=refused,
            )
        except UploadRefusedError as error:
            return Outcome((), {"refused": [reason.to_plain() for reason in error.reasons]})
        stage.lake.store(rows, part_key(derivation.key))
        seen = json.dumps(made.observed.to_plain()).encode()
        stage.lake.write(part_observed_key(derivation.key), seen)
        if made.quarantined_rows:
            stage.lake.store(refused, part_quarantine_key(derivation.key))
        return Outcome(
            facts=(),
            output={
                "part": derivation.key,
                "digest": inputs["content"],
                "schema": made.schema.to_plain(),
                "rows": made.rows,
                "quarantined_rows": made.quarantined_rows,
                "warnings": list(made.warnings),
                "key": upload.key,
                "version_id": upload.version_id,
            },
        )

    return stage.derive(message, project, inputs, work)


def required_columns(file: ProjectFile, dataset: str) -> list[str]:
    """What an upload must carry: of labels all that is declared, of rows the target."""
    if file.labelling:
        return list(file.labelling.required) if dataset == file.labelling.dataset else []
    made = any(step.may_make(file.target) for step in file.preparation.steps)
    return [file.target] if dataset == file.dataset and not made else []


def other_parts(project: str, dataset: str, key: str) -> list[Mapping[str, Any]]:
    """The parts of the dataset that `key` does not name, in a lasting order."""
    version = stage.catalogue.dataset(project, dataset)
    parts = version.parts if version else {}
    return [parts[other] for other in sorted(parts) if other != key]


def observed(part: Mapping[str, Any]) -> Observed:
    """What was seen of a part when it was written."""
    return Observed.from_plain(json.loads(stage.lake.read(part_observed_key(part["part"]))))


def write_profile(message: Message, project: str, version: DatasetVersion, directory: Path) -> None:
    """Profile the dataset version over all its parts, once."""
    parts = {str(part["part"]): part for part in version.parts.values()}

    def work(_: Derivation) -> Outcome:
        files = [stage.lake.fetch(part_key(part), directory / f"{part}.parquet") for part in parts]
        schema = unify([Schema.from_plain(part["schema"]) for part in parts.values()])
        content = {
            "dataset": version.dataset,
            "version": version.version,
            "schema": schema.to_plain(),
            "parts": dict(version.parts),
            "profile": profile(files, schema).to_plain(),
        }
        stage.lake.write(dataset_profile_key(version.version), json.dumps(content).encode())
        return Outcome((), {"version": version.version})

    stage.derive(message, project, {"profile": sorted(parts)}, work)


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
