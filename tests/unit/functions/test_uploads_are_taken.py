"""`ingest_upload` takes files one by one, each held against the dataset so far."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Thread
from typing import Any

import pytest

from evergreen.cloud import part_judging
from evergreen.contracts.facts import DatasetIngested, UploadQuarantined
from evergreen.registry.catalogue import Catalogue
from evergreen.registry.ports import RecordTooLargeError
from tests.unit.functions.conftest import Function
from tests.unit.functions.uploading import Uploads

ROWS = "id,colour\n" + "".join(f"{i},{'red' if i % 2 else 'blue'}\n" for i in range(60))


@pytest.fixture
def uploads(function: Callable[[str], Function], monkeypatch: pytest.MonkeyPatch) -> Uploads:
    return Uploads(function("ingest_upload"), monkeypatch)


def test_a_second_part_is_held_against_the_first(uploads: Uploads) -> None:
    uploads.put("uploads/p/d/1.csv", ROWS)
    uploads.put("uploads/p/d/2.csv", ROWS.replace("red", "green"))
    first, second = uploads.said(DatasetIngested)
    assert first.warnings == ()
    assert second.warnings == ("column 'colour' has new categories: 'green' (30)",)


def test_a_replaced_part_is_not_held_against_itself(uploads: Uploads) -> None:
    uploads.put("uploads/p/d/1.csv", ROWS)
    uploads.put("uploads/p/d/1.csv", ROWS.replace("red", "green"))
    assert uploads.said(DatasetIngested)[-1].warnings == ()


def test_the_same_bytes_again_change_nothing(uploads: Uploads) -> None:
    for _ in range(2):
        uploads.put("uploads/p/d/1.csv", ROWS)
    first, second = uploads.said(DatasetIngested)
    assert first == second


def test_the_same_bytes_under_another_key_add_no_row(uploads: Uploads) -> None:
    for key in ("1", "2"):
        uploads.put(f"uploads/p/d/{key}.csv", ROWS)
    first, second = uploads.said(DatasetIngested)
    assert first.version == second.version
    version = uploads.ingest.catalogue.dataset("p", "d")
    assert version
    assert (version.rows, len(version.part_ids), len(version.parts)) == (60, 1, 2)
    assert len(uploads.rows()) == 60


def test_the_same_bytes_under_two_keys_at_once_are_a_part_under_both(
    uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest, second = part_judging.ingest, uploads.event("uploads/p/d/2.csv", ROWS)
    others: list[Thread] = []

    def meanwhile(*arguments: Any, **named: Any) -> Any:
        if not others:
            others.append(Thread(target=uploads.take, args=[second]))
            others[0].start()
            time.sleep(0.1)  # The other worker finds the work in progress.
        return ingest(*arguments, **named)

    monkeypatch.setattr(part_judging, "ingest", meanwhile)
    uploads.put("uploads/p/d/1.csv", ROWS)
    others[0].join()

    version = uploads.ingest.catalogue.dataset("p", "d")
    assert version
    assert sorted(version.parts) == ["uploads/p/d/1.csv", "uploads/p/d/2.csv"]
    assert version.rows == 60


def test_a_worker_that_never_finishes_is_not_waited_for_without_end(
    uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = uploads.event("uploads/p/d/2.csv", ROWS)
    failed: list[list[str]] = []

    def never(*_: Any, **__: Any) -> Any:
        monkeypatch.setattr(part_judging, "PATIENCE_SECONDS", 0.01)
        failed.append(uploads.ingest.take(event))
        raise KeyboardInterrupt

    monkeypatch.setattr(part_judging, "ingest", never)
    with pytest.raises(KeyboardInterrupt):
        uploads.put("uploads/p/d/1.csv", ROWS)

    assert failed == [["m0"]]


def test_the_record_of_a_dataset_stays_small_however_wide_its_parts_are(uploads: Uploads) -> None:
    names = [f"a column of a wide table, number {n}" for n in range(200)]
    for key in (1, 2):
        rows = (",".join(str(key + i * n) for n in range(200)) for i in range(3))
        uploads.put(f"uploads/p/d/{key}.csv", "\n".join([",".join(names), *rows]))
    record = uploads.ingest.table.get("PROJECT#p", "DATASET#d")
    assert record
    assert len(record.body["parts"]) == 2
    assert len(str(record.body)) < 2_000


def test_a_file_too_many_for_its_dataset_is_refused_and_others_are_not(
    uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploads.put("uploads/p/d/1.csv", ROWS)
    put_parts = Catalogue.put_parts

    def full(catalogue: Catalogue, project: str, dataset: str, *others: Any) -> Any:
        if dataset == "d":
            raise RecordTooLargeError
        return put_parts(catalogue, project, dataset, *others)

    monkeypatch.setattr(Catalogue, "put_parts", full)
    uploads.put("uploads/p/d/2.csv", ROWS)
    uploads.put("uploads/p/e/2.csv", ROWS)
    (refused,) = uploads.said(UploadQuarantined)
    assert refused.reasons[0].startswith("dataset 'd' has 1 files, and its record holds no more")
    assert [fact.dataset for fact in uploads.said(DatasetIngested)] == ["d", "e"]
