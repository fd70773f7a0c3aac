"""Check an uploaded file, write its good rows as Parquet, catalogue and explore the dataset."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from evergreen.cloud.dataset_records import record_profile, record_version
from evergreen.cloud.explorer import explore
from evergreen.cloud.lake import UploadNotFetchedError, fetch_upload
from evergreen.cloud.part_records import (
    observed_of_part,
    schema_of_part,
    warnings_of_part,
    write_part_records,
)
from evergreen.cloud.runtime import Message, Stage, now, on_messages
from evergreen.contracts.data_section import NOTHING_DECLARED
from evergreen.contracts.facts import (
    DatasetIngested,
    ProjectChanged,
    RowsReplayed,
    UploadQuarantined,
)
from evergreen.contracts.objects import KeyRefusedError, UploadedObject, dataset_of_upload
from evergreen.contracts.project_file import ProjectFile
from evergreen.data.checks import Expected
from evergreen.data.collection import medium_of_file
from evergreen.data.ingestion import UploadRefusedError, ingest
from evergreen.data.limits import Limits
from evergreen.data.observations import together
from evergreen.data.quarantine import SourceObject
from evergreen.data.refusal import printable
from evergreen.data.repairs import Became, Quarantined, Repair, places_in
from evergreen.data.schema import unify
from evergreen.registry.catalogue import ContendedError, DatasetVersion
from evergreen.registry.derivations import Outcome
from evergreen.registry.identity import (
    Derivation,
    code_digest,
    digest_of,
    digest_of_file,
    part_key,
    part_quarantine_key,
    part_repairable_key,
    part_replay_key,
    upload_quarantine_key,
)
from evergreen.registry.ports import RecordTooLargeError

COUNTS: tuple[Became, ...] = ("taken", "still_bad", "taken_before", "unknown")

ATTEMPTS = 5
PATIENCE_SECONDS = 600
"""Two thirds of the function's time; what it waits for began before it."""

stage = Stage("ingest_upload")


def take(message: Message) -> None:
    """Take one upload; or look anew at the datasets of a project whose file changed."""
    if message.body.get("detail-type") == ProjectChanged.__name__:
        look_anew(message)
        return
    take_upload(message, UploadedObject.from_event(message.body), moment_of(message))


def look_anew(message: Message) -> None:
    """Judge the parts of a project by what its file declares now, and draw its pages anew.

    A part that is refused now stays as it was taken; that it is refused is said.
    """
    fact = message.event.fact
    for version in stage.catalogue.datasets(fact.project):
        # Repairs after what they repair.
        for key, part in sorted(version.parts.items(), key=lambda each: "repairs" in each[1]):
            uploaded = datetime.fromisoformat(part["uploaded"])
            expected = expected_of(fact.project, version.dataset, moment_of(message), uploaded)
            if part["judged"] != judgement(fact.project, version, key, part["content"], expected):
                bucket = stage.settings["UPLOADS_BUCKET"]
                upload = UploadedObject(bucket, key, part["version_id"], "")
                take_upload(message, upload, uploaded)
    explore(stage, message, fact.project)
    for version in stage.catalogue.datasets(fact.project):
        record_version(stage, fact.project, version)
        record_profile(stage, fact.project, version)


def take_upload(message: Message, upload: UploadedObject, uploaded: datetime) -> None:
    """Check one file that came at a time, and add it to its dataset or refuse it."""
    try:
        project, dataset = dataset_of_upload(upload.key)
    except KeyRefusedError as error:
        reason = {"code": "bad_key", "message": printable(str(error), 500)}
        quarantine(message, upload, "unknown", "unknown", [reason])
        return
    with tempfile.TemporaryDirectory() as directory:
        try:
            source = fetch_upload(upload, Path(directory, "source"), limits().upload_bytes)
            expected = expected_of(project, dataset, moment_of(message), uploaded)
            part, version = take_part(message, upload, project, dataset, source, expected)
        except UploadNotFetchedError as error:
            reason = {"code": error.code, "message": printable(str(error), 500)}
            quarantine(message, upload, project, dataset, [reason])
            return
        if version is None:
            quarantine(message, upload, project, dataset, part["refused"])
            return
        note_quarantine(message, upload, project, version, part)
        record_version(stage, project, version)
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
            warnings=warnings_of_part(stage, part),
        ),
    )
    # Said before: nothing that follows waits for what people look at.
    explore(stage, message, project, (dataset,))
    record_profile(stage, project, version)


