"""Many files in one moment: a key that several have is taken once, and nothing is lost."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import duckdb

from evergreen.registry.identity import part_key

PROJECT = """\
project: burst
dataset: other
target: bought
data:
  people:
    constraints: [{unique: id}]
"""
FILES, OWN = 12, 40


def content(n: int) -> str:
    """Rows of its own, one that all files have, and one that only the next file has."""
    own = "".join(f"{n * 1000 + i},{i}\n" for i in range(OWN))
    return f"id,x\n{own}77777,{n}\n{(n + 1) % FILES * 1000},{n}\n"


def test_of_rows_with_one_key_in_files_at_once_one_is_kept(person: Any, tmp_path: Path) -> None:
    person.upload("projects/burst/project.yaml", PROJECT)
    person.wait_for("burst", "ProjectChanged")
    names = [f"uploads/burst/people/{n}.csv" for n in range(FILES)]
    with ThreadPoolExecutor(FILES) as pool:
        list(pool.map(person.upload, names, map(content, range(FILES))))
    person.wait_for("burst", "DatasetIngested", count=FILES, seconds=240)

    version = person.catalogue.dataset("burst", "people")
    assert set(version.parts) == set(names)
    files = [person.lake.fetch(part_key(p), tmp_path / f"{p}.parquet") for p in version.part_ids]
    with duckdb.connect() as connection:
        found = connection.execute(
            f"SELECT id FROM read_parquet({[str(file) for file in files]})"
        ).fetchall()
    ids = Counter(row[0] for row in found)
    assert set(ids) == {n * 1000 + i for n in range(FILES) for i in range(OWN)} | {77777}
    assert set(ids.values()) == {1}
    bad = sum(part["quarantined_rows"] for part in version.parts.values())
    assert ids.total() + bad == FILES * (OWN + 2)


def test_of_many_uploads_of_one_name_the_last_stays(person: Any, tmp_path: Path) -> None:
    for n in range(8):
        rows = "".join(f"{n},{i}\n" for i in range(3000 if n % 2 else 5))
        person.upload("uploads/replaced/people/a.csv", f"id,x\n{rows}")
    person.wait_for("replaced", "DatasetIngested", count=8, seconds=240)

    version = person.catalogue.dataset("replaced", "people")
    (part,) = version.part_ids
    file = person.lake.fetch(part_key(part), tmp_path / "rows.parquet")
    with duckdb.connect() as connection:
        found = connection.execute(f"SELECT DISTINCT id FROM read_parquet('{file}')").fetchall()
    assert found == [(7,)]
