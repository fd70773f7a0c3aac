"""Rows without a target stay in the prepared table; what the model asked for judges nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest

from evergreen.contracts.project_file import ProjectFile
from evergreen.features.preparation import Prepared, prepare

ROWS = (
    "SELECT i AS id, {x} AS x, {more} CASE WHEN i < 100 THEN i % 2 = 0 END AS y "
    "FROM range(400) r(i)"
)
LABELS = "SELECT i AS id, i % 2 = 0 AS y, '{chosen}' AS chosen_by FROM range({first}, {after}) r(i)"


def prepared(
    directory: Path, *labels: str, rows: str = ROWS.format(x="i * 3", more=""), **declared: Any
) -> tuple[Prepared, Path]:
    queries = {"rows": [rows], "said": labels}
    with duckdb.connect() as connection:
        datasets = {}
        for name, parts in queries.items():
            datasets[name] = [directory / f"{name}{n}.parquet" for n in range(len(parts))]
            for path, query in zip(datasets[name], parts, strict=True):
                connection.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")
    project = ProjectFile.model_validate(
        {"project": "p", "dataset": "rows", "target": "y", "preparation": declared}
        | ({"labelling": {"dataset": "said", "key": ["id"]}} if labels else {})
    )
    table = directory / "table.parquet"
    return prepare(project, datasets, seed=1, table=table), table


def read(table: Path, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect() as connection:
        return connection.execute(query.format(table=f"'{table}'")).fetchall()


def test_they_stand_behind_the_others_and_are_on_neither_side(tmp_path: Path) -> None:
    made, table = prepared(tmp_path)
    assert (len(made.training_set), made.dropped_without_target) == (100, 300)
    found = read(table, "SELECT count(*), count(y), count(holdout) FROM {table}")
    assert found == [(400, 100, 100)]
    assert read(table, "FROM {table} SELECT y IS NULL OFFSET 99 LIMIT 2") == [(False,), (True,)]
    assert any("300 rows have no value of 'y': they are kept" in note for note in made.notes)


def test_their_key_is_written_even_where_the_steps_drop_it(tmp_path: Path) -> None:
    labels = LABELS.format(chosen="random", first=100, after=150)
    made, table = prepared(tmp_path, labels, steps=[{"drop": ["id"]}, {"filter": "x % 7 < 3"}])
    keys = read(table, 'SELECT "evergreen.key.id", x FROM {table} WHERE y IS NULL')
    assert [int(key) * 3 for key, _ in keys] == [x for _, x in keys]
    assert min(int(key) for key, _ in keys) >= 150
    assert made.annotated is not None
    assert made.annotated.labelled == 50
    assert len(made.training_set) == sum(i * 3 % 7 < 3 for i in range(150))


def test_rows_labelled_at_random_are_held_out_like_all_others(tmp_path: Path) -> None:
    labels = LABELS.format(chosen="random", first=100, after=400)
    assert prepared(tmp_path, labels)[0].training_set.holdout.sum() == 80


def test_rows_chosen_by_uncertainty_are_learned_from_and_never_held_out(tmp_path: Path) -> None:
    labels = LABELS.format(chosen="uncertainty", first=100, after=400)
    made, table = prepared(tmp_path, labels, steps=[{"keep": ["id", "x"]}])
    assert len(made.training_set) == 400
    assert read(table, "SELECT max(id) < 100 FROM {table} WHERE holdout") == [(True,)]
    assert any("are not held out" in note for note in made.notes)


@pytest.mark.parametrize(
    ("x", "more", "declared"),
    [
        ("i * 3", "DATE '2020-01-01' + i::INT AS day,", {"time": "day"}),
        ("i * 3", "i // 4 AS g,", {"group": "g"}),
        ("i // 4", "", {}),
    ],
)
def test_what_belongs_with_rows_that_are_held_out_is_not_learned_from_either(
    tmp_path: Path, x: str, more: str, declared: dict[str, Any]
) -> None:
    usual = LABELS.format(chosen="random", first=100, after=400)
    chosen = LABELS.format(chosen="uncertainty", first=100, after=400) + " WHERE i % 4 = 1"
    rows = ROWS.format(x=x, more=more)
    before = prepared(tmp_path, usual, rows=rows, steps=[{"keep": ["x"]}], **declared)[0]
    made = prepared(tmp_path, usual, chosen, rows=rows, steps=[{"keep": ["x"]}], **declared)[0]
    out = len(before.training_set) - len(made.training_set)
    assert out > 0
    assert out == before.training_set.holdout.sum() - made.training_set.holdout.sum()
    learned, still = (made.training_set.part(holdout=side) for side in (False, True))
    if not declared:
        assert not set(learned.rows.numbers[:, 0]) & set(still.rows.numbers[:, 0])


def test_a_target_may_come_from_labels_alone(tmp_path: Path) -> None:
    labels = LABELS.format(chosen="", first=0, after=60)
    made, _ = prepared(tmp_path, labels, rows="SELECT i AS id, i % 7 AS x FROM range(80) r(i)")
    assert (len(made.training_set), made.dropped_without_target) == (60, 20)
    assert made.training_set.signature.classes == ("false", "true")
