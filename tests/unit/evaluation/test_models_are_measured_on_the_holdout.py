"""Agreement, null model, calibration and slices: what an evaluation is made of, and its record."""

from __future__ import annotations

import json

import numpy as np
import pytest

from evergreen.evaluation.agreement import agreement
from evergreen.evaluation.baseline import null_predictions
from evergreen.evaluation.calibration import reliability
from evergreen.evaluation.evaluation import Evaluation, evaluate
from evergreen.evaluation.slices import worst_slices
from evergreen.features.signature import Task
from tests.unit.training.sets import training_set


def guesses(rows: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(2), size=rows)


def both_classes(positive: np.ndarray) -> np.ndarray:
    return np.column_stack([1 - positive, positive])


def test_equal_probabilities_agree_up_to_what_32_bit_floats_lose() -> None:
    fitted = guesses(500)
    found = agreement(fitted, fitted.astype(np.float32))
    assert found.agrees
    assert 0 < found.largest_difference < 1e-6


def test_one_row_that_differs_is_enough_to_disagree() -> None:
    fitted = guesses(500)
    graph = fitted.copy()
    graph[499, 1] += 0.001
    found = agreement(fitted, graph)
    assert not found.agrees
    assert found.largest_difference == pytest.approx(0.001)


def test_values_are_compared_relative_to_their_size() -> None:
    fitted = np.linspace(1e6, 1e6 + 10, 50)
    assert agreement(fitted, fitted.astype(np.float32).astype(np.float64)).agrees
    assert not agreement(fitted, fitted * 1.001).agrees


@pytest.mark.parametrize("graph", [np.full((500, 2), np.nan), guesses(499), guesses(500)[:, :1]])
def test_what_is_no_number_or_of_other_rows_agrees_with_nothing(graph: np.ndarray) -> None:
    found = agreement(guesses(500), graph)
    assert not found.agrees
    json.dumps(found.largest_difference, allow_nan=False)


def test_the_null_model_knows_the_shares_or_the_mean() -> None:
    assert null_predictions(np.array([0, 0, 2, 0]), 3, rows=2).tolist() == [[0.75, 0, 0.25]] * 2
    assert null_predictions(np.array([1.0, 3.0]), 0, rows=3).tolist() == [2.0, 2.0, 2.0]


def test_honest_probabilities_have_hardly_any_calibration_error() -> None:
    chance = np.random.default_rng(1)
    positive = chance.random(20_000)
    target = (chance.random(20_000) < positive).astype(int)
    found = reliability(target, both_classes(positive))
    assert found.expected_error < 0.02
    assert sum(each.rows for each in found.bins) == 20_000
    confidences = [each.confidence for each in found.bins]
    assert confidences == sorted(confidences)


def test_boasting_is_measured_as_what_it_is() -> None:
    target = (np.random.default_rng(1).random(10_000) < 0.6).astype(int)
    found = reliability(target, both_classes(np.full(10_000, 0.9)))
    assert len(found.bins) == 1
    assert found.expected_error == pytest.approx(0.3, abs=0.02)


def test_a_rare_event_still_gets_ten_bins() -> None:
    positive = np.random.default_rng(1).random(5_000) * 0.01
    assert len(reliability(np.zeros(5_000, dtype=int), both_classes(positive)).bins) == 10


def test_of_several_classes_the_chosen_one_is_judged() -> None:
    probabilities = np.tile([0.2, 0.7, 0.1], (100, 1))
    target = np.array([1] * 70 + [0] * 30)
    found = reliability(target, probabilities)
    assert found.bins[0].confidence == pytest.approx(0.7)
    assert found.expected_error == pytest.approx(0.0, abs=1e-9)


def test_the_part_of_the_rows_that_is_served_worst_comes_first() -> None:
    rows = training_set(Task.BINARY, rows=2_000)
    right = both_classes(np.where(rows.target == 1, 0.9, 0.1))
    south = rows.rows.categories[:, 0] == "south"
    right[south] = right[south][:, ::-1]
    found = worst_slices(rows.signature, rows.rows, rows.target, right, "accuracy", seed=1)
    assert found[0].name == "region = south"
    assert found[0].value == 0.0
    assert found[0].rows == south.sum()
    assert [each.value for each in found] == sorted(each.value for each in found)


def test_the_worst_number_range_and_what_is_missing_are_slices_too() -> None:
    rows = training_set(Task.REGRESSION, rows=2_000)
    predictions = rows.target.copy()
    age = rows.rows.numbers[:, 0]
    predictions[np.isnan(age)] += 500
    found = worst_slices(rows.signature, rows.rows, rows.target, predictions, "mae", seed=1)
    assert found[0].name == "age missing"
    quartiles = {each.name for each in found if each.name.startswith("income from")}
    assert quartiles


def test_a_small_part_says_nothing_and_the_whole_is_no_part() -> None:
    rows = training_set(Task.BINARY, rows=40)
    predictions = guesses(40)
    assert worst_slices(rows.signature, rows.rows, rows.target, predictions, "accuracy", 1) == ()


@pytest.mark.parametrize("task", list(Task))
def test_an_evaluation_survives_its_record(task: Task) -> None:
    rows = training_set(task)
    held = int(rows.holdout.sum())
    classes = len(rows.signature.classes)
    chance = np.random.default_rng(1)
    predictions = (
        chance.dirichlet(np.ones(classes), size=held) if classes else chance.normal(size=held)
    )
    found = evaluate(rows, predictions, predictions, 1234, seed=1)
    plain = json.dumps(found.to_plain(), allow_nan=False)
    assert Evaluation.from_plain(json.loads(plain)) == found
    assert evaluate(rows, predictions, predictions, 1234, seed=1) == found
    assert found.rows == held
    assert found.agreement.agrees


def test_only_the_rows_held_out_are_measured_and_only_the_others_make_the_null_model() -> None:
    rows = training_set(Task.BINARY)
    perfect = both_classes(rows.target[rows.holdout].astype(float))
    found = evaluate(rows, perfect, perfect, 1, seed=1)
    assert found.metrics["accuracy"].value == 1.0
    share = rows.target[~rows.holdout].mean()
    held = rows.target[rows.holdout]
    assert found.baseline["brier"] == pytest.approx(np.mean((held - share) ** 2))
