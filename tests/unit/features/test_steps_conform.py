"""What every kind of step promises, whatever it does; a new kind is caught by being listed."""

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from textwrap import indent
from typing import Any

import pytest

from evergreen.contracts.preparation_steps import Step
from evergreen.contracts.project_file import Preparation, ProjectFile
from evergreen.contracts.project_reading import read_project_file
from evergreen.data.engine import connect, identifier
from evergreen.features.refusal import PreparationRefusedError
from evergreen.features.steps import STEPS, run_steps
from evergreen.features.workbench import ROW, Table, Workbench

ROWS = """
    SELECT i AS n, i % 5 AS k, i % 4 AS id, CASE WHEN i % 4 > 0 THEN (i * 7) % 10 END AS v,
        'c' || (i % 3) AS word, TIMESTAMP '2024-01-01' + to_hours(CAST(i * 5 AS BIGINT)) AS at,
        CASE WHEN i = 30 THEN 'many' ELSE CAST(i AS VARCHAR) END AS typed,
        i AS "evergreen.row", i % 2 = 0 AS y
    FROM range(40) r(i)
"""
SHOP = """
    SELECT i % 4 AS id, i AS size, 'x' AS label,
        TIMESTAMP '2024-01-01' + to_hours(CAST(i * 9 AS BIGINT)) AS opened, i AS "evergreen.row"
    FROM range(12) r(i)
"""

COUNT = {"some": "count", "total": {"sum": "size"}}

EXAMPLES: dict[str, list[dict[str, Any]]] = {
    "join": [
        {"dataset": "shop", "on": {"k": "id"}},
        {"dataset": "shop", "on": {"k": "id"}, "as_of": {"time": "at", "event": "opened"}},
    ],
    "derive": [{"a": "n + 1", "v": "v * 2"}],
    "filter": ["n > 10"],
    "drop": [["v"]],
    "keep": [["v", "n"]],
    "deduplicate": ["rows", ["k", "word"], {"by": ["k"], "keep": "last", "order": "at"}],
    "fill": [{"v": 0, "word": "none"}, {"v": {"previous_in": "at", "by": ["k"]}}],
    "clip": [{"v": {"min": 1, "max": 5.5}}],
    "aggregate": [
        {"dataset": "shop", "by": {"k": "id"}, "columns": COUNT},
        {
            "dataset": "shop",
            "by": {"k": "id"},
            "columns": COUNT,
            "as_of": {"time": "at", "event": "opened"},
        },
        {"by": ["k"], "columns": {"y": {"last": "y"}, "mean": {"mean": "v"}}, "order": "at"},
    ],
    "window": [
        {"time": "at", "by": ["k"], "columns": {"before": "count", "last_v": {"last": "v"}}},
        {"time": "at", "columns": {"w": {"distinct": "word"}}, "within": "1 day", "rows": 3},
        {
            "dataset": "shop",
            "by": {"k": "id"},
            "time": "at",
            "event": "opened",
            "known": "opened",
            "columns": COUNT,
        },
    ],
    "features": [["visits"]],
    "dates": [{"at": ["year", "day_of_week", "hour_cyclic"]}],
    "sql": [
        "SELECT * FROM rows WHERE n < 20",
        {
            "query": "SELECT r.*, s.n AS shops FROM rows r LEFT JOIN "
            "(SELECT id, count(*) AS n FROM shop GROUP BY ALL) s ON s.id = r.k",
            "datasets": ["shop"],
        },
    ],
}

BAD: dict[str, tuple[Any, str | None, str | None]] = {
    "join": ({"dataset": "shop", "on": {"k": "label"}}, "k", None),
    "derive": ({"fine": "1", "t": "CAST(typed AS INTEGER)"}, "t", "many"),
    "filter": ("CAST(typed AS INTEGER) > 1", None, "many"),
    "drop": (["vv"], "vv", None),
    "keep": (["vv"], "vv", None),
    "deduplicate": ({"order": "vv"}, "vv", None),
    "fill": ({"v": "many"}, "v", "many"),
    "clip": ({"word": {"min": 1}}, "word", "c0"),
    "aggregate": (
        {"dataset": "shop", "by": {"k": "id"}, "columns": {"a": {"sum": "label"}}},
        "label",
        "x",
    ),
    "window": ({"time": "word", "columns": {"a": "count"}}, "word", None),
    "features": (["misread"], "label", None),
    "dates": ({"word": ["year"]}, "word", "c0"),
    "sql": ("SELECT CAST(typed AS INTEGER) AS t, y FROM rows", None, "many"),
}
"""A step of each kind that cannot be done: the column and the value that its error names."""

FEATURES = [
    {
        "name": name,
        "dataset": "shop",
        "entity": "id",
        "time": "opened",
        "id": "size",
        "aggregates": {f"{name}_day": {"sum": column, "over": "1 day"}},
    }
    for name, column in (("visits", "size"), ("misread", "label"))
]

ALL = [(kind, each) for kind, examples in EXAMPLES.items() for each in examples]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Workbench]:
    project = ProjectFile.model_validate(
        {"project": "p", "dataset": "d", "target": "y", "features": FEATURES}
    )
    with closing(connect(tmp_path)) as connection:
        connection.execute("SET threads = 1")
        connection.execute(f"CREATE TEMP TABLE dataset_shop AS {SHOP}")
        yield Workbench(connection, project, {"shop": Table.of(connection, "dataset_shop")})


