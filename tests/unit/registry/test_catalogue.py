"""The catalogue moves from state to state by one function each."""

from collections.abc import Mapping
from typing import Any

import pytest

from evergreen.contracts.project_file import ProjectFile
from evergreen.registry.catalogue import Catalogue
from evergreen.registry.memory import MemoryTable

FILE = ProjectFile(project="credit", dataset="applications", target="status")


@pytest.fixture
def catalogue() -> Catalogue:
    return Catalogue(MemoryTable())


def part(digest: str, rows: int = 10) -> dict[str, object]:
    return {"digest": digest, "rows": rows, "part": f"part-{digest}"}


def test_the_first_project_file_changes_every_section(catalogue: Catalogue) -> None:
    _, sections = catalogue.change_project(FILE)
    assert sections == tuple(FILE.sections())


def test_the_same_project_file_changes_nothing(catalogue: Catalogue) -> None:
    catalogue.change_project(FILE)
    assert catalogue.change_project(FILE)[1] == ()


def test_new_goals_change_the_judgement_only(catalogue: Catalogue) -> None:
    catalogue.change_project(FILE)
    changed = FILE.model_copy(update={"goals": {"roc_auc": 0.9}})
    assert catalogue.change_project(changed)[1] == ("judgement",)


def test_a_new_key_appends_and_an_old_key_replaces(catalogue: Catalogue) -> None:
    catalogue.put_parts("credit", "applications", {"jan.csv": part("a")})
    catalogue.put_parts("credit", "applications", {"feb.csv": part("b")})
    version = catalogue.put_parts("credit", "applications", {"jan.csv": part("c")})
    assert sorted(version.distinct) == ["b", "c"]


def test_the_same_bytes_under_a_new_key_are_the_same_version(catalogue: Catalogue) -> None:
    first = catalogue.put_parts("credit", "applications", {"jan.csv": part("a")})
    again = catalogue.put_parts("credit", "applications", {"copy.csv": part("a")})
    assert (again.version, again.rows) == (first.version, 10)


def test_an_alias_moves_only_from_the_version_that_was_read(catalogue: Catalogue) -> None:
    assert catalogue.move_alias("credit", "champion", {"model": "a"}, expected=0)
    assert not catalogue.move_alias("credit", "champion", {"model": "b"}, expected=0)
    assert catalogue.alias("credit").body["model"] == "a"  # type: ignore[union-attr]


def test_projects_are_listed_once_anything_was_uploaded(catalogue: Catalogue) -> None:
    catalogue.put_parts("credit", "applications", {"jan.csv": part("a")})
    assert catalogue.projects() == ("credit",)


def test_of_two_repairs_at_once_the_last_to_be_noted_counts_both() -> None:
    class Overtaken(MemoryTable):
        """Before the first note is written, another repair comes and is noted."""

        def put(self, pk: str, sk: str, body: Mapping[str, Any], **named: Any) -> bool:
            if sk.startswith("QUARANTINE#") and not late:
                late.append(True)
                catalogue.put_parts("p", "d", {"2": repair("2", "y", "z")})
                catalogue.list_quarantine("p", "d", listed)
            return super().put(pk, sk, body, **named)

    def repair(digest: str, *rows: str) -> dict[str, Any]:
        return part(digest) | {"repairs": {"content": "source", "rows": list(rows)}}

    late: list[bool] = []
    catalogue = Catalogue(Overtaken())
    listed = {"record": "r", "content": "source", "rows": 3}
    catalogue.put_parts("p", "d", {"0": part("0") | {"content": "source"}})
    catalogue.put_parts("p", "d", {"1": repair("1", "x")})
    catalogue.list_quarantine("p", "d", listed)
    found = catalogue.get("p", "QUARANTINE", "r")
    assert found
    assert found["repaired_rows"] == 3