def note_quarantine(
    message: Message,
    upload: UploadedObject,
    project: str,
    version: DatasetVersion,
    part: Mapping[str, Any],
) -> None:
    """Record the rows of a part that were refused, and what became of those that it repairs."""
    dataset = version.dataset
    repairs = part.get("repairs")
    if repairs:
        note_repaired(project, version, repairs["content"])
        stage.say(
            message,
            RowsReplayed(
                project=project,
                dataset=dataset,
                key=upload.key,
                repairs=repairs["key"],
                record=part_replay_key(part["part"]),
                **{name: repairs[name] for name in RowsReplayed.model_fields if name in COUNTS},
            ),
        )
    if part["quarantined_rows"]:
        body = {
            "record": part["part"],
            "key": upload.key,
            "version_id": upload.version_id,
            "dataset": dataset,
            "rows": part["quarantined_rows"],
            "quarantine": part_quarantine_key(part["part"]),
            "repairable": part_repairable_key(part["part"]),
        }
        stage.catalogue.put(project, "QUARANTINE", part["part"], body)


def note_repaired(project: str, version: DatasetVersion, content: str) -> None:
    """Record how many rows of a quarantine are back in the dataset."""
    back = [
        len(part["repairs"]["rows"])
        for part in version.parts.values()
        if part.get("repairs", {}).get("content") == content
    ]
    for part in version.parts.values():
        listed = stage.catalogue.get(project, "QUARANTINE", str(part["part"]))
        if listed and part["content"] == content and "repairs" not in part:
            body = {**listed, "repaired_rows": sum(back)}
            stage.catalogue.put(project, "QUARANTINE", str(part["part"]), body)


def take_part(
    message: Message,
    upload: UploadedObject,
    project: str,
    dataset: str,
    source: Path,
    expected: Expected,
) -> tuple[Mapping[str, Any], DatasetVersion | None]:
    """The part that a file became and the dataset version with it; none if it is `refused`.

    A repair whose rows another one brought back meanwhile is judged anew. Raises ContendedError
    if that does not end.
    """
    attempts = 0
    while True:
        part = derive_part(message, upload, project, dataset, source, expected)
        if "refused" in part:
            return part, None
        version = stage.catalogue.dataset(project, dataset)
        nothing = "repairs" in part and not part["rows"]
        if version and nothing and upload.key not in version.parts:
            return part, version
        try:
            return part, stage.catalogue.put_part(project, dataset, upload.key, part)
        except RecordTooLargeError:
            said = (
                f"dataset '{dataset}' has {len(version.parts) if version else 0:,} files, and its "
                "record holds no more; upload fewer and larger ones, or begin another dataset"
            )
            return {"refused": [{"code": "too_many_parts", "message": said}]}, None
        except ContendedError:
            attempts += 1
            if attempts == ATTEMPTS:
                raise


def derive_part(
    message: Message,
    upload: UploadedObject,
    project: str,
    dataset: str,
    source: Path,
    expected: Expected,
) -> Mapping[str, Any]:
    """The typed part of a file, made once for equal bytes; or why it is `refused`."""
    file = stage.catalogue.project_file(project)
    required = required_columns(file, dataset) if file else []
    name = upload.key.split("/", 3)[-1]
    content = digest_of_file(source)
    if medium_of_file(source):
        # Its folder labels it: the same picture in another one is another row.
        content = digest_of([content, name])
    version = stage.catalogue.dataset(project, dataset)
    taken = version.parts.get(upload.key) if version else None
    if (
        version
        and taken
        and taken["judged"] == judgement(project, version, upload.key, content, expected)
    ):
        return taken
    others = other_parts(version, upload.key)
    quarantines = quarantines_of(others)
    known = unify(schema_of_part(stage, part) for part in others) if others else None
    before = together(observed_of_part(stage, part) for part in others)
    keyed = [str(part["part"]) for part in others] if expected.declaration.keyed else []
    inputs = {
        "content": content,
        "known": digest_of(known.to_plain()) if known else None,
        "before": digest_of(before.to_plain()) if before else None,
        "required": required,
        "expected": digest_of(expected.identity),
        "limits": asdict(limits()),
        "quarantines": digest_of(quarantines) if quarantines else None,
        "others": sorted(set(keyed)),
    }

    def work(derivation: Derivation) -> Outcome:
        rows, refused = source.with_name("rows.parquet"), source.with_name("refused.parquet")
        try:
            made = ingest(
                source,
                name,
                rows,
                known=known,
                before=before,
                required=required,
                expected=expected,
                destination_quarantine=refused,
                limits=limits(),
                origin=SourceObject(upload.key, upload.version_id, content),
                others=[fetch_part(part, source.parent) for part in sorted(set(keyed))],
                find=lambda repaired: find_quarantined(others, repaired, source.parent),
            )
        except UploadRefusedError as error:
            return Outcome((), {"refused": [reason.to_plain() for reason in error.reasons]})
        stage.lake.store(rows, part_key(derivation.key))
        write_part_records(stage, derivation.key, made)
        if made.quarantined_rows:
            stage.lake.store(refused, part_quarantine_key(derivation.key))
            stage.lake.store(refused.with_suffix(".csv"), part_repairable_key(derivation.key))
        if made.repair:
            became = json.dumps(made.repair.to_plain()).encode()
            stage.lake.write(part_replay_key(derivation.key), became)
        return Outcome(
            facts=(),
            output={
                "part": derivation.key,
                "digest": digest_of([content, made.reading]),
                "rows": made.rows,
                "quarantined_rows": made.quarantined_rows,
                **({"repairs": replayed(made.repair)} if made.repair else {}),
            },
        )

    # Equal bytes under another key are taken there: they become one part, under both keys.
    made = stage.derive(message, project, inputs, work, patience=PATIENCE_SECONDS)
    source_object = {
        "key": upload.key,
        "version_id": upload.version_id,
        "uploaded": expected.uploaded.isoformat(),
    }
    judged = digest_of(
        [
            code_digest(stage.name),
            content,
            [],  # no required column is missing
            expected.identity,
            quarantines if "repairs" in made else None,
        ]
    )
    return {**made, **source_object, "content": content, "judged": judged}


