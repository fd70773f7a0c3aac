"""`register_project` takes a project file or says why not, whatever was uploaded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evergreen.cloud.bus import MAXIMUM_DETAIL_BYTES
from evergreen.cloud.lake import UploadGoneError
from evergreen.contracts.facts import ProjectChanged, ProjectRefused
from evergreen.contracts.objects import UploadedObject
from tests.unit.functions.conftest import Function

SMALLEST = "project: p\ndataset: d\ntarget: t\n"


@pytest.fixture
def upload(
    function: Callable[[str], Function], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Function]:
    """Upload a project file (None: it was deleted again); the function that was woken by it."""
    registered = function("register_project")

    def put(content: str | None) -> Function:
        def fetch(upload: UploadedObject, path: Path, _: int) -> Path:
            if content is None:
                raise UploadGoneError(f"{upload.key} was deleted before it could be read")
            path.write_text(content)
            return path

        monkeypatch.setattr(registered.app, "fetch_upload", fetch)
        subject: dict[str, Any] = {"key": "projects/p/project.yaml", "version-id": "v"}
        detail = {"bucket": {"name": "uploads"}, "object": subject}
        assert registered.take({"id": "e", "detail-type": "Object Created", "detail": detail}) == []
        return registered

    return put


def test_a_valid_file_is_recorded_and_said(upload: Callable[..., Function]) -> None:
    registered = upload(SMALLEST)
    (said,) = registered.said
    assert isinstance(said, ProjectChanged)
    assert registered.catalogue.project_file("p")


def test_a_file_that_was_deleted_before_it_was_read_is_refused(
    upload: Callable[..., Function],
) -> None:
    (said,) = upload(None).said
    assert isinstance(said, ProjectRefused)
    assert "was deleted" in said.summary


@pytest.mark.parametrize(
    "mistakes",
    [
        "".join(f"   column_with_a_name_{i}: {{typ: number}}\n" for i in range(3000)),
        "".join(f"   same: {i}\n" for i in range(9000)),
    ],
    ids=["a typo in each column", "one key again and again"],
)
def test_however_much_is_wrong_it_fits_one_event(
    upload: Callable[..., Function], mistakes: str
) -> None:
    registered = upload(f"{SMALLEST}data:\n d:\n  columns:\n{mistakes}")
    (event,) = registered.bus.events
    assert isinstance(event.fact, ProjectRefused)
    assert event.fact.problems[0].startswith("line ")
    assert len(event.detail().encode()) < MAXIMUM_DETAIL_BYTES
