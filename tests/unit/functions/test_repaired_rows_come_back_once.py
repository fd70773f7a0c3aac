"""Rows in quarantine are downloaded, repaired, uploaded again, and taken exactly once."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Callable
from threading import Thread
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evergreen.contracts.facts import DatasetIngested, RowsReplayed, UploadQuarantined
from evergreen.registry.catalogue import ContendedError
from evergreen.registry.identity import part_replay_key
from tests.unit.functions.conftest import Function
from tests.unit.functions.uploading import Uploads

SOURCE = "uploads/p/d/jan.csv"
ROWS = "id,x,c\n" + "".join(f"{i},{i}.5,good\n" for i in range(40))
BAD = ROWS + "40,low,a\n41,high,b\n42,7\n43,1e400,d\n"
DECLARED = {"columns": {"x": {"type": "number"}}}


@pytest.fixture
def uploads(function: Callable[[str], Function], monkeypatch: pytest.MonkeyPatch) -> Uploads:
    made = Uploads(function("ingest_upload"), monkeypatch)
    made.declare(DECLARED)
    made.put(SOURCE, BAD)
    return made


def repaired(offered: str, **values: dict[str, str]) -> str:
    """The offered rows with the values given by line: `l42={"x": "1"}`; others are left out."""
    rows = list(csv.DictReader(io.StringIO(offered)))
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    for row in rows:
        line = "l" + row["evergreen_row"].rsplit("-", 1)[1]
        if line in values:
            writer.writerow({**row, **values[line]})
    return text.getvalue()


def new_ids(uploads: Uploads) -> list[int]:
    return sorted(row[0] for row in uploads.rows() if row[0] >= 40)


def test_the_quarantine_offers_the_rows_with_their_columns_and_reasons(uploads: Uploads) -> None:
    rows = list(csv.DictReader(io.StringIO(uploads.repairable(SOURCE))))
    assert [(row["id"], row["x"], row["c"]) for row in rows] == [
        ("40", "low", "a"),
        ("41", "high", "b"),
        ("", "", ""),
        ("43", "1e400", "d"),
    ]
    assert rows[0]["evergreen_reasons"] == "line 42, column 'x': 'low' is not a number"
    assert rows[2]["evergreen_raw"] == "42,7"
    assert len({row["evergreen_row"] for row in rows}) == 4
    (listed,) = uploads.ingest.catalogue.newest("p", "QUARANTINE")
    assert (listed["key"], listed["version_id"], listed["rows"]) == (SOURCE, "v1", 4)


FIXED = {"l42": {"x": "1"}, "l43": {"x": "2"}, "l44": {"id": "42", "x": "7", "c": "c"}}


def test_two_repairs_at_once_bring_each_row_back_once(
    uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = repaired(uploads.repairable(SOURCE), **FIXED)
    app, second = uploads.ingest.app, uploads.event("uploads/p/d/again.csv", text)
    ingest, others = app.ingest, list[Thread]()

    def meanwhile(*arguments: Any, **named: Any) -> Any:
        if not others:
            others.append(Thread(target=uploads.take, args=[second]))
            others[0].start()
            time.sleep(0.2)  # The other worker has looked at the dataset as it was.
        return ingest(*arguments, **named)

    monkeypatch.setattr(app, "ingest", meanwhile)
    uploads.put("uploads/p/d/fixed.csv", text)
    others[0].join()

    assert new_ids(uploads) == [40, 41, 42]
    assert sorted(each.taken for each in uploads.said(RowsReplayed)) == [0, 3]


def test_a_dataset_that_changes_at_every_attempt_gives_the_message_back(
    uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    def contended(*_: Any) -> Any:
        raise ContendedError

    monkeypatch.setattr(type(uploads.ingest.catalogue), "put_part", contended)
    event = uploads.event("uploads/p/d/feb.csv", ROWS)

    assert uploads.ingest.take(event) == ["m0"]


def test_repaired_rows_are_taken(uploads: Uploads) -> None:
    uploads.put("uploads/p/d/fixed.csv", repaired(uploads.repairable(SOURCE), **FIXED))
    assert new_ids(uploads) == [40, 41, 42]
    assert (40, 1.0, "a") in uploads.rows()
    (replayed,) = uploads.said(RowsReplayed)
    assert (replayed.repairs, replayed.taken, replayed.still_bad) == (SOURCE, 3, 0)
    record = json.loads(uploads.ingest.lake.read(replayed.record))
    assert record["rows"] == {"42": "taken", "43": "taken", "44": "taken"}
    (listed,) = uploads.ingest.catalogue.newest("p", "QUARANTINE")
    assert (listed["rows"], listed["repaired_rows"]) == (4, 3)


@pytest.mark.parametrize("key", ["uploads/p/d/fixed.csv", "uploads/p/d/again.csv"])
def test_the_same_rows_again_add_nothing(uploads: Uploads, key: str) -> None:
    fixed = repaired(uploads.repairable(SOURCE), **FIXED)
    uploads.put("uploads/p/d/fixed.csv", fixed)
    before = uploads.said(DatasetIngested)[-1].version, uploads.rows()
    uploads.put(key, fixed)
    assert (uploads.said(DatasetIngested)[-1].version, uploads.rows()) == before


def test_a_redelivered_repair_adds_nothing(uploads: Uploads) -> None:
    event = uploads.event("uploads/p/d/fixed.csv", repaired(uploads.repairable(SOURCE), **FIXED))
    for _ in range(3):
        uploads.take(event)
    assert new_ids(uploads) == [40, 41, 42]


def test_rows_that_were_taken_before_are_told(uploads: Uploads) -> None:
    offered = uploads.repairable(SOURCE)
    uploads.put("uploads/p/d/1.csv", repaired(offered, l42={"x": "1"}))
    uploads.put("uploads/p/d/2.csv", repaired(offered, l42={"x": "9"}, l43={"x": "2"}))
    second = uploads.said(RowsReplayed)[-1]
    assert (second.taken, second.taken_before) == (1, 1)
    assert [row for row in uploads.rows() if row[0] >= 40] == [(40, 1.0, "a"), (41, 2.0, "b")]


def test_rows_that_are_still_bad_go_back_under_their_name(uploads: Uploads) -> None:
    uploads.put(
        "uploads/p/d/1.csv",
        repaired(uploads.repairable(SOURCE), l42={"x": "1"}, l43={"x": "tall"}, l44={}),
    )
    (first,) = uploads.said(RowsReplayed)
    assert (first.taken, first.still_bad) == (1, 2)
    again = uploads.repairable("uploads/p/d/1.csv")
    reasons = [row["evergreen_reasons"] for row in csv.DictReader(io.StringIO(again))]
    assert any("'tall' is not a number" in reason for reason in reasons)
    assert any("has no values: fill its columns in" in reason for reason in reasons)
    uploads.put("uploads/p/d/2.csv", repaired(again, l43={"x": "2"}))
    assert new_ids(uploads) == [40, 41]
    # The same row, repaired in the first download, comes too late.
    uploads.put("uploads/p/d/3.csv", repaired(uploads.repairable(SOURCE), l43={"x": "3"}))
    assert uploads.said(RowsReplayed)[-1].taken_before == 1
    assert new_ids(uploads) == [40, 41]


def test_a_replaced_repair_takes_its_rows_anew(uploads: Uploads) -> None:
    offered = uploads.repairable(SOURCE)
    uploads.put("uploads/p/d/1.csv", repaired(offered, l42={"x": "1"}, l43={"x": "2"}))
    uploads.put("uploads/p/d/1.csv", repaired(offered, l42={"x": "5"}))
    assert [row for row in uploads.rows() if row[0] >= 40] == [(40, 5.0, "a")]


def test_repaired_rows_go_when_their_upload_is_replaced(uploads: Uploads) -> None:
    offered = uploads.repairable(SOURCE)
    uploads.put("uploads/p/d/1.csv", repaired(offered, l42={"x": "1"}))
    uploads.put(SOURCE, ROWS + "40,3,a\n")
    assert [row for row in uploads.rows() if row[0] >= 40] == [(40, 3.0, "a")]
    uploads.put("uploads/p/d/2.csv", repaired(offered, l43={"x": "1"}))
    assert "was replaced since" in uploads.said(UploadQuarantined)[-1].reasons[0]


def test_rows_that_were_never_in_quarantine_are_not_taken(uploads: Uploads) -> None:
    offered = repaired(uploads.repairable(SOURCE), l42={"x": "1"}, l43={"x": "2"})
    uploads.put("uploads/p/d/1.csv", offered.replace("-43,", "-7,"))
    (replayed,) = uploads.said(RowsReplayed)
    assert (replayed.taken, replayed.unknown) == (1, 1)
    assert new_ids(uploads) == [40]


def test_rows_of_two_quarantines_are_refused(uploads: Uploads) -> None:
    offered = repaired(uploads.repairable(SOURCE), l42={"x": "1"}, l43={"x": "2"})
    identity = offered.splitlines()[1].split("-")[0]
    uploads.put("uploads/p/d/1.csv", offered.replace(identity, "0" * 32, 1))
    assert "rows of 2 quarantines" in uploads.said(UploadQuarantined)[-1].reasons[0]


def test_a_spreadsheet_may_save_the_repair_in_its_own_way(uploads: Uploads) -> None:
    fixed = repaired(uploads.repairable(SOURCE), **FIXED)
    text = io.StringIO()
    csv.writer(text, delimiter=";", lineterminator="\r\n").writerows(csv.reader(io.StringIO(fixed)))
    uploads.put("uploads/p/d/fixed.csv", text.getvalue().encode("utf-16"))
    assert new_ids(uploads) == [40, 41, 42]


def test_a_repaired_row_may_not_take_the_key_of_another_part(uploads: Uploads) -> None:
    uploads.declare({**DECLARED, "constraints": [{"unique": "id"}]})
    uploads.put(SOURCE, BAD + "5,5,again\n")
    offered = uploads.repairable(SOURCE)
    uploads.put("uploads/p/d/1.csv", repaired(offered, l46={}, l42={"x": "1"}))
    (replayed,) = uploads.said(RowsReplayed)
    assert (replayed.taken, replayed.still_bad) == (1, 1)
    uploads.put("uploads/p/d/2.csv", repaired(offered, l46={"id": "99"}))
    assert new_ids(uploads) == [40, 99]


def test_keys_are_unique_over_the_parts_of_a_dataset(uploads: Uploads) -> None:
    uploads.declare({**DECLARED, "constraints": [{"unique": "id"}], "most_bad_rows": 1})
    uploads.put("uploads/p/d/feb.csv", "id,x,c\n39,1,a\n50,2,b\n51,2,b\n51,3,b\n")
    assert new_ids(uploads) == [50, 51]
    (first, second) = csv.DictReader(io.StringIO(uploads.repairable("uploads/p/d/feb.csv")))
    assert [first["id"], second["id"]] == ["39", "51"]


LINES = st.lists(st.sampled_from(["l42", "l43", "l44", "l45"]), unique=True, min_size=1)
VALUES = st.fixed_dictionaries(
    {"id": st.sampled_from(["40", "41"]), "x": st.sampled_from(["1", "2", "no", ""])}
)


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(files=st.lists(st.dictionaries(LINES.map(lambda ls: ls[0]), VALUES, min_size=1), max_size=4))
def test_whatever_is_uploaded_each_row_is_in_the_dataset_once_at_most(
    function: Callable[[str], Function],
    monkeypatch: pytest.MonkeyPatch,
    files: list[dict[str, dict[str, str]]],
) -> None:
    uploads = Uploads(function("ingest_upload"), monkeypatch)
    uploads.declare(DECLARED)
    uploads.put(SOURCE, BAD)
    offered = uploads.repairable(SOURCE)
    once: set[str] = set()
    for n, fixed in enumerate(files):
        for _ in range(2):
            uploads.put(f"uploads/p/d/{n}.csv", repaired(offered, **fixed))
        once |= {line for line, values in fixed.items() if values["x"] != "no"}
        replayed = uploads.said(RowsReplayed)[-1]
        counts = (replayed.taken, replayed.still_bad, replayed.taken_before, replayed.unknown)
        assert sum(counts) == len(fixed)
        record = json.loads(uploads.ingest.lake.read(replayed.record))
        assert {f"l{place}" for place in record["rows"]} == set(fixed)
    assert len(uploads.rows()) == 40 + len(once)


def test_the_record_of_a_repair_lies_beside_its_quarantine() -> None:
    assert part_replay_key("a") == "quarantine/a/replay.json"


FORMULAS = ("=cmd|'/C calc'!A0", "@SUM(1)", "-x", "+1+1", "'=a", "'it''s'", "-5")


def test_a_quarantine_runs_nothing_in_a_spreadsheet_and_comes_back_as_it_was(
    function: Callable[[str], Function], monkeypatch: pytest.MonkeyPatch
) -> None:
    uploads = Uploads(function("ingest_upload"), monkeypatch)
    uploads.declare(DECLARED)
    names = ["id", "x", "=c"]
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerows([names, *([str(n), "1", "good"] for n in range(40))])
    writer.writerows([str(40 + n), "low", each] for n, each in enumerate(FORMULAS))
    writer.writerow(["=1+1"])
    uploads.put(SOURCE, text.getvalue())
    offered = uploads.repairable(SOURCE)
    cells = [cell for row in csv.reader(io.StringIO(offered)) for cell in row]
    assert "'=c" in cells
    assert [cell for cell in cells if cell[:1] in "=+-@" and cell not in ("", "-5")] == []
    fixed = {f"l{42 + n}": {"x": str(n)} for n in range(len(FORMULAS))}
    uploads.put("uploads/p/d/fixed.csv", repaired(offered, **fixed))
    assert uploads.said(RowsReplayed)[-1].taken == len(FORMULAS)
    assert {row[2] for row in uploads.rows()} == {"good", *FORMULAS}
