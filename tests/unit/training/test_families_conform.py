"""What every family of models must keep, for every task: the conformance suite."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from evergreen.features.signature import Kind, Task
from evergreen.features.training_set import TrainingSet
from evergreen.serving.graph import ServingGraph
from evergreen.training.export import export
from evergreen.training.families import FAMILIES
from evergreen.training.fit import FittedModel, fit
from evergreen.training.plan import Trial
from evergreen.training.spaces import SPACES
from evergreen.training.trial import run_trial
from tests.unit.training.sets import only, training_set, unseen, with_text

VARIANTS = {
    "linear": {},
    "boosting": {},
    "boosting, target encoded": {"categories": "target"},
    "forest": {"trees": 20},
    "forest of extra trees": {"trees": 20, "kind": "extra"},
}
EVERY = [
    pytest.param(name, task, id=f"{name} {task}")
    for name in VARIANTS
    for task in Task
    if not (task is Task.MULTICLASS and "target" in name)
]


def trial(name: str) -> Trial:
    family = name.split(maxsplit=1)[0].rstrip(",")
    return Trial(0, 0, family, {**SPACES[family].default, **VARIANTS[name]})


def disagreement(fitted: FittedModel, rows: TrainingSet) -> float:
    """Largest difference between graph and model: in probability, or relative to the values."""
    graph = ServingGraph.load(export(fitted), fitted.signature)
    asked = unseen(rows)
    expected, found = fitted.predict(asked), graph.predict(asked)
    assert found.shape == expected.shape
    scale = 1.0 if rows.is_classification else np.maximum(np.abs(expected), np.std(rows.target))
    return float((np.abs(found - expected) / scale).max())


def test_every_family_has_a_space_and_every_space_a_family() -> None:
    assert set(FAMILIES) == set(SPACES)
    assert {name.split()[0].rstrip(",") for name in VARIANTS} == set(FAMILIES)


@pytest.mark.parametrize(("name", "task"), EVERY)
def test_the_graph_answers_as_the_model_does_whatever_is_asked(name: str, task: Task) -> None:
    rows = training_set(task)
    assert disagreement(fit(rows, trial(name), seed=3), rows) < 1e-4


@pytest.mark.parametrize("kind", [Kind.NUMBER, Kind.CATEGORY])
@pytest.mark.parametrize(("name", "task"), EVERY)
def test_columns_of_one_kind_are_enough(name: str, task: Task, kind: Kind) -> None:
    rows = only((kind,), training_set(task))
    assert disagreement(fit(rows, trial(name), seed=3), rows) < 1e-4


@pytest.mark.parametrize("kinds", [(Kind.TEXT,), tuple(Kind)], ids=["alone", "beside others"])
@pytest.mark.parametrize(("name", "task"), EVERY)
def test_weights_of_terms_are_learnt_from_and_answered_alike(
    name: str, task: Task, kinds: tuple[Kind, ...]
) -> None:
    rows = only(kinds, with_text(training_set(task)))
    fitted = fit(rows, trial(name), seed=3)
    assert disagreement(fitted, rows) < 1e-4
    without = replace(rows.rows, numbers=rows.rows.numbers.copy())
    without.numbers[:, -6] = 0
    assert np.abs(fitted.predict(without) - fitted.predict(rows.rows)).max() > 0.01


@pytest.mark.parametrize(("name", "task"), EVERY)
def test_the_same_seed_gives_the_same_bytes_and_other_rows_others(name: str, task: Task) -> None:
    rows = training_set(task)
    first, again = (export(fit(rows, trial(name), seed=3)) for _ in range(2))
    assert hashlib.sha256(first).digest() == hashlib.sha256(again).digest()
    assert export(fit(training_set(task, seed=8), trial(name), seed=3)) != first


@pytest.mark.parametrize(("name", "task"), EVERY)
def test_fitting_changes_nothing_of_its_input(name: str, task: Task) -> None:
    rows, untouched = training_set(task), training_set(task)
    fit(rows, trial(name), seed=3)
    run_trial(rows, trial(name), 3, _metric(task), seed=3)
    assert rows.rows.numbers.tobytes() == untouched.rows.numbers.tobytes()
    assert (rows.rows.categories == untouched.rows.categories).all()
    assert (rows.target == untouched.target).all()


@pytest.mark.parametrize(("name", "task"), EVERY)
def test_every_family_learns_what_there_is_to_learn(name: str, task: Task) -> None:
    metric, least = {
        Task.BINARY: ("roc_auc", 0.85),
        Task.MULTICLASS: ("accuracy", 0.6),
        Task.REGRESSION: ("r2", 0.5),
    }[task]
    result = run_trial(training_set(task), trial(name), 3, metric, seed=3)
    assert result.failed is None
    assert result.mean > least


@pytest.mark.parametrize(("name", "task"), EVERY)
def test_a_column_that_is_missing_everywhere_is_survived(name: str, task: Task) -> None:
    rows = training_set(task)
    rows.rows.numbers[:, 2] = np.nan
    rows.rows.categories[:, 1] = ""
    assert disagreement(fit(rows, trial(name), seed=3), rows) < 1e-4


@pytest.mark.parametrize("name", ["linear", "boosting", "forest"])
def test_a_class_that_is_only_held_out_gets_no_probability(name: str) -> None:
    rows = training_set(Task.MULTICLASS)
    learnable = ~rows.holdout & (rows.target == 1)
    rows.target[learnable] = 0
    fitted = fit(rows, trial(name), seed=3)
    predictions = fitted.predict(rows.rows)
    assert predictions.shape == (len(rows), 3)
    assert (predictions[:, 1] == 0).all()
    assert disagreement(fitted, rows) < 1e-4


def _metric(task: Task) -> str:
    return "rmse" if task is Task.REGRESSION else "log_loss"
