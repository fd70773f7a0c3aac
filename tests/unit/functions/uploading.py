"""Uploads to `ingest_upload`, from a bucket in memory."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import pytest

from evergreen.contracts.events import Event, event_id
from evergreen.contracts.facts import Fact, ProjectChanged
from evergreen.contracts.objects import UploadedObject
from evergreen.contracts.project_file import ProjectFile
from evergreen.registry.identity import part_key, part_repairable_key
from tests.unit.data.uploads import read
from tests.unit.functions.conftest import Function

F = TypeVar("F", bound=Fact)


@dataclass
class Uploads:
    """The uploads bucket, versioned, and the function that it wakes."""

    ingest: Function
    patch: pytest.MonkeyPatch
    versions: dict[tuple[str, str], bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.patch.setattr("evergreen.cloud.part_judging.fetch_upload", self._fetch)
        self.patch.setenv("UPLOADS_BUCKET", "uploads")

    def _fetch(self, upload: UploadedObject, path: Path, _: int) -> Path:
        path.write_bytes(self.versions[upload.key, str(upload.version_id)])
        return path

    def put(self, key: str, content: str | bytes, at: str = "2026-01-01T00:00:00Z") -> None:
        """Upload a file and have it taken."""
        self.take(self.event(key, content, at))

    def event(
        self, key: str, content: str | bytes, at: str = "2026-01-01T00:00:00Z"
    ) -> dict[str, Any]:
        """Upload a file; the event that says so."""
        version = f"v{len(self.versions) + 1}"
        self.versions[key, version] = content.encode() if isinstance(content, str) else content
        sequencer = f"{len(self.versions):016X}"
        subject = {"key": key, "version-id": version, "etag": version, "sequencer": sequencer}
        return {
            "id": version,
            "time": at,
            "detail-type": "Object Created",
            "detail": {"bucket": {"name": "uploads"}, "object": subject},
        }

    def take(self, event: dict[str, Any]) -> None:
        """Deliver an event; fails if the function does."""
        assert self.ingest.take(event) == []

    def rows(self, dataset: str = "d", project: str = "p") -> list[tuple[Any, ...]]:
        """The rows of a dataset's newest version, sorted."""
        version = self.ingest.catalogue.dataset(project, dataset)
        parts = version.part_ids if version else ()
        found = []
        for part in parts:
            with tempfile.TemporaryDirectory() as directory:
                path = self.ingest.lake.fetch(part_key(part), Path(directory, "rows.parquet"))
                found += read(path)
        return sorted(found, key=str)

    def repairable(self, key: str, dataset: str = "d", project: str = "p") -> str:
        """What the quarantine of an upload offers to be repaired."""
        version = self.ingest.catalogue.dataset(project, dataset)
        assert version
        part = str(version.parts[key]["part"])
        return self.ingest.lake.read(part_repairable_key(part)).decode()

    def declare(self, section: dict[str, Any], project: str = "p", dataset: str = "d") -> None:
        """Register a project file that declares a dataset, and have the change heard."""
        file = {"project": project, "dataset": "other", "target": "t", "data": {dataset: section}}
        read = ProjectFile.model_validate(file)
        digest, sections = self.ingest.catalogue.change_project(read)
        fact = ProjectChanged(project=project, file_digest=digest, sections=sections)
        said = Event(fact, event_id(digest, fact), "c", datetime(2026, 1, 2, tzinfo=UTC))
        assert self.ingest.hear(said) == []

    def said(self, kind: type[F]) -> list[F]:
        """The facts of a kind, in order."""
        return [fact for fact in self.ingest.said if isinstance(fact, kind)]
