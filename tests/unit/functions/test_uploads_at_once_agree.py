"""Files that are taken at the same moment become what they would have become one after another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from threading import Barrier, Lock, Thread
from typing import Any

import pytest

from evergreen.cloud import part_judging
from evergreen.contracts.facts import DatasetIngested, RowsReplayed, UploadQuarantined
from tests.unit.functions.conftest import Function
from tests.unit.functions.uploading import Uploads

FILES = 20


@pytest.fixture
def uploads(function: Callable[[str], Function], monkeypatch: pytest.MonkeyPatch) -> Uploads:
    return Uploads(function("ingest_upload"), monkeypatch)


class Crowd:
    """Files that are all about to be read before the first is; how often each was read."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._ingest = part_judging.ingest
        self._barrier = Barrier(1)
        self._lock = Lock()
        self.read: Counter[str] = Counter()
        patch.setattr(part_judging, "ingest", self)

    def __call__(self, source: Any, name: str, *arguments: Any, **named: Any) -> Any:
        with self._lock:
            self.read[name] += 1
            first = self.read[name] == 1
        if first:
            self._barrier.wait(60)
        return self._ingest(source, name, *arguments, **named)

    def deliver(self, uploads: Uploads, events: Sequence[dict[str, Any]]) -> None:
        """Give each event to a worker of its own; fails if one of them does."""
        self._barrier = Barrier(len(events))
        failed: list[str] = []
        threads = [
            Thread(target=lambda event=event: failed.extend(uploads.ingest.take(event)))
            for event in events
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(300)
        self._barrier = Barrier(1)
        assert failed == []


def own_rows(n: int, more: str = "") -> str:
    return "id,x\n" + "".join(f"{n * 100 + i},{i}\n" for i in range(10)) + more


def quarantined(uploads: Uploads) -> int:
    version = uploads.ingest.catalogue.dataset("p", "d")
    assert version
    return sum(part["quarantined_rows"] for part in version.parts.values())


def test_of_rows_with_the_same_key_in_many_files_at_once_one_is_kept(
    uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploads.declare({"constraints": [{"unique": "id"}], "most_bad_rows": 1})
    events = [
        # A key that all have, and one that only the next file has too.
        uploads.event(
            f"uploads/p/d/{n}.csv", own_rows(n, f"77777,{n}\n{(n + 1) % FILES * 100},9\n")
        )
        for n in range(FILES)
    ]
    crowd = Crowd(monkeypatch)
    crowd.deliver(uploads, events)

    ids = [row[0] for row in uploads.rows()]
    wanted = {n * 100 + i for n in range(FILES) for i in range(10)} | {77777}
    assert sorted(ids) == sorted(wanted)
    assert len(ids) + quarantined(uploads) == FILES * 12
    assert {fact.key for fact in uploads.said(DatasetIngested)} == {
        f"uploads/p/d/{n}.csv" for n in range(FILES)
    }
    # Again only for each key that another has taken meanwhile, not for each file.
    assert max(crowd.read.values()) <= 1 + 3


def test_a_key_that_refuses_files_refuses_all_but_one_of_those_at_once(
    uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploads.declare({"key": "id", "anomalies": {"duplicate_key": "refuse"}})
    events = [uploads.event(f"uploads/p/d/{n}.csv", own_rows(n, f"77777,{n}\n")) for n in range(6)]
    Crowd(monkeypatch).deliver(uploads, events)

    assert Counter(row[0] for row in uploads.rows())[77777] == 1
    assert len(uploads.rows()) == 11
    refused = uploads.said(UploadQuarantined)
    assert len(refused) == 5
    assert all("repeats the key 'id'" in fact.reasons[1] for fact in refused)


def test_a_key_that_warns_is_said_of_files_at_once(
    uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploads.declare({"key": "id"})
    events = [uploads.event(f"uploads/p/d/{n}.csv", own_rows(n, f"77777,{n}\n")) for n in range(4)]
    Crowd(monkeypatch).deliver(uploads, events)

    said = [warning for fact in uploads.said(DatasetIngested) for warning in fact.warnings]
    assert said.count("1 row(s) repeat the key 'id' of another row") == 3


@pytest.mark.parametrize("declared", [{"constraints": [{"unique": "id"}]}, {}])
def test_files_at_once_that_share_no_key_are_read_once(
    uploads: Uploads, monkeypatch: pytest.MonkeyPatch, declared: dict[str, Any]
) -> None:
    uploads.declare(declared)
    events = [uploads.event(f"uploads/p/d/{n}.csv", own_rows(n)) for n in range(FILES)]
    crowd = Crowd(monkeypatch)
    crowd.deliver(uploads, events)

    assert len(uploads.rows()) == FILES * 10
    assert set(crowd.read.values()) == {1}


def test_without_a_declared_key_nothing_looks_at_the_keys_of_other_parts(
    uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(part_judging, "share_keys", None)
    monkeypatch.setattr(part_judging, "fetch_part", None)
    events = [uploads.event(f"uploads/p/d/{n}.csv", own_rows(n, "7,7\n")) for n in range(5)]
    Crowd(monkeypatch).deliver(uploads, events)

    assert len(uploads.rows()) == 5 * 11


def test_the_newest_bytes_of_a_name_stay_whichever_are_read_last(
    uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (uploads.event("uploads/p/d/a.csv", own_rows(n)) for n in (1, 2))
    ingest = part_judging.ingest

    def overtaken(*arguments: Any, **named: Any) -> Any:
        made = ingest(*arguments, **named)
        if named["origin"].version_id == "v1":
            uploads.take(second)
        return made

    monkeypatch.setattr(part_judging, "ingest", overtaken)
    uploads.take(first)

    assert {row[0] // 100 for row in uploads.rows()} == {2}
    uploads.take(first)  # Redelivered, hours later.
    assert {row[0] // 100 for row in uploads.rows()} == {2}
    assert {fact.version for fact in uploads.said(DatasetIngested)} == {
        uploads.said(DatasetIngested)[0].version
    }
    # Of labels, what was said and then replaced is known as well.
    assert len(uploads.ingest.catalogue.parts_ever("p", "d")) == 2


def test_equal_bytes_that_come_back_are_the_newest_ones(uploads: Uploads) -> None:
    one, other, again = (uploads.event("uploads/p/d/a.csv", own_rows(n)) for n in (1, 2, 1))
    for event in (one, again, other):
        uploads.take(event)
    assert {row[0] // 100 for row in uploads.rows()} == {1}


def test_sequencers_of_different_lengths_are_compared_as_s3_says(uploads: Uploads) -> None:
    for n, sequencer in [(1, "55AE"), (2, "55AD90"), (3, "55AE01"), (4, "55ae00")]:
        event = uploads.event("uploads/p/d/a.csv", own_rows(n))
        event["detail"]["object"]["sequencer"] = sequencer
        uploads.take(event)
    assert {row[0] // 100 for row in uploads.rows()} == {3}


def test_files_at_once_cannot_give_a_column_two_types(
    uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = [
        uploads.event("uploads/p/d/1.csv", "id,x\n" + "1,2\n" * 40),
        uploads.event("uploads/p/d/2.csv", "id,x\n" + "1,two\n" * 40),
    ]
    Crowd(monkeypatch).deliver(uploads, events)

    (refused,) = uploads.said(UploadQuarantined)
    assert "column 'x'" in refused.reasons[0]
    uploads.put("uploads/p/d/3.csv", "id,new\n5,6\n")
    assert len(uploads.rows()) == 41


def test_a_file_is_judged_by_what_was_declared_while_it_was_read(
    uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest, declared = part_judging.ingest, list[bool]()

    def meanwhile(*arguments: Any, **named: Any) -> Any:
        made = ingest(*arguments, **named)
        if not declared:
            declared.append(True)
            uploads.declare({"constraints": [{"column": "x", "range": [0, 8]}]})
        return made

    monkeypatch.setattr(part_judging, "ingest", meanwhile)
    uploads.put("uploads/p/d/1.csv", own_rows(1))

    assert len(uploads.rows()) == 9
    assert quarantined(uploads) == 1


def test_a_repair_of_an_upload_that_is_replaced_meanwhile_is_refused(
    uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploads.declare({"columns": {"x": {"type": "integer"}}})
    uploads.put("uploads/p/d/1.csv", own_rows(1, "199,bad\n"))
    offered = uploads.repairable("uploads/p/d/1.csv").replace(",bad,", ",5,")
    ingest, replaced = part_judging.ingest, list[bool]()

    def meanwhile(*arguments: Any, **named: Any) -> Any:
        made = ingest(*arguments, **named)
        if not replaced:
            replaced.append(True)
            uploads.put("uploads/p/d/1.csv", own_rows(1, "199,7\n"))
        return made

    monkeypatch.setattr(part_judging, "ingest", meanwhile)
    uploads.put("uploads/p/d/fixed.csv", offered)

    assert [row for row in uploads.rows() if row[0] == 199] == [(199, 7)]
    assert uploads.said(RowsReplayed) == []
    assert "was replaced since" in uploads.said(UploadQuarantined)[-1].reasons[0]


def test_repaired_rows_that_go_with_their_upload_hold_no_key(uploads: Uploads) -> None:
    uploads.declare({"columns": {"x": {"type": "integer"}}, "constraints": [{"unique": "id"}]})
    uploads.put("uploads/p/d/1.csv", own_rows(1, "199,bad\n"))
    offered = uploads.repairable("uploads/p/d/1.csv").replace(",bad,", ",5,")
    uploads.put("uploads/p/d/fixed.csv", offered)
    uploads.put("uploads/p/d/1.csv", own_rows(1, "199,7\n"))
    assert [row for row in uploads.rows() if row[0] == 199] == [(199, 7)]
    assert quarantined(uploads) == 0


def test_a_key_that_goes_while_a_file_is_read_is_free(
    uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploads.declare({"columns": {"x": {"type": "integer"}}, "constraints": [{"unique": "id"}]})
    uploads.put("uploads/p/d/1.csv", own_rows(1, "199,bad\n"))
    offered = uploads.repairable("uploads/p/d/1.csv").replace(",bad,", ",5,")
    uploads.put("uploads/p/d/fixed.csv", offered)
    ingest, replaced = part_judging.ingest, list[bool]()

    def meanwhile(*arguments: Any, **named: Any) -> Any:
        made = ingest(*arguments, **named)
        if not replaced:
            replaced.append(True)
            uploads.put("uploads/p/d/1.csv", own_rows(1))
        return made

    monkeypatch.setattr(part_judging, "ingest", meanwhile)
    uploads.put("uploads/p/d/2.csv", own_rows(2, "199,4\n"))
    assert [row for row in uploads.rows() if row[0] == 199] == [(199, 4)]
    assert quarantined(uploads) == 0


def test_a_key_holds_beside_another_that_the_other_parts_cannot_have(uploads: Uploads) -> None:
    uploads.declare({"constraints": [{"unique": "id"}]})
    uploads.put("uploads/p/d/1.csv", own_rows(1))
    uploads.declare({"constraints": [{"unique": "id"}, {"unique": "code", "severity": "warn"}]})
    uploads.put(
        "uploads/p/d/2.csv", "id,x,code\n" + "".join(f"{i},1,c{i}\n" for i in range(90, 101))
    )
    assert Counter(row[0] for row in uploads.rows())[100] == 1


def test_a_row_that_lost_its_key_to_another_comes_back_when_that_is_gone(uploads: Uploads) -> None:
    uploads.declare({"constraints": [{"unique": "id"}]})
    uploads.put("uploads/p/d/1.csv", own_rows(1, "777,1\n"))
    uploads.put("uploads/p/d/2.csv", own_rows(2, "777,2\n"))
    offered = uploads.repairable("uploads/p/d/2.csv")
    uploads.put("uploads/p/d/1.csv", own_rows(1))
    uploads.put("uploads/p/d/again.csv", offered)
    assert [row for row in uploads.rows() if row[0] == 777] == [(777, 2)]
