"""How a file becomes a part of its dataset while others are changing it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from evergreen.cloud.lake import UploadNotFetchedError
from evergreen.cloud.part_judging import (
    PATIENCE_SECONDS,
    Demands,
    Judged,
    Parts,
    UploadedFile,
    beside,
    demands_of,
    fetched,
    judge,
    judgement,
    other_parts,
    still_holds,
)
from evergreen.cloud.part_records import schema_of_part
from evergreen.cloud.runtime import Message, Stage
from evergreen.contracts.objects import UploadedObject
from evergreen.data.refusal import Reason
from evergreen.data.schema import SchemaConflictError, unify
from evergreen.registry.catalogue import Agree, ContendedError, DatasetVersion, Part
from evergreen.registry.ports import RecordTooLargeError


class PartRefusedError(Exception):
    """A file is not taken; `reasons` as JSON values."""

    def __init__(self, reasons: list[dict[str, Any]]) -> None:
        self.reasons = reasons
        super().__init__("; ".join(str(reason["message"]) for reason in reasons))


def take_part(
    stage: Stage, message: Message, file: UploadedFile, at: datetime
) -> tuple[Parts, DatasetVersion]:
    """The parts that are other ones by a file that is judged `at` a time, and the new version.

    What it was judged by may change meanwhile: the keys of other parts, the rows in quarantine, the
    declaration. Then it is judged anew. Other parts change with it where only all together can have
    the types that are declared now. Raises PartRefusedError; ContendedError if there is no end.
    """
    place = (file.project, file.dataset)
    began = time.monotonic()
    judged: Judged | None = None
    together = False
    while True:
        version = stage.catalogue.dataset(*place)
        parts = version.parts if version else {}
        # A waiver that has ended does not hold again for a message that comes late.
        moment = max(at, judged_at(parts[file.key])) if file.key in parts else at
        demands = demands_of(stage, place, moment, file.uploaded)
        try:
            judged = _judged(stage, message, file, demands, parts, judged)
            taken = {file.key: judged.part}
            if version and _adds_nothing(judged.part) and file.key not in parts:
                return taken, version
            if together:
                taken |= _others_anew(stage, message, place, moment, {**parts, **taken})
            agree = _agreement(stage, judged, file.key, parts, together=together)
            version = stage.catalogue.put_parts(*place, taken, agree)
        except RecordTooLargeError as error:
            said = (
                f"dataset '{file.dataset}' has {len(parts):,} files, and its record holds no more; "
                "upload fewer and larger ones, or begin another dataset"
            )
            raise PartRefusedError([Reason("too_many_parts", said).to_plain()]) from error
        except ContendedError:
            if time.monotonic() - began > PATIENCE_SECONDS:
                raise
            continue
        except SchemaConflictError as error:
            if together:
                reason = Reason("type_changed", str(error), error.column)
                raise PartRefusedError([reason.to_plain()]) from error
            together = True
            continue
        if demands_of(stage, place, moment, file.uploaded).identity == demands.identity:
            return {key: version.parts[key] for key in taken if key in version.parts}, version


def stale_parts(
    stage: Stage, place: tuple[str, str], moment: datetime, parts: Parts
) -> Iterator[tuple[str, str]]:
    """The keys of the parts that would be judged otherwise at a moment, and by what.

    The newest first, so that of rows with the same key those that came first stay; repairs after
    what they repair. `parts` may change on the way.
    """
    newest = sorted(parts, key=lambda key: str(parts[key]["uploaded"]), reverse=True)
    for key in sorted(newest, key=lambda key: "repairs" in parts[key]):
        part = parts[key]
        demands = demands_of(stage, place, moment, uploaded_at(part))
        others = other_parts(parts, key, part["content"])
        now = judgement(stage, part, part["content"], demands, others)
        if part["judged"] != now:
            yield key, now


def source_of(stage: Stage, part: Part) -> UploadedObject:
    """The upload that a part was made of."""
    bucket, version = stage.settings["UPLOADS_BUCKET"], part["version_id"]
    return UploadedObject(bucket, part["key"], version, "", part.get("sequencer", ""))


def judged_at(part: Part) -> datetime:
    """The moment by which a part was judged."""
    return datetime.fromisoformat(part["judged_at"] if "judged_at" in part else part["uploaded"])


def uploaded_at(part: Part) -> datetime:
    """When the upload came that a part was made of."""
    return datetime.fromisoformat(part["uploaded"])


def _judged(
    stage: Stage,
    message: Message,
    file: UploadedFile,
    demands: Demands,
    parts: Parts,
    before: Judged | None = None,
) -> Judged:
    """What the file is now: what it was `before` if nothing speaks against that."""
    if before:
        others = other_parts(parts, file.key, file.content)
        if still_holds(stage, before, demands, others, file.source.parent):
            return replace(before, beside=beside(before.part, demands, others))
    judged = judge(stage, message, file, demands, parts)
    if "refused" in judged.part:
        raise PartRefusedError(judged.part["refused"])
    return judged


def _others_anew(
    stage: Stage, message: Message, place: tuple[str, str], moment: datetime, parts: dict[str, Part]
) -> dict[str, Part]:
    """The other parts that are judged by an older declaration, as they are by this one.

    Those that it refuses stay as they are.
    """
    anew: dict[str, Part] = {}
    for key, _ in stale_parts(stage, place, moment, parts):
        uploaded = uploaded_at(parts[key])
        try:
            with fetched(stage, place, source_of(stage, parts[key]), uploaded) as file:
                demands = demands_of(stage, place, moment, uploaded)
                parts[key] = anew[key] = _judged(stage, message, file, demands, parts).part
        except (PartRefusedError, UploadNotFetchedError):
            continue
    return anew


def _agreement(stage: Stage, judged: Judged, key: str, seen: Parts, *, together: bool) -> Agree:
    """Whether a part, judged when the dataset had the parts `seen`, may be put into it.

    ContendedError: something that matters has changed since. SchemaConflictError: nothing has, and
    no table holds the rows of all parts.
    """

    def agree(before: Parts, after: Parts) -> None:
        unchanged = _ids(before) == _ids(seen)
        others = other_parts(before, key, judged.part["content"])
        if beside(judged.part, judged.demands, others) != judged.beside:
            raise ContendedError(f"{key} was judged beside other parts than there are now")
        if together and not unchanged:
            raise ContendedError(f"{key} was judged together with parts that have changed")
        try:
            unify(schema_of_part(stage, part) for part in after.values())
        except SchemaConflictError as error:
            if unchanged:
                raise
            raise ContendedError(f"{key} does not fit what came meanwhile") from error

    return agree


def _adds_nothing(part: Part) -> bool:
    return "repairs" in part and not part["rows"]


def _ids(parts: Parts) -> Mapping[str, str]:
    return {key: str(part["part"]) for key, part in parts.items()}
