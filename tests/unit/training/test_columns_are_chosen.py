"""Columns that say nothing are left aside; columns that say the answer are suspected."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evergreen.features.encoding import Encoded
from evergreen.features.signature import Column, Kind, Task
from evergreen.features.training_set import TrainingSet
from evergreen.training.feature_choice import feature_choice
from evergreen.training.leak_probe import probe
from tests.unit.training.sets import training_set


def with_number(rows: TrainingSet, name: str, values: np.ndarray) -> TrainingSet:
    columns = (*rows.signature.columns, Column(name, Kind.NUMBER))
    numbers = np.column_stack([rows.rows.numbers, values]).astype(np.float32)
    signature = replace(rows.signature, columns=columns)
    return replace(rows, signature=signature, rows=Encoded(numbers, rows.rows.categories))


def with_category(rows: TrainingSet, name: str, values: list[str]) -> TrainingSet:
    columns = (*rows.signature.columns, Column(name, Kind.CATEGORY))
    categories = np.column_stack([rows.rows.categories, np.array(values, dtype=object)])
    signature = replace(rows.signature, columns=columns)
    return replace(rows, signature=signature, rows=Encoded(rows.rows.numbers, categories))


def with_moment(rows: TrainingSet, name: str, parts: np.ndarray) -> TrainingSet:
    columns = (*rows.signature.columns, Column(name, Kind.MOMENT))
    numbers = np.column_stack([rows.rows.numbers, parts]).astype(np.float32)
    signature = replace(rows.signature, columns=columns)
    return replace(rows, signature=signature, rows=Encoded(numbers, rows.rows.categories))


def test_columns_that_describe_rows_are_all_kept() -> None:
    assert feature_choice(training_set(Task.BINARY)) == {}


def test_a_constant_an_empty_and_a_naming_column_are_left_aside_each_with_its_reason() -> None:
    rows = training_set(Task.BINARY)
    rows = with_number(rows, "constant", np.ones(len(rows)))
    rows = with_number(rows, "empty", np.full(len(rows), np.nan))
    rows = with_category(rows, "name", [f"person {i}" for i in range(len(rows))])
    rows = with_category(rows, "blank", [""] * len(rows))
    reasons = feature_choice(rows)
    assert set(reasons) == {"constant", "empty", "name", "blank"}
    assert "one value" in reasons["constant"]
    assert "missing" in reasons["empty"]
    assert "names rows" in reasons["name"]


def test_a_constant_that_is_sometimes_missing_says_something() -> None:
    rows = training_set(Task.BINARY)
    values = np.where(np.arange(len(rows)) % 2, 1.0, np.nan)
    assert feature_choice(with_number(rows, "flag", values)) == {}


def test_a_moment_is_constant_only_if_all_its_parts_are() -> None:
    rows = training_set(Task.BINARY)
    same = np.tile([5.0, 1.0, 2.0, 0.0], (len(rows), 1))
    varied = same.copy()
    varied[:, 2] = np.arange(len(rows)) % 7
    assert set(feature_choice(with_moment(rows, "seen", same))) == {"seen"}
    assert feature_choice(with_moment(rows, "seen", varied)) == {}


@pytest.mark.parametrize("task", list(Task))
def test_honest_columns_are_not_suspected(task: Task) -> None:
    assert probe(training_set(task), seed=1) == ()


@pytest.mark.parametrize("task", list(Task))
def test_a_column_that_knows_the_target_is_suspected_alone(task: Task) -> None:
    rows = training_set(task)
    leaking = with_number(rows, "paid_back", rows.target * 2.0 + 1.0)
    suspects = probe(leaking, seed=1)
    assert [suspect.column for suspect in suspects] == ["paid_back"]
    assert suspects[0].score >= 0.99


def test_a_leak_that_only_shows_in_being_missing_is_found() -> None:
    rows = training_set(Task.BINARY)
    values = np.where(rows.target == 1, np.nan, 4.0)
    assert [s.column for s in probe(with_number(rows, "ended_at", values), seed=1)] == ["ended_at"]


def test_a_leak_among_texts_is_found_whatever_their_order() -> None:
    rows = training_set(Task.BINARY)
    spelled = [("qzar"[i % 4] if target else "bxcm"[i % 4]) for i, target in enumerate(rows.target)]
    assert [s.column for s in probe(with_category(rows, "status", spelled), 1)] == ["status"]


def test_rows_that_are_held_out_are_not_looked_at() -> None:
    rows = training_set(Task.BINARY)
    values = np.where(rows.holdout, rows.target, 0.5)
    assert probe(with_number(rows, "hidden", values), seed=1) == ()


def test_a_target_of_one_value_is_no_reason_to_fail() -> None:
    rows = training_set(Task.BINARY)
    rows.target[:] = 0
    assert probe(rows, seed=1) == ()
