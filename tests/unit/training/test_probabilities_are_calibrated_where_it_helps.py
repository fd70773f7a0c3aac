"""Calibration keeps the order, lowers the loss, is left out where it is noise, and is exported."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from evergreen.evaluation.agreement import agreement
from evergreen.evaluation.metrics import METRICS
from evergreen.features.signature import Task
from evergreen.serving.graph import ServingGraph
from evergreen.training.calibration import Calibration, fit_calibration, helpful_calibration
from evergreen.training.export import export
from evergreen.training.fit import fit
from evergreen.training.plan import Trial
from evergreen.training.spaces import SPACES
from tests.unit.training.sets import training_set


def log_odds(probabilities: np.ndarray) -> np.ndarray:
    return np.asarray(np.log(probabilities[:, 1]) - np.log(probabilities[:, 0]))


def boastful(rows: int = 3_000, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities whose log-odds are three times what is true; target; fold of each row."""
    chance = np.random.default_rng(seed)
    odds = chance.normal(size=rows)
    target = (chance.random(rows) < 1 / (1 + np.exp(-odds))).astype(np.int64)
    said = 1 / (1 + np.exp(-3 * odds - 0.5))
    return np.column_stack([1 - said, said]), target, np.arange(rows) % 3


def test_for_two_classes_it_is_the_sigmoid_of_platt() -> None:
    probabilities, target, _ = boastful()
    found = fit_calibration(probabilities, target)
    assert found is not None
    kept = np.maximum(probabilities, 1e-4)
    independent = LogisticRegression(C=1e9, tol=1e-8).fit(log_odds(kept)[:, None], target)
    assert found.slope == pytest.approx(independent.coef_[0, 0], rel=1e-3)
    assert found.shifts[1] == pytest.approx(independent.intercept_[0], abs=1e-3)
    assert found.slope == pytest.approx(1 / 3, abs=0.05)


def test_it_lowers_the_loss_and_keeps_the_order() -> None:
    probabilities, target, fold = boastful()
    found = helpful_calibration(probabilities, target, fold)
    assert found is not None
    calibrated = found.apply(probabilities)
    assert calibrated.sum(axis=1) == pytest.approx(1)
    loss, area = METRICS["log_loss"].function, METRICS["roc_auc"].function
    assert loss(target, calibrated) < loss(target, probabilities)
    assert area(target, calibrated) == pytest.approx(area(target, probabilities), abs=1e-3)


def test_honest_probabilities_are_left_alone() -> None:
    chance = np.random.default_rng(1)
    positive = chance.random(2_000)
    target = (chance.random(2_000) < positive).astype(np.int64)
    honest = np.column_stack([1 - positive, positive])
    assert helpful_calibration(honest, target, np.arange(2_000) % 3) is None


def test_probabilities_that_mean_the_opposite_are_not_turned_round() -> None:
    probabilities, target, fold = boastful()
    assert helpful_calibration(probabilities, 1 - target, fold) is None


def test_of_several_classes_each_gets_its_shift() -> None:
    chance = np.random.default_rng(1)
    true = chance.dirichlet(np.ones(3), size=5_000)
    target = np.array([chance.choice(3, p=p) for p in true])
    tilted = true * [1.0, 3.0, 0.5]
    found = fit_calibration(tilted / tilted.sum(axis=1, keepdims=True), target)
    assert found is not None
    assert found.slope == pytest.approx(1.0, abs=0.06)
    assert np.exp(found.shifts) == pytest.approx([1, 1 / 3, 2], rel=0.15)


def test_a_calibrated_model_is_exported_with_its_calibration() -> None:
    rows = training_set(Task.BINARY)
    trial = Trial(0, 0, "linear", SPACES["linear"].default)
    plain = replace(fit(rows, trial, seed=1), calibration=None)
    bent = replace(plain, calibration=Calibration(0.4, (0.0, 1.5)))
    graphs = [ServingGraph.load(export(each), each.signature) for each in (plain, bent)]
    straight, curved = (graph.predict(rows.rows) for graph in graphs)
    assert agreement(bent.predict(rows.rows), curved).agrees
    # Nearer to 0 and 1 a 32-bit float has lost the odds.
    inner = (straight > 0.01).all(axis=1)
    assert log_odds(curved[inner]) == pytest.approx(0.4 * log_odds(straight[inner]) + 1.5, abs=1e-3)


def test_a_fit_says_whether_it_is_calibrated() -> None:
    # So many steps learn the noise by heart, and boast of it.
    parameters = {**SPACES["boosting"].default, "iterations": 200, "min_leaf": 5}
    trial = Trial(0, 0, "boosting", parameters)
    found = fit(training_set(Task.BINARY, rows=1_000), trial, seed=1)
    assert found.calibrated
    assert found.calibration is not None
    assert found.calibration.slope < 0.8


def test_too_few_rows_are_not_calibrated_with() -> None:
    trial = Trial(0, 0, "linear", SPACES["linear"].default)
    assert not fit(training_set(Task.BINARY, rows=80), trial, seed=1).calibrated
