"""Check an uploaded file, write its good rows as Parquet, catalogue and explore the dataset."""

import json
from datetime import datetime
from typing import Any

from evergreen.cloud.dataset_records import record_version
from evergreen.cloud.explorer import explore
from evergreen.cloud.lake import UploadNotFetchedError
from evergreen.cloud.part_judging import COUNTS, fetched
from evergreen.cloud.part_records import warnings_of_part
from evergreen.cloud.part_taking import (
    PartRefusedError,
    source_of,
    stale_parts,
    take_part,
    uploaded_at,
)
from evergreen.cloud.runtime import Message, Stage, now, on_messages
from evergreen.contracts.facts import (
    DatasetIngested,
    ProjectChanged,
    RowsReplayed,
    UploadQuarantined,
    WaiverEnded,
)
from evergreen.contracts.objects import KeyRefusedError, UploadedObject, dataset_of_upload
from evergreen.data.refusal import printable
from evergreen.registry.catalogue import DatasetVersion, Part
from evergreen.registry.identity import (
    digest_of,
    part_quarantine_key,
    part_repairable_key,
    part_replay_key,
    upload_quarantine_key,
)

MOST_PASSES = 5
"""Over the parts of a project: repairs are judged by quarantines, which may have become others."""

stage = Stage("ingest_upload")


def take(message: Message) -> None:
    """Take one upload; or look anew at the datasets of a project of which other rules hold now."""
    if message.body.get("detail-type") in (ProjectChanged.__name__, WaiverEnded.__name__):
        look_anew(message)
        return
    upload = UploadedObject.from_event(message.body)
    if take_upload(message, upload, moment_of(message)):
        # All is said by now: nothing that follows waits for what people look at.
        project, dataset = dataset_of_upload(upload.key)
        explore(stage, message, project, (dataset,))


def look_anew(message: Message) -> None:
    """Judge the parts of a project by the rules that hold now, and draw its pages anew.

    A part that is refused now stays as it was taken; that it is refused is said.
    """
    project = message.event.fact.project
    seen: set[tuple[str, str, str]] = set()
    for _ in range(MOST_PASSES):
        if not judge_anew(message, project, seen):
            break
    explore(stage, message, project)
    for version in stage.catalogue.datasets(project):
        record_version(stage, project, version)


def judge_anew(message: Message, project: str, seen: set[tuple[str, str, str]]) -> bool:
    """Judge all parts of a project that are stale, but for judgements that were `seen`.

    Whether there were any.
    """
    before = len(seen)
    for version in stage.catalogue.datasets(project):
        place = (project, version.dataset)
        done: set[str] = set()
        for key, by in stale_parts(stage, place, moment_of(message), version.parts):
            judgement = (version.dataset, key, by)
            if key not in done and judgement not in seen:
                part = version.parts[key]
                done |= take_upload(message, source_of(stage, part), uploaded_at(part))
            seen.add(judgement)
    return len(seen) > before


def take_upload(message: Message, upload: UploadedObject, uploaded: datetime) -> set[str]:
    """Check one file that came at a time, and add it to its dataset or refuse it.

    Gives the keys of the parts that are other ones now.
    """
    try:
        project, dataset = dataset_of_upload(upload.key)
    except KeyRefusedError as error:
        reason = {"code": "bad_key", "message": printable(str(error), 500)}
        quarantine(message, upload, "unknown", "unknown", [reason])
        return set()
    try:
        with fetched(stage, (project, dataset), upload, uploaded) as file:
            taken, version = take_part(stage, message, file, moment_of(message))
    except UploadNotFetchedError as error:
        reason = {"code": error.code, "message": printable(str(error), 500)}
        quarantine(message, upload, project, dataset, [reason])
        return set()
    except PartRefusedError as error:
        quarantine(message, upload, project, dataset, error.reasons)
        return set()
    for part in taken.values():
        note_quarantine(message, project, version, part)
    record_version(stage, project, version)
    for part in taken.values():
        stage.say(
            message,
            DatasetIngested(
                project=project,
                dataset=dataset,
                version=version.version,
                key=part["key"],
                rows=part["rows"],
                quarantined_rows=part["quarantined_rows"],
                parts=len(version.parts),
                warnings=warnings_of_part(stage, part),
            ),
        )
    return set(taken)


def note_quarantine(message: Message, project: str, version: DatasetVersion, part: Part) -> None:
    """Record the rows of a part that were refused, and what became of those that it repairs."""
    dataset = version.dataset
    repairs = part.get("repairs")
    if repairs:
        stage.say(
            message,
            RowsReplayed(
                project=project,
                dataset=dataset,
                key=part["key"],
                repairs=repairs["key"],
                record=part_replay_key(part["part"]),
                **{name: repairs[name] for name in RowsReplayed.model_fields if name in COUNTS},
            ),
        )
    for each in (part, *(repaired_by(version, part) if repairs else ())):
        if each["quarantined_rows"]:
            body = {
                "record": each["part"],
                "key": each["key"],
                "version_id": each["version_id"],
                "content": each["content"],
                "dataset": dataset,
                "rows": each["quarantined_rows"],
                "quarantine": part_quarantine_key(each["part"]),
                "repairable": part_repairable_key(each["part"]),
            }
            stage.catalogue.list_quarantine(project, dataset, body)


def repaired_by(version: DatasetVersion, repair: Part) -> list[Part]:
    """The parts of the upload that a part repairs."""
    content = repair["repairs"]["content"]
    parts = version.parts.values()
    return [part for part in parts if part["content"] == content and "repairs" not in part]


def moment_of(message: Message) -> datetime:
    """When a file was uploaded: it is judged by that time, however late and often."""
    return datetime.fromisoformat(message.body["time"]) if "time" in message.body else now()


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
