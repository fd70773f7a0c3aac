"""The day after a waiver the schedule finds it, and its rule decides on the rows that are there."""

from __future__ import annotations

from typing import Any

PROJECT = """\
project: waived
dataset: other
target: bought
data:
  people:
    constraints: [{column: age, range: [0, 60]}]
    waivers: [{constraint: 'range:age', author: ada, reason: a slip, until: 2026-01-31}]
"""
ROWS = "id,age\n" + "".join(f"{i},{20 + i}\n" for i in range(45))


def test_parts_that_were_judged_while_a_waiver_held_are_judged_anew(person: Any) -> None:
    person.upload("uploads/waived/people/jan.csv", ROWS)
    person.wait_for("waived", "DatasetIngested")
    # As if it had been declared, and the file judged, in January.
    record = person.table.get("PROJECT#waived", "DATASET#people")
    for part in record.body["parts"].values():
        part["judged_at"] = "2026-01-20T10:00:00+00:00"
    body = {**record.body, "parts": record.body["parts"]}
    assert person.table.put(record.pk, record.sk, body, expected=record.version)
    from evergreen.contracts.project_reading import read_project_file

    person.catalogue.change_project(read_project_file(PROJECT.encode(), "waived"))

    sqs = person.cloud.client("sqs")
    (queue,) = [url for url in sqs.list_queues()["QueueUrls"] if "SweepQueue" in url]
    for _ in range(2):
        sqs.send_message(QueueUrl=queue, MessageBody='{"detail-type": "Scheduled Event"}')
    ended = person.wait_for("waived", "WaiverEnded")
    assert "the waiver of 'range:age' in 'people' by ada ended" in ended["summary"]
    judged = person.wait_for("waived", "DatasetIngested", count=2)["detail"]
    assert (judged["rows"], judged["quarantined_rows"]) == (41, 4)
    names = [entry["name"] for entry in person.settle("waived")]
    assert (names.count("WaiverEnded"), names.count("DatasetIngested")) == (1, 2)
