"""Objects that people upload: what a key of the uploads bucket says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


class KeyRefusedError(ValueError):
    """A key of the uploads bucket does not follow the layout; the message says which is meant."""


@dataclass(frozen=True)
class UploadedObject:
    """One version of an object of the uploads bucket. `etag` identifies its content to S3.

    `sequencer` orders the versions of one key, as events do not come in their order.
    """

    bucket: str
    key: str
    version_id: str | None
    etag: str
    sequencer: str = ""

    @staticmethod
    def from_event(event: Mapping[str, Any]) -> UploadedObject:
        """From an EventBridge `Object Created` event, whose keys are raw (not form-encoded)."""
        subject = event["detail"]["object"]
        return UploadedObject(
            bucket=event["detail"]["bucket"]["name"],
            key=subject["key"],
            version_id=subject.get("version-id"),
            etag=subject.get("etag", ""),
            sequencer=subject.get("sequencer", ""),
        )


def _parts(key: str, layout: str, names: int) -> list[str]:
    parts = key.split("/")
    if len(parts) < names + 2 or not parts[-1]:
        raise KeyRefusedError(f"'{key}' does not follow {layout}")
    for name in parts[1 : names + 1]:
        if not _NAME.fullmatch(name):
            raise KeyRefusedError(
                f"'{key}': '{name}' is not a name; use a-z, 0-9, '-' and '_' ({layout})"
            )
    return parts


def project_of_file(key: str) -> str:
    """The project of `projects/<project>/project.yaml`; raises KeyRefusedError."""
    layout = "projects/<project>/project.yaml"
    parts = _parts(key, layout, 1)
    if parts[2:] != ["project.yaml"]:
        raise KeyRefusedError(f"'{key}' does not follow {layout}")
    return parts[1]


def dataset_of_upload(key: str) -> tuple[str, str]:
    """Project and dataset of `uploads/<project>/<dataset>/<file>`; raises KeyRefusedError."""
    parts = _parts(key, "uploads/<project>/<dataset>/<file>", 2)
    return parts[1], parts[2]


def project_of_labels(key: str) -> str:
    """The project of `labels/<project>/<file>`; raises KeyRefusedError."""
    return _parts(key, "labels/<project>/<file>", 1)[1]


def project_of_scoring(key: str) -> str:
    """The project of `scoring/<project>/<file>`; raises KeyRefusedError."""
    return _parts(key, "scoring/<project>/<file>", 1)[1]
