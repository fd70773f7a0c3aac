"""What an uploaded file becomes in its dataset, by what is declared and beside the other parts."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from evergreen.cloud.lake import fetch_upload
from evergreen.cloud.part_records import observed_of_part, schema_of_part, write_part_records
from evergreen.cloud.runtime import Message, Stage
from evergreen.contracts.data_section import NOTHING_DECLARED
from evergreen.contracts.objects import UploadedObject
from evergreen.contracts.project_file import ProjectFile
from evergreen.data.checks import Expected
from evergreen.data.collection import medium_of_file
from evergreen.data.declared import read_as_declared
from evergreen.data.ingestion import UploadRefusedError, ingest
from evergreen.data.limits import Limits
from evergreen.data.observations import Observed, together
from evergreen.data.part_keys import share_keys
from evergreen.data.quarantine import SourceObject
from evergreen.data.repairs import Became, Quarantined, Repair, places_in
from evergreen.data.schema import Schema, unify
from evergreen.registry.catalogue import Part, staying
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
)

Parts = Mapping[str, Part]

COUNTS: tuple[Became, ...] = ("taken", "still_bad", "taken_before", "unknown")

PATIENCE_SECONDS = 600
"""Two thirds of the function's time; what it waits for began before it."""


@dataclass(frozen=True)
class UploadedFile:
    """A file that was uploaded into a dataset of a project, at hand as `source`."""

    project: str
    dataset: str
    upload: UploadedObject
    uploaded: datetime
    source: Path

    @property
    def key(self) -> str:
        """Where it was uploaded, which names its part."""
        return self.upload.key

    @property
    def name(self) -> str:
        """What it is called in its dataset."""
        return self.key.split("/", 3)[-1]

    @cached_property
    def content(self) -> str:
        """Its digest; of a picture or recording with its name, since its folder labels it."""
        content = digest_of_file(self.source)
        return digest_of([content, self.name]) if medium_of_file(self.source) else content


@contextmanager
def fetched(
    stage: Stage, place: tuple[str, str], upload: UploadedObject, uploaded: datetime
) -> Iterator[UploadedFile]:
    """The file of an upload into a project's dataset, for a while; UploadNotFetchedError."""
    with tempfile.TemporaryDirectory() as directory:
        source = fetch_upload(upload, Path(directory, "source"), limits(stage).upload_bytes)
        yield UploadedFile(*place, upload, uploaded, source)


@dataclass(frozen=True)
class Demands:
    """What a project asks of a file of one of its datasets."""

    expected: Expected
    required: tuple[str, ...]

    @property
    def identity(self) -> Mapping[str, Any]:
        """As JSON values, all that decides."""
        return {"expected": self.expected.identity, "required": list(self.required)}


@dataclass(frozen=True)
class Judged:
    """What a file became, or why it is `refused`, with what that was decided by.

    `beside` are the ids of the parts of its dataset whose change could change it.
    """

    part: Part
    demands: Demands
    beside: frozenset[str]


def demands_of(
    stage: Stage, place: tuple[str, str], moment: datetime, uploaded: datetime
) -> Demands:
    """What is asked of a file of a project's dataset that came at a time, judged at a moment."""
    project, dataset = place
    file = stage.catalogue.project_file(project)
    declared = file.declared(dataset) if file else NOTHING_DECLARED
    required = required_columns(file, dataset) if file else []
    return Demands(Expected(declared, moment, uploaded), tuple(required))


def required_columns(file: ProjectFile, dataset: str) -> list[str]:
    """What an upload must carry: of labels all that is declared, of rows the target."""
    if file.labelling:
        return list(file.labelling.required) if dataset == file.labelling.dataset else []
    made = any(step.may_make(file.target) for step in file.preparation.steps)
    return [file.target] if dataset == file.dataset and not made else []


def judge(
    stage: Stage, message: Message, file: UploadedFile, demands: Demands, parts: Parts
) -> Judged:
    """The typed part of a file beside the dataset's `parts`, made once for equal bytes.

    Raises SchemaConflictError if the other parts disagree among themselves.
    """
    expected, content = demands.expected, file.content
    others = other_parts(parts, file.key, content)
    origin = {
        "key": file.key,
        "version_id": file.upload.version_id,
        "sequencer": file.upload.sequencer,
        "uploaded": file.uploaded.isoformat(),
        "judged_at": expected.now.isoformat(),
    }
    there = parts.get(file.key)
    if there and there["judged"] == judgement(stage, there, content, demands, others):
        taken = {**there, **origin}
        return Judged(taken, demands, beside(taken, demands, others))
    quarantines = quarantines_of(others)
    declared = (read_as_declared(schema_of_part(stage, p), expected.declaration) for p in others)
    known = unify(declared) if others else None
    before = together(observed_of_part(stage, part) for part in others)
    inputs = {
        "content": content,
        "known": digest_of(known.to_plain()) if known else None,
        "before": digest_of(before.to_plain()) if before else None,
        "required": list(demands.required),
        "expected": digest_of(expected.identity),
        "limits": asdict(limits(stage)),
        "quarantines": digest_of(quarantines) if quarantines else None,
        "others": sorted(
            {str(part["part"]) for part in others} if expected.declaration.keys else ()
        ),
    }

    def work(derivation: Derivation) -> Outcome:
        return _make(stage, file, demands, derivation, known, before, others)

    # Equal bytes under another key are taken there: they become one part, under both keys.
    made = stage.derive(message, file.project, inputs, work, patience=PATIENCE_SECONDS)
    if "refused" in made:
        return Judged(made, demands, frozenset())
    part = {**made, **origin, "content": content}
    part["judged"] = judgement(stage, part, content, demands, others)
    return Judged(part, demands, beside(part, demands, others))