def judgement(
    project: str, version: DatasetVersion, key: str, content: str, expected: Expected
) -> str:
    """How a part would be judged now.

    What the other parts are does not make a taken file another one; only of a repair, what is in
    quarantine.
    """
    file = stage.catalogue.project_file(project)
    required = required_columns(file, version.dataset) if file else []
    there = schema_of_part(stage, version.parts[key]).names if required else ()
    repairs = "repairs" in version.parts[key]
    return digest_of(
        [
            code_digest(stage.name),
            content,
            [name for name in required if name not in there],
            expected.identity,
            quarantines_of(other_parts(version, key)) if repairs else None,
        ]
    )


def expected_of(project: str, dataset: str, moment: datetime, uploaded: datetime) -> Expected:
    """What is declared of a dataset, for a file that came at a time and is judged at a moment."""
    file = stage.catalogue.project_file(project)
    declared = file.declared(dataset) if file else NOTHING_DECLARED
    return Expected(declared, moment, uploaded)


def replayed(repair: Repair) -> dict[str, Any]:
    """What the catalogue remembers of a repair: which rows of which upload it took."""
    counts = {str(name): len(repair.places(name)) for name in COUNTS}
    return {"key": repair.key, "content": repair.content, "rows": list(repair.taken), **counts}


def quarantines_of(parts: Sequence[Mapping[str, Any]]) -> list[Any]:
    """All that decides about which rows a repair may bring back."""
    return [
        [part["part"], part.get("repairs", {}).get("rows")]
        for part in parts
        if part["quarantined_rows"] or "repairs" in part
    ]


def find_quarantined(
    parts: Sequence[Mapping[str, Any]], content: str, directory: Path
) -> Quarantined | None:
    """The rows of an upload that are in quarantine, and those that other parts brought back."""
    taken = {
        place
        for part in parts
        if part.get("repairs", {}).get("content") == content
        for place in part["repairs"]["rows"]
    }
    for part in parts:
        if part["content"] != content or "repairs" in part:
            continue
        places: frozenset[str] = frozenset()
        if part["quarantined_rows"]:
            file = directory / f"{part['part']}.quarantine.parquet"
            stage.lake.fetch(part_quarantine_key(part["part"]), file)
            places = places_in(file)
        return Quarantined(part["key"], places, frozenset(taken))
    return None


def fetch_part(part: str, directory: Path) -> Path:
    """The rows of a part, in a file."""
    file = directory / f"{part}.parquet"
    return file if file.exists() else stage.lake.fetch(part_key(part), file)


def limits() -> Limits:
    """How large an upload may be in this deployment."""
    return Limits.from_setting(stage.settings.environment.get("UPLOAD_LIMITS", ""))


def moment_of(message: Message) -> datetime:
    """When a file was uploaded: it is judged by that time, however late and often."""
    return datetime.fromisoformat(message.body["time"]) if "time" in message.body else now()


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
