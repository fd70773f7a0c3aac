"""The catalogue: what exists in a project, written by one function per transition."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evergreen.contracts.project_file import ProjectFile
from evergreen.registry.identity import dataset_version, digest_of
from evergreen.registry.ports import Record, Table

PROJECTS = "PROJECTS"
CHAMPION = "champion"
EXPLORATION = "EXPLORATION"
"""The kind of record that says where a dataset's profile and exploration page are."""


Part = Mapping[str, Any]
"""What the catalogue knows of a part: its names, counts, source object and how it was judged."""

Agree = Callable[[Mapping[str, Part], Mapping[str, Part]], None]


class ContendedError(Exception):
    """A record changed under every attempt to write it; a retry can help."""


def _agreed(before: Mapping[str, Part], after: Mapping[str, Part]) -> None:
    """Nothing is against it."""


@dataclass(frozen=True)
class DatasetVersion:
    """A dataset at one moment: its version, and its parts by uploaded key."""

    dataset: str
    version: str
    parts: Mapping[str, Mapping[str, Any]]

    @property
    def distinct(self) -> Mapping[str, Mapping[str, Any]]:
        """The parts by digest: the same rows under two keys are there once."""
        return {str(self.parts[key]["digest"]): self.parts[key] for key in sorted(self.parts)}

    @property
    def part_ids(self) -> tuple[str, ...]:
        """What the distinct parts are called in the lake, sorted."""
        return tuple(sorted({str(part["part"]) for part in self.distinct.values()}))

    @property
    def rows(self) -> int:
        """The rows of the distinct parts."""
        return sum(int(part["rows"]) for part in self.distinct.values())


def project_pk(project: str) -> str:
    """The partition of everything that belongs to a project."""
    return f"PROJECT#{project}"


