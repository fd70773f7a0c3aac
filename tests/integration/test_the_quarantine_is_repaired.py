"""A file with bad rows, repaired from what its quarantine offers, is complete: once."""

from __future__ import annotations

import csv
import io
from typing import Any

from evergreen.registry.identity import part_repairable_key

PROJECT = """\
project: repair
dataset: other
target: bought
data:
  people:
    columns: {age: {type: integer}}
    constraints:
    - {column: age, range: [0, 120]}
"""
ROWS = "id,age\n" + "".join(f"{i},{20 + i % 50}\n" for i in range(60))


def test_rows_in_quarantine_come_back_once(person: Any) -> None:
    person.upload("projects/repair/project.yaml", PROJECT)
    person.wait_for("repair", "ProjectChanged")
    person.upload("uploads/repair/people/jan.csv", ROWS + "60,999\n61,old\n")
    taken = person.wait_for("repair", "DatasetIngested")
    assert (taken["detail"]["rows"], taken["detail"]["quarantined_rows"]) == (60, 2)
    (part,) = person.catalogue.dataset("repair", "people").parts.values()
    offered = person.lake.read(part_repairable_key(part["part"])).decode()
    rows = list(csv.DictReader(io.StringIO(offered)))
    assert [row["age"] for row in rows] == ["999", "old"]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows([{**rows[0], "age": "99"}, {**rows[1], "age": "71"}])
    for name in ("repaired.csv", "again.csv"):
        person.upload(f"uploads/repair/people/{name}", text.getvalue())
    first = person.wait_for("repair", "RowsReplayed")["detail"]
    second = person.wait_for("repair", "RowsReplayed", count=2)["detail"]
    assert sorted([first["taken"], second["taken"]]) == [0, 2]
    assert person.catalogue.dataset("repair", "people").rows == 62


def test_versions_are_compared_over_http(person: Any) -> None:
    person.upload("uploads/versions/people/jan.csv", ROWS)
    person.wait_for("versions", "DatasetIngested")
    person.upload("uploads/versions/people/feb.csv", ROWS.replace("\n1,", "\n100,"))
    person.wait_for("versions", "DatasetIngested", count=2)
    diff = person.ask("/projects/versions/datasets/people/diff")
    assert diff["parts_added"] == ["uploads/versions/people/feb.csv"]
    assert (diff["rows_before"], diff["rows_after"]) == (60, 120)
    assert len(person.ask("/projects/versions/datasets/people/versions")["versions"]) == 2
    (listed,) = person.ask("/projects/versions/datasets")["datasets"]
    assert "people:" in listed["proposal"]
