"""Bootstrap intervals: repeatable, as wide as theory says, silent where they cannot know."""

from __future__ import annotations

import time

import numpy as np
import pytest

from evergreen.evaluation.intervals import measure
from evergreen.evaluation.metric_choice import metrics_for
from evergreen.evaluation.resampling import resample_weights


def coin(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows that a model gets right four times of five."""
    chance = np.random.default_rng(seed)
    right = chance.random(rows) < 0.8
    target = chance.integers(0, 2, rows)
    said = np.where(right, target, 1 - target)
    return target, np.column_stack([1 - said, said]).astype(np.float64)


def test_every_resample_draws_as_many_rows_as_there_are() -> None:
    blocks = list(resample_weights(70_000, seed=1, resamples=7))
    weights = np.concatenate(blocks)
    assert len(blocks) > 1
    assert weights.shape == (7, 70_000)
    assert (weights.sum(axis=1) == 70_000).all()
    # A row is left out of a resample with probability 1/e.
    assert np.mean(weights == 0) == pytest.approx(np.exp(-1), abs=0.005)


def test_equal_seeds_draw_equal_resamples_and_others_do_not() -> None:
    first, again, other = (np.concatenate(list(resample_weights(50, seed))) for seed in (1, 1, 2))
    assert (first == again).all()
    assert not (first == other).all()


def test_without_rows_nothing_is_drawn_and_nothing_measured() -> None:
    assert list(resample_weights(0, seed=1)) == []
    assert measure(["accuracy"], np.empty(0, dtype=int), np.empty((0, 2)), seed=1) == {}


def test_the_interval_of_a_share_is_as_wide_as_the_binomial_says() -> None:
    found = measure(["accuracy"], *coin(2_000, seed=3), seed=1)["accuracy"]
    width = 2 * 1.96 * np.sqrt(0.8 * 0.2 / 2_000)
    assert found.upper - found.lower == pytest.approx(width, rel=0.15)
    assert found.lower < found.value < found.upper


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    held = [
        found.lower <= 0.8 <= found.upper
        for found in (
            measure(["accuracy"], *coin(200, seed), seed=seed)["accuracy"] for seed in range(200)
        )
    ]
    # 95 % of 200, give or take three standard errors and a percentile bootstrap's shortness.
    assert 0.89 <= np.mean(held) <= 0.99


def test_a_metric_that_most_resamples_leave_undefined_is_left_out() -> None:
    target = np.zeros(60, dtype=int)
    target[0] = 1
    predictions = np.column_stack([np.linspace(0.9, 0.1, 60), np.linspace(0.1, 0.9, 60)])
    found = measure(["roc_auc", "accuracy"], target, predictions, seed=1)
    # The one positive row is drawn in 63 % of the resamples; a row that is not there, in none.
    assert set(found) == {"roc_auc", "accuracy"}
    assert set(measure(["roc_auc", "accuracy"], target * 0, predictions, seed=1)) == {"accuracy"}


def test_all_metrics_of_ten_thousand_rows_take_about_a_second() -> None:
    chance = np.random.default_rng(1)
    predictions = chance.dirichlet(np.ones(2), size=10_000)
    started = time.process_time()
    measure(metrics_for("binary"), chance.integers(0, 2, 10_000), predictions, seed=1)
    # Measured 0.3 to 0.6; a machine with busy neighbours gets its share.
    assert time.process_time() - started < 2.5
