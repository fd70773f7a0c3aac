"""The exploration page: one small file that runs its own script alone and escapes all data."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from evergreen.data.exploration import Notice, render_exploration
from evergreen.data.join_keys import JoinSuggestion
from evergreen.data.profile import profile
from tests.unit.data.uploads import write_parquet

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
VOID = {"meta", "br", "hr", "img", "input", "link", "path", "rect"}


class Outline(HTMLParser):
    """Tags that are opened and not closed, and everything that could load or run."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.addresses: list[str] = []
        self.handlers: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        self.addresses += [name for name, _ in attrs if name in {"href", "src", "xlink:href"}]
        self.handlers += [name for name, _ in attrs if name.startswith("on")]

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        assert self.open[-1] == tag
        self.open.pop()


def outline(page: str) -> Outline:
    found = Outline()
    found.feed(page)
    found.close()
    assert found.open == []
    assert found.addresses == []
    assert found.handlers == []
    assert found.seen.count("script") == 1
    assert not set(found.seen) & {"link", "iframe", "img", "object"}
    return found


@pytest.fixture
def people(tmp_path: Path) -> Path:
    return write_parquet(
        tmp_path / "people.parquet",
        "SELECT i AS id, i % 3 AS few, CASE WHEN i % 5 > 0 THEN exp(i / 60) END AS income, "
        "'town ' || (i % 9) AS town, DATE '2020-01-01' + (i % 300)::INT AS born, "
        "['low', 'middle', 'high'][1 + i % 3] AS class, i % 3 = 0 AS bought, "
        "NULL::VARCHAR AS void FROM range(600) r(i)",
    )


@pytest.mark.parametrize("target", [None, "bought", "class", "income", "few"])
def test_the_page_is_one_file_that_runs_its_own_script_alone(
    people: Path, target: str | None
) -> None:
    page = render_exploration("p", "people", "ab" * 16, profile([people], target=target))
    found = outline(page)
    assert "svg" in found.seen
    script = re.search(r"<script>(.*)</script>", page, re.DOTALL)
    assert script is not None
    digest = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page
    assert "default-src 'none'" in page
    assert ("What goes with" in page) == (target is not None)


def test_the_same_version_has_the_same_page(people: Path) -> None:
    pages = [
        render_exploration("p", "people", "ab" * 16, profile([people], target="bought"))
        for _ in range(2)
    ]
    assert pages[0] == pages[1]


def test_what_came_with_the_data_is_shown_and_does_nothing(tmp_path: Path) -> None:
    name = EVIL.replace('"', '""')
    text = EVIL.replace("'", "''")
    path = write_parquet(
        tmp_path / "evil.parquet",
        f"""SELECT CASE WHEN i % 3 > 0 THEN '{text}' END AS "{name}", '{text}' || (i % 4) AS b,
        '{text}' || (i % 3) AS "target {name}", i AS "n{name}" FROM range(300) r(i)""",
    )
    page = render_exploration(
        EVIL,
        EVIL,
        EVIL,
        profile([path], target=f"target {EVIL}"),
        notices=[Notice(EVIL, EVIL, EVIL)],
        joins=[JoinSuggestion(EVIL, {EVIL: EVIL}, 0.5, 7)],
    )
    outline(page)
    assert "&lt;script&gt;" in page


def test_a_page_of_two_hundred_columns_is_smaller_than_a_megabyte(tmp_path: Path) -> None:
    columns = ", ".join(
        f"CASE WHEN i % {n % 11 + 5} > 0 THEN (i * {n * 7 + 13} % 997) / {n + 1} END "
        f'AS "a rather long name of a number, {n}", '
        f"'a category with a long name ' || (i * {n + 3} % {n + 10}) "
        f'AS "a rather long name of a category, {n}"'
        for n in range(100)
    )
    path = write_parquet(tmp_path / "wide.parquet", f"SELECT {columns} FROM range(2000) r(i)")
    made = profile([path], target="a rather long name of a category, 3")
    assert len(made.columns) == 200
    page = render_exploration("p", "wide", "ab" * 16, made)
    outline(page)
    assert page.count("<details>") == 200
    assert len(page.encode()) < 1_000_000


def test_a_very_wide_table_says_that_the_page_shows_a_part(tmp_path: Path) -> None:
    columns = ", ".join(f"i + {n} AS c{n}" for n in range(1100))
    path = write_parquet(tmp_path / "wider.parquet", f"SELECT {columns} FROM range(3) r(i)")
    page = render_exploration("p", "wider", "ab" * 16, profile([path]))
    assert "1,000 of 1,100 columns" in page


def test_anomalies_stand_at_the_top(people: Path) -> None:
    notice = Notice("quarantine", "column 'age': 3 values are out of range", "may.csv")
    page = render_exploration("p", "people", "ab" * 16, profile([people]), notices=[notice])
    assert page.index("3 values are out of range") < page.index("Missing values")
    assert "may.csv" in page


def test_an_almost_empty_dataset_has_a_page(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "one.parquet", "SELECT NULL::DOUBLE AS x, 'a' AS y")
    outline(render_exploration("p", "one", "ab" * 16, profile([path], target="y")))


def test_long_names_that_differ_at_their_end_can_be_told_apart(tmp_path: Path) -> None:
    columns = ", ".join(
        f"hash(i * {n + 2}) % 97 AS a_rather_long_name_number_{n}" for n in range(9)
    )
    path = write_parquet(tmp_path / "wide.parquet", f"SELECT {columns} FROM range(200) r(i)")
    page = render_exploration("p", "d", "v", profile([path]))
    (heat,) = re.findall(r'<svg class="heat".*?</svg>', page)
    labels = re.findall(r'text-anchor="end">([^<]*)<', heat)
    assert len(labels) == len(set(labels)) == 9


def test_one_row_and_one_column_are_not_many(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "one.parquet", "SELECT 1 AS a, NULL::INTEGER AS b")
    page = render_exploration("p", "d", "v", profile([path]))
    assert "1 row of 2 columns" in page
    assert "1 column has gaps, most in b" in page


def test_a_column_that_is_one_group_is_not_drawn(tmp_path: Path) -> None:
    path = write_parquet(
        tmp_path / "texts.parquet",
        "SELECT 'a text of its own, number ' || i AS note, i % 3 AS v, i % 2 = 0 AS y "
        "FROM range(300) r(i)",
    )
    page = render_exploration("p", "d", "v", profile([path], target="y"))
    drawn = re.findall(r"<figure><figcaption><b>([^<]*)</b>", page)
    assert drawn == ["y", "v"]