def _make(
    stage: Stage,
    file: UploadedFile,
    demands: Demands,
    derivation: Derivation,
    known: Schema | None,
    before: Observed | None,
    others: Sequence[Part],
) -> Outcome:
    """Ingest a file held against what is `known` of the other parts, and store what it became."""
    source = file.source
    rows, refused = source.with_name("rows.parquet"), source.with_name("refused.parquet")
    try:
        made = ingest(
            source,
            file.name,
            rows,
            known=known,
            before=before,
            required=demands.required,
            expected=demands.expected,
            destination_quarantine=refused,
            limits=limits(stage),
            origin=SourceObject(file.key, file.upload.version_id, file.content),
            others=[fetch_part(stage, p, source.parent) for p in derivation.inputs["others"]],
            find=lambda repaired: find_quarantined(stage, others, repaired, source.parent),
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
            "digest": digest_of([file.content, made.reading]),
            "rows": made.rows,
            "quarantined_rows": made.quarantined_rows,
            **({"repairs": replayed(made.repair)} if made.repair else {}),
        },
    )


def still_holds(
    stage: Stage, judged: Judged, demands: Demands, others: Sequence[Part], scratch: Path
) -> bool:
    """Whether a file would be judged alike now: by these demands, beside these other parts.

    Parts that came meanwhile matter if they have keys of its good rows: if not, it is as if it had
    come before them. To find out takes a look at the keys only, so that many files at once are not
    read again for each other.
    """
    if judged.demands.identity != demands.identity:
        return False
    now = beside(judged.part, demands, others)
    if now == judged.beside:
        return True
    if "repairs" in judged.part or judged.beside - now:
        return False
    came = [fetch_part(stage, part, scratch) for part in sorted(now - judged.beside)]
    rows = fetch_part(stage, str(judged.part["part"]), scratch)
    return not share_keys(rows, came, demands.expected.declaration.keys, scratch)


def beside(part: Part, demands: Demands, others: Sequence[Part]) -> frozenset[str]:
    """Those of the other parts that decide what a part is.

    For their keys, if keys are declared; of a repair, for the rows that are in quarantine and
    those that were brought back.
    """
    repaired = part.get("repairs", {}).get("content")
    return frozenset(
        str(each["part"])
        for each in others
        if demands.expected.declaration.keys
        or (repaired and repaired in (each["content"], each.get("repairs", {}).get("content")))
    )


def judgement(
    stage: Stage, part: Part, content: str, demands: Demands, others: Sequence[Part]
) -> str:
    """What decides how a part is judged.

    What the other parts are does not make a taken file another one; only of a repair, what is in
    quarantine.
    """
    there = schema_of_part(stage, part).names if demands.required else ()
    return digest_of(
        [
            code_digest(stage.name),
            content,
            [name for name in demands.required if name not in there],
            demands.expected.identity,
            quarantines_of(others, part["repairs"]["content"]) if "repairs" in part else None,
        ]
    )


def other_parts(parts: Parts, key: str, content: str) -> list[Part]:
    """The parts that stay when `key` names a file of that content, in a lasting order."""
    others = staying({**parts, key: {"content": content}})
    return [others[other] for other in sorted(others) if other != key]


def replayed(repair: Repair) -> dict[str, Any]:
    """What the catalogue remembers of a repair: which rows of which upload it took."""
    counts = {str(name): len(repair.places(name)) for name in COUNTS}
    return {"key": repair.key, "content": repair.content, "rows": list(repair.taken), **counts}


def quarantines_of(parts: Sequence[Part], content: str | None = None) -> list[Any]:
    """All that decides about which rows a repair may bring back, to the upload `content` or any.

    Of other repairs that is what they took, not what they are called: else two of them would be
    judged anew for each other without end.
    """
    found = []
    for part in parts:
        if "repairs" in part:
            found.append([part["repairs"]["content"], sorted(part["repairs"]["rows"])])
        elif part["quarantined_rows"]:
            found.append([part["content"], str(part["part"])])
    return [each for each in found if content in (None, each[0])]


def find_quarantined(
    stage: Stage, parts: Sequence[Part], content: str, directory: Path
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
        columns = schema_of_part(stage, part).names
        return Quarantined(part["key"], places, frozenset(taken), columns)
    return None


def fetch_part(stage: Stage, part: str, directory: Path) -> Path:
    """The rows of a part, in a file."""
    file = directory / f"{part}.parquet"
    return file if file.exists() else stage.lake.fetch(part_key(part), file)


def limits(stage: Stage) -> Limits:
    """How large an upload may be in this deployment."""
    return Limits.from_setting(stage.settings.environment.get("UPLOAD_LIMITS", ""))