@dataclass(frozen=True)
class Catalogue:
    """Reads and transitions over the catalogue table."""

    table: Table

    # ---- the project file

    def project_file(self, project: str) -> ProjectFile | None:
        """The newest valid project file."""
        record = self.table.get(project_pk(project), "FILE")
        return ProjectFile.model_validate(record.body["file"]) if record else None

    def change_project(self, file: ProjectFile) -> tuple[str, tuple[str, ...]]:
        """Record a valid project file; its digest and the sections that differ from the last."""
        sections = {name: digest_of(part) for name, part in file.sections().items()}
        digest = digest_of(sections)
        before: Mapping[str, Any] = {}

        def changed(record: Record | None) -> dict[str, Any]:
            nonlocal before
            before = record.body["sections"] if record else {}
            return {"file": file.model_dump(mode="json"), "sections": sections, "digest": digest}

        self._update(project_pk(file.project), "FILE", changed)
        self.list_project(file.project)
        return digest, tuple(name for name in sections if before.get(name) != sections[name])

    def list_project(self, project: str) -> None:
        """Make sure that the project is among those that can be listed."""
        self.table.put(PROJECTS, project, {"project": project}, expected=0)

    def projects(self) -> tuple[str, ...]:
        """All projects that have uploaded anything."""
        return tuple(record.sk for record in self.table.query(PROJECTS))

    # ---- datasets

    def dataset(self, project: str, dataset: str) -> DatasetVersion | None:
        """The newest version of a dataset."""
        record = self.table.get(project_pk(project), f"DATASET#{dataset}")
        return _version(dataset, record) if record else None

    def datasets(self, project: str) -> tuple[DatasetVersion, ...]:
        """The newest version of every dataset of a project."""
        records = self.table.query(project_pk(project), "DATASET#")
        return tuple(_version(record.sk.removeprefix("DATASET#"), record) for record in records)

    def put_parts(
        self, project: str, dataset: str, parts: Mapping[str, Part], agree: Agree = _agreed
    ) -> DatasetVersion:
        """Add or replace the parts that uploaded keys name, together; the newest version.

        An upload that is older than the one in its place changes nothing. A part of repaired rows
        goes when the upload that it repairs does. `agree` is asked before anything is written,
        with the parts as they are and as they would be; what it raises is raised.
        """

        def with_parts(record: Record | None) -> dict[str, Any]:
            before: Mapping[str, Part] = record.body["parts"] if record else {}
            newer = {
                key: dict(part)
                for key, part in parts.items()
                if key not in before or not _is_older(part, before[key])
            }
            if record and not newer:
                return dict(record.body)
            after = staying({**before, **newer})
            agree(before, after)
            version = dataset_version(str(item["digest"]) for item in after.values())
            return {"version": version, "parts": after}

        body = self._update(project_pk(project), f"DATASET#{dataset}", with_parts)
        # What was replaced is still known: of labels, nothing that was said is ever forgotten.
        for part in parts.values():
            self.put(project, f"PART#{dataset}", str(part["digest"]), part)
        self.list_project(project)
        return DatasetVersion(dataset, body["version"], body["parts"])

    def list_quarantine(self, project: str, dataset: str, body: Mapping[str, Any]) -> None:
        """List the refused rows of a part (`record`), with how many of them are back.

        `content` names the upload. They are counted in the dataset as it is when the record is
        written, so that of two repairs at once the last to write counts both.
        """

        def listed(_: Record | None) -> dict[str, Any]:
            version = self.dataset(project, dataset)
            repairs = (
                [part.get("repairs", {}) for part in version.parts.values()] if version else []
            )
            back = [len(r["rows"]) for r in repairs if r.get("content") == body["content"]]
            return {**body, "repaired_rows": sum(back)}

        self._update(project_pk(project), f"QUARANTINE#{body['record']}", listed)

    def parts_ever(self, project: str, dataset: str) -> list[str]:
        """All parts that a dataset ever had, those replaced too, sorted."""
        found = self.newest(project, f"PART#{dataset}", 10_000)
        return sorted({str(part["part"]) for part in found})

    def put_version(self, project: str, version: DatasetVersion, body: Mapping[str, Any]) -> None:
        """Add what became known of a dataset version; the time of its first record stays."""

        def added(record: Record | None) -> dict[str, Any]:
            same = {"dataset": version.dataset, "version": version.version, "rows": version.rows}
            before = dict(record.body) if record else {}
            first = {"at": before["at"]} if "at" in before else {}
            return {**before, **same, "parts": len(version.parts), **body, **first}

        sk = f"DATASETVERSION#{version.dataset}#{version.version}"
        self._update(project_pk(project), sk, added)

    def versions(self, project: str, dataset: str) -> Sequence[Mapping[str, Any]]:
        """The record of each version that a dataset has had, the newest first."""
        prefix = f"DATASETVERSION#{dataset}#"
        found = [record.body for record in self.table.query(project_pk(project), prefix)]
        # A profile may be known a moment before the version that it is of is recorded.
        recorded = [body for body in found if "at" in body]
        return sorted(recorded, key=lambda body: str(body["at"]), reverse=True)

    # ---- models

    def put_model(self, project: str, model: str, body: Mapping[str, Any]) -> None:
        """Add what became known of a model version."""
        self._update(
            project_pk(project),
            f"MODEL#{model}",
            lambda record: {**(record.body if record else {}), **body, "model": model},
        )

    def model(self, project: str, model: str) -> Mapping[str, Any] | None:
        """What is known of a model version."""
        record = self.table.get(project_pk(project), f"MODEL#{model}")
        return record.body if record else None

    def alias(self, project: str, alias: str = CHAMPION) -> Record | None:
        """The pointer itself: its body names the model, its version serves to move it."""
        return self.table.get(project_pk(project), f"ALIAS#{alias}")

    def move_alias(
        self, project: str, alias: str, body: Mapping[str, Any], *, expected: int
    ) -> bool:
        """Point an alias at `body["model"]`, if it was not moved since version `expected`."""
        return self.table.put(project_pk(project), f"ALIAS#{alias}", body, expected=expected)

    # ---- other records of a project

    def put(self, project: str, kind: str, identity: str, body: Mapping[str, Any]) -> None:
        """Write a decision, window or other record of a project (the last write counts)."""
        self._update(project_pk(project), f"{kind}#{identity}", lambda _: dict(body))

    def get(self, project: str, kind: str, identity: str = "") -> Mapping[str, Any] | None:
        """One such record."""
        record = self.table.get(project_pk(project), f"{kind}#{identity}")
        return record.body if record else None

    def retraining(self, project: str) -> Record | None:
        """The last retraining that was asked for; its version serves to ask for the next."""
        return self.table.get(project_pk(project), "RETRAIN")

    def begin_retraining(self, project: str, body: Mapping[str, Any], *, expected: int) -> bool:
        """Note a retraining, if no other began since version `expected` of the record."""
        return self.table.put(project_pk(project), "RETRAIN", body, expected=expected)

    def newest(self, project: str, kind: str, limit: int = 100) -> Sequence[Mapping[str, Any]]:
        """The records of a kind, the last identity first."""
        found = self.table.query(project_pk(project), f"{kind}#", newest_first=True, limit=limit)
        return [record.body for record in found]

    def _update(
        self, pk: str, sk: str, change: Callable[[Record | None], dict[str, Any]]
    ) -> dict[str, Any]:
        for _ in range(50):
            record = self.table.get(pk, sk)
            body = change(record)
            if record and dict(record.body) == body:
                return body
            if self.table.put(pk, sk, body, expected=record.version if record else 0):
                return body
        raise ContendedError(f"{pk} {sk}")


def staying(parts: Mapping[str, Part]) -> dict[str, Part]:
    """The parts without those that repair an upload which is not among them."""
    contents = {part.get("content") for part in parts.values() if not part.get("repairs")}
    return {
        key: part
        for key, part in parts.items()
        if not part.get("repairs") or part["repairs"]["content"] in contents
    }


def _is_older(part: Part, there: Part) -> bool:
    """Whether a part is of an earlier upload of its key than the part that is there.

    S3 has sequencers compared as texts, the shorter one filled with zeros on the right.
    """
    one, other = (str(each.get("sequencer") or "") for each in (part, there))
    if one and other:
        width = max(len(one), len(other))
        return one.upper().ljust(width, "0") < other.upper().ljust(width, "0")
    return str(part.get("uploaded", "")) < str(there.get("uploaded", ""))


def _version(dataset: str, record: Record) -> DatasetVersion:
    return DatasetVersion(dataset, record.body["version"], record.body["parts"])