def declaring(bench: Workbench, *steps: Any) -> Workbench:
    preparation = Preparation.model_validate({"steps": list(steps), "time": "at"})
    project = bench.project.model_copy(update={"preparation": preparation})
    return Workbench(bench.connection, project, bench.references)


def run(bench: Workbench, *steps: Any, rows: str = ROWS) -> list[tuple[Any, ...]]:
    """The rows after the steps, in order, with their names first."""
    done = run_steps(declaring(bench, *steps), given(bench, rows))
    columns = ", ".join(identifier(name) for name in done.table.columns)
    found = contents(bench, done.table.name, columns)
    bench.connection.execute(f"DROP TABLE {identifier(done.table.name)}")
    return [tuple(done.table.columns), *found]


def given(bench: Workbench, rows: str = ROWS) -> Table:
    bench.connection.execute(f"CREATE OR REPLACE TEMP TABLE given AS {rows}")
    return Table.of(bench.connection, "given")


def contents(bench: Workbench, table: str, columns: str = "*") -> list[tuple[Any, ...]]:
    return bench.connection.execute(
        f"SELECT {columns} FROM {identifier(table)} ORDER BY {identifier(ROW)}"
    ).fetchall()


def test_every_kind_is_listed_and_has_examples() -> None:
    assert set(STEPS) == set(Step.model_fields) == set(EXAMPLES) == set(BAD)


@pytest.mark.parametrize(("kind", "declared"), ALL)
def test_a_step_leaves_its_input_as_it_is(bench: Workbench, kind: str, declared: Any) -> None:
    table = given(bench)
    before = contents(bench, "given"), contents(bench, "dataset_shop")
    own, step = declaring(bench, {kind: declared}), Step.model_validate({kind: declared})
    for column in step.derive or step.dates or step.fill or step.clip or [None]:
        one = {column: getattr(step, kind)[column]} if column else getattr(step, kind)
        single = step.model_copy(update={kind: one})
        change = STEPS[kind](own, table, single)
        bench.connection.execute(change.query).fetchall()
    assert (contents(bench, "given"), contents(bench, "dataset_shop")) == before


@pytest.mark.parametrize(("kind", "declared"), ALL)
def test_a_step_gives_the_same_again_whatever_the_order_of_the_rows(
    bench: Workbench, kind: str, declared: Any
) -> None:
    step = {kind: declared}
    again = f"SELECT * FROM ({ROWS}) ORDER BY hash(n)"
    assert run(bench, step) == run(bench, step, rows=again)


@pytest.mark.parametrize(("kind", "declared"), ALL)
def test_columns_of_any_name_may_stand_beside(bench: Workbench, kind: str, declared: Any) -> None:
    named = ", ".join(f"'x' AS {identifier(name)}" for name in AWKWARD)
    rows = f"SELECT *, {named} FROM ({ROWS})"
    plain, awkward = run(bench, {kind: declared}), run(bench, {kind: declared}, rows=rows)
    for name in {*plain[0]} & {*awkward[0]}:
        places = plain[0].index(name), awkward[0].index(name)
        assert [row[places[0]] for row in plain] == [row[places[1]] for row in awkward]


AWKWARD = (
    *("t", "m", "seen", "found", "asks", "place", "too_old", "moment", "rows", "reference", "r"),
    *("k0", "s0", "v0", "event", "available", "newest", "groups", "pairs", "each", "until"),
    *("several", "nth", "of", "c", "a", 'say "so"', "select", "Ümlaut; --", "selected", "shop"),
)


@pytest.mark.parametrize(("kind", "declared"), ALL)
def test_a_step_keeps_places_apart_and_out_of_sight(
    bench: Workbench, kind: str, declared: Any
) -> None:
    done = run_steps(declaring(bench, {kind: declared}), given(bench))
    assert ROW not in done.table.columns
    numbered = bench.connection.execute(
        f"SELECT count(*), count(DISTINCT {identifier(ROW)}) FROM {identifier(done.table.name)}"
    ).fetchone()
    assert numbered is not None
    assert numbered[0] == numbered[1]


@pytest.mark.parametrize("kind", STEPS)
def test_a_step_that_cannot_be_done_names_number_kind_column_and_value(
    bench: Workbench, kind: str
) -> None:
    declared, column, value = BAD[kind]
    with pytest.raises(PreparationRefusedError) as caught:
        run(bench, {"filter": "n >= 0"}, {kind: declared})
    error = caught.value
    assert (error.step, error.kind, error.column, error.value) == (2, kind, column, value)
    assert str(error).startswith(f"step 2 ({kind}): ")


@pytest.mark.parametrize("kind", ["derive", "filter", "sql"])
def test_a_value_that_fails_is_found_with_its_row(bench: Workbench, kind: str) -> None:
    declared, _, value = BAD[kind]
    with pytest.raises(PreparationRefusedError) as caught:
        run(bench, {kind: declared})
    assert caught.value.row == 31
    assert f"(row 31: typed = '{value}'" in str(caught.value)


def test_the_page_about_preparation_has_a_valid_example_of_every_kind() -> None:
    page = (Path(__file__).parents[3] / "docs" / "preparation.md").read_text()
    steps = []
    for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL):
        listed = f"preparation:\n  steps:\n{indent(block, '  ')}"
        section = block if block.startswith("preparation:") else listed
        text = f"project: p\ndataset: d\ntarget: y\n{section}"
        steps += read_project_file(text.encode(), "p").preparation.steps
    assert {step.kind for step in steps} == set(STEPS)
