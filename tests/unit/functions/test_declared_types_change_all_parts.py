"""A type that is declared of a column becomes that of all parts, or of none."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from evergreen.contracts.facts import DatasetIngested, UploadQuarantined
from tests.unit.functions.conftest import Function
from tests.unit.functions.uploading import Uploads

AS_TEXT = {"columns": {"id": {"type": "text"}}}


def codes(first: int) -> str:
    return "id,x\n" + "".join(f"{first + i:05},{i}\n" for i in range(20))


@pytest.fixture
def uploads(function: Callable[[str], Function], monkeypatch: pytest.MonkeyPatch) -> Uploads:
    made = Uploads(function("ingest_upload"), monkeypatch)
    made.declare({"columns": {"id": {"type": "integer"}}})
    for n in range(3):
        made.put(f"uploads/p/d/{n}.csv", codes(100 * n))
    return made


def types(uploads: Uploads) -> set[type]:
    return {type(row[0]) for row in uploads.rows()}


@pytest.mark.parametrize("more", [{}, {"constraints": [{"unique": "id"}]}])
def test_all_parts_are_read_anew_together(uploads: Uploads, more: dict[str, object]) -> None:
    assert types(uploads) == {int}
    before = len(uploads.said(DatasetIngested))
    uploads.declare({**AS_TEXT, **more})
    assert types(uploads) == {str}
    assert len(uploads.rows()) == 60
    assert ("00105", 5) in uploads.rows()
    # One version, said once for each part.
    again = uploads.said(DatasetIngested)[before:]
    assert sorted(fact.key for fact in again) == [f"uploads/p/d/{n}.csv" for n in range(3)]
    assert len({fact.version for fact in again}) == 1


def test_a_new_file_finds_a_dataset_that_is_whole(uploads: Uploads) -> None:
    uploads.declare(AS_TEXT)
    uploads.put("uploads/p/d/new.csv", codes(900))
    assert len(uploads.rows()) == 80
    assert uploads.said(UploadQuarantined) == []


def test_rows_in_quarantine_are_kept_for_each_part(uploads: Uploads) -> None:
    uploads.declare({**AS_TEXT, "constraints": [{"row": "id <> '00105'"}]})
    assert len(uploads.rows()) == 59
    (listed,) = uploads.ingest.catalogue.newest("p", "QUARANTINE")
    assert (listed["key"], listed["rows"]) == ("uploads/p/d/1.csv", 1)


def test_a_type_that_one_part_cannot_have_changes_none(uploads: Uploads) -> None:
    uploads.declare(AS_TEXT)
    uploads.put("uploads/p/d/1.csv", codes(100).replace("001", "oo1"))
    uploads.declare({"columns": {"id": {"type": "integer"}}})
    assert types(uploads) == {str}
    assert len(uploads.rows()) == 60
    refused = {fact.key: fact.reasons[0] for fact in uploads.said(UploadQuarantined)}
    assert "'oo100' in line 2 is not a whole number" in refused["uploads/p/d/1.csv"]
    for n in (0, 2):
        assert refused[f"uploads/p/d/{n}.csv"].startswith(
            "column 'id' is integer in one part and text in another"
        )
    # Replaced by one that can, it takes the others with it.
    uploads.put("uploads/p/d/1.csv", codes(100))
    assert types(uploads) == {int}
    assert len(uploads.rows()) == 60
