"""Rows in quarantine are downloaded, repaired, uploaded again, and taken exactly once."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Callable
from datetime import date, datetime
from threading import Thread
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evergreen.cloud import part_judging, part_taking
from evergreen.contracts.facts import DatasetIngested, RowsReplayed, UploadQuarantined
from evergreen.registry.catalogue import ContendedError
from evergreen.registry.identity import part_replay_key
from tests.unit.data.test_the_quarantine_is_the_same_in_every_format import (
    FORMATS,
    Row,
    Written,
)
from tests.unit.data.workbooks import workbook
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
    second = uploads.event("uploads/p/d/again.csv", text)
    ingest, others = part_judging.ingest, list[Thread]()

    def meanwhile(*arguments: Any, **named: Any) -> Any:
        if not others:
            others.append(Thread(target=uploads.take, args=[second]))
            others[0].start()
            time.sleep(0.2)  # The other worker has looked at the dataset as it was.
        return ingest(*arguments, **named)

    monkeypatch.setattr(part_judging, "ingest", meanwhile)
    uploads.put("uploads/p/d/fixed.csv", text)
    others[0].join()

    assert new_ids(uploads) == [40, 41, 42]
    assert sorted(each.taken for each in uploads.said(RowsReplayed)) == [0, 3]


def test_a_dataset_that_changes_at_every_attempt_gives_the_message_back(
    uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    def contended(*_: Any) -> Any:
        raise ContendedError

    monkeypatch.setattr(type(uploads.ingest.catalogue), "put_parts", contended)
    monkeypatch.setattr(part_taking, "PATIENCE_SECONDS", 0.1)
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


def test_a_redelivered_upload_leaves_the_count_of_its_repaired_rows(uploads: Uploads) -> None:
    event = uploads.event(SOURCE, BAD)
    uploads.take(event)
    uploads.put("uploads/p/d/fixed.csv", repaired(uploads.repairable(SOURCE), **FIXED))
    uploads.take(event)
    (listed,) = uploads.ingest.catalogue.newest("p", "QUARANTINE")
    assert (listed["rows"], listed["repaired_rows"]) == (4, 3)


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


def test_a_repair_may_not_lose_a_column(uploads: Uploads) -> None:
    text = repaired(uploads.repairable(SOURCE), **FIXED)
    kept = ["evergreen_row", "x", "id"]
    rows = [[row[name] for name in kept] for row in csv.DictReader(io.StringIO(text))]
    uploads.put("uploads/p/d/1.csv", "\n".join(",".join(row) for row in [kept, *rows]))
    assert (
        "lacks the column 'c' of the rows that it repairs"
        in (uploads.said(UploadQuarantined)[-1].reasons[0])
    )
    kept = ["X", "c", "evergreen_row", "ID"]
    rows = [
        [row["x"], row["c"], f" {row['evergreen_row']} ", row["id"]]
        for row in csv.DictReader(io.StringIO(text))
    ]
    uploads.put("uploads/p/d/2.csv", "\n".join(",".join(row) for row in [kept, *rows]))
    assert uploads.said(RowsReplayed)[-1].taken == 3


def test_a_column_that_a_repair_adds_is_said(uploads: Uploads) -> None:
    text = repaired(uploads.repairable(SOURCE), **FIXED).replace("evergreen_raw", "remark")
    uploads.put("uploads/p/d/1.csv", text)
    assert uploads.said(DatasetIngested)[-1].warnings == (
        "column 'remark' is new: it is missing in the dataset's other parts",
    )


def test_two_repairs_with_rows_in_common_at_once_bring_all_back_once(uploads: Uploads) -> None:
    uploads.declare({**DECLARED, "most_bad_rows": 1})
    uploads.put(SOURCE, ROWS + "".join(f"{900 + i},bad,a\n" for i in range(8)))
    header, *lines = uploads.repairable(SOURCE).replace(",bad,", ",1,").splitlines()
    pieces = ["\n".join([header, *lines[:5]]), "\n".join([header, *lines[3:]])]
    events = [uploads.event(f"uploads/p/d/{n}.csv", piece) for n, piece in enumerate(pieces)]
    threads = [Thread(target=uploads.take, args=[event]) for event in [*events, *events]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert new_ids(uploads) == [900 + i for i in range(8)]
    listed = uploads.ingest.catalogue.newest("p", "QUARANTINE")
    assert [each["repaired_rows"] for each in listed if each["version_id"] != "v1"][-1:] == [8]


def test_rules_that_change_to_and_fro_leave_each_row_there_once(uploads: Uploads) -> None:
    def within(greatest: int) -> None:
        rule = {"column": "x", "range": [0, greatest]}
        uploads.declare({**DECLARED, "constraints": [rule]})

    def new() -> list[tuple[Any, ...]]:
        return [row for row in uploads.rows() if row[0] >= 900]

    within(100)
    uploads.put(SOURCE, ROWS + "900,101,a\n901,bad,b\n902,500,c\n")
    offered = uploads.repairable(SOURCE)
    fixed = offered.replace(",101,", ",99,").replace(",bad,", ",1,")
    uploads.put("uploads/p/d/1.csv", fixed)
    assert new() == [(900, 99.0, "a"), (901, 1.0, "b")]
    within(200)  # Good as it was: its repair has no row in quarantine to bring back.
    assert new() == [(900, 101.0, "a"), (901, 1.0, "b")]
    fixed = offered.replace(",101,", ",98,").replace(",bad,", ",2,").replace(",500,", ",50,")
    uploads.put("uploads/p/d/2.csv", fixed)
    assert new() == [(900, 101.0, "a"), (901, 1.0, "b"), (902, 50.0, "c")]
    within(100)  # Two repairs are judged by what the other took.
    assert [row[0] for row in new()] == [900, 901, 902]
    assert (900, 101.0, "a") not in new()
    within(60)
    assert new() == [(901, 1.0, "b"), (902, 50.0, "c")]


SHEET = {
    "columns": {
        "code": {"type": "text"},
        "when": {"type": "timestamp", "format": "%d.%m.%Y %H:%M"},
        "day": {"type": "date", "format": "%d/%m/%Y"},
        "x": {"type": "number"},
        "n": {"type": "integer"},
        "ok": {"type": "boolean"},
    }
}


def test_a_workbook_may_have_typed_the_values_of_a_repair_anew(uploads: Uploads) -> None:
    uploads.declare(SHEET, dataset="e")
    good = "".join(
        f"{i:05},{1 + i % 28:02}.01.2026 10:00,{1 + i % 28:02}/02/2026,{i}.5,{i},true\n"
        for i in range(40)
    )
    bad = "00900,31.02.2026 10:00,05/02/2026,7.5,3,no\n00901,05.02.2026 10:00,6/2/26,bad,4.5,true\n"
    uploads.put("uploads/p/e/a.csv", f"code,when,day,x,n,ok\n{good}{bad}")
    offered = csv.DictReader(io.StringIO(uploads.repairable("uploads/p/e/a.csv", "e")))
    moment, day = datetime.fromisoformat("2026-02-05T10:00"), date(2026, 2, 5)
    rows = [
        [row["evergreen_row"], row["code"], moment, day, 7.5, 3, True, row["evergreen_reasons"]]
        for row in offered
    ]
    names = ["evergreen_row", "code", "when", "day", "x", "n", "ok", "evergreen_reasons"]
    uploads.put("uploads/p/e/fixed.xlsx", workbook([names, *rows]))
    (replayed,) = uploads.said(RowsReplayed)
    assert (replayed.taken, replayed.still_bad) == (2, 0)
    assert [row for row in uploads.rows("e") if row[0] >= "00900"] == [
        ("00900", moment, day, 7.5, 3, True),
        ("00901", moment, day, 7.5, 3, True),
    ]


@pytest.mark.parametrize("written", FORMATS.values(), ids=FORMATS.keys())
def test_rows_of_any_format_come_back_as_they_would_have_been(
    uploads: Uploads, written: Callable[[list[Row]], Written]
) -> None:
    notes = ["a", 'say "so"', "two\nlines", "# no note", "-- é", "b;c", "'", "=1+1"]
    rows = [Row(1000 + n, "50", "pad", 0) for n in range(40)]
    rows += [Row(n, "low", note, n % 2) for n, note in enumerate(notes)]
    uploads.declare({"columns": {"x": {"type": "number"}}}, dataset="e")
    uploads.put("uploads/p/e/a", written(rows)[0])
    fixed = uploads.repairable("uploads/p/e/a", "e").replace(",low,", ",5,")
    uploads.put("uploads/p/e/fixed.csv", fixed)
    back = sorted(row for row in uploads.rows("e") if row[0] < 1000)
    assert back == [(n, 5.0, note) for n, note in enumerate(notes)]


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
