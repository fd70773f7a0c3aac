"""Folds and trials: what is judged was not learnt from, and what cannot be learnt is said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evergreen.features.signature import Task
from evergreen.features.training_set import TrainingSet
from evergreen.training.folds import Fold, TrainingImpossibleError, sample, split
from evergreen.training.plan import Trial
from evergreen.training.spaces import SPACES
from evergreen.training.trial import run_trial
from tests.unit.training.sets import training_set

LINEAR = Trial(0, 0, "linear", SPACES["linear"].default)


def judged(folds: tuple[Fold, ...]) -> list[int]:
    return sorted(int(i) for fold in folds for i in fold.judge)


@pytest.mark.parametrize("task", list(Task))
@pytest.mark.parametrize("groups", [0, 30])
def test_every_row_is_judged_once_and_never_learnt_from_at_once(task: Task, groups: int) -> None:
    rows = training_set(task, groups=groups)
    folds = split(rows, 4, seed=1)
    assert len(folds) == 4
    assert judged(folds) == list(range(len(rows)))
    for fold in folds:
        assert not set(fold.learn) & set(fold.judge)


@pytest.mark.parametrize("task", [Task.BINARY, Task.MULTICLASS])
def test_classes_are_spread_evenly_over_folds(task: Task) -> None:
    rows = training_set(task)
    for fold in split(rows, 4, seed=1):
        counts = np.bincount(rows.target[fold.judge])
        assert np.abs(counts - np.bincount(rows.target) / 4).max() <= 1


@pytest.mark.parametrize("task", list(Task))
def test_groups_stay_on_one_side(task: Task) -> None:
    rows = training_set(task, groups=30)
    for fold in split(rows, 4, seed=1):
        assert not set(rows.groups[fold.learn]) & set(rows.groups[fold.judge])


@pytest.mark.parametrize("task", list(Task))
@pytest.mark.parametrize("pairs", [1, 3, 40])
def test_copies_stay_on_one_side_among_rows_that_have_none(task: Task, pairs: int) -> None:
    rows = training_set(task)
    groups = np.arange(len(rows))
    groups[pairs : 2 * pairs] = groups[:pairs]
    folds = split(replace(rows, groups=groups), 4, seed=1)
    assert judged(folds) == list(range(len(rows)))
    for fold in folds:
        assert not set(groups[fold.learn]) & set(groups[fold.judge])
        assert abs(len(fold.judge) - len(rows) / 4) <= pairs + 1


@pytest.mark.parametrize("groups", [0, 300])
def test_ordered_rows_are_judged_from_their_past_only(groups: int) -> None:
    rows = training_set(Task.BINARY, ordered=True, groups=groups)
    folds = split(rows, 4, seed=1)
    assert len(folds) == 4
    for fold in folds:
        assert fold.learn.max() < fold.judge.min()
        if groups:
            assert not set(rows.groups[fold.learn]) & set(rows.groups[fold.judge])


def test_equal_seeds_give_equal_folds_and_others_do_not() -> None:
    rows = training_set(Task.BINARY)
    first, again, other = (split(rows, 3, seed) for seed in (1, 1, 2))
    assert all((a.judge == b.judge).all() for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a.judge, b.judge) for a, b in zip(first, other, strict=True))


def test_fewer_groups_than_folds_make_fewer_folds() -> None:
    assert len(split(training_set(Task.BINARY, groups=3), 8, seed=1)) == 3


@pytest.mark.parametrize("groups", [0, 1])
def test_what_cannot_be_split_is_refused_with_the_reason(groups: int) -> None:
    rows = training_set(Task.BINARY, groups=groups)
    if not groups:
        rows.target[:] = 1
    with pytest.raises(TrainingImpossibleError, match=r"one value of outcome|of one group"):
        split(rows, 4, seed=1)


def test_a_sample_keeps_the_newest_rows_where_there_is_an_order() -> None:
    rows = training_set(Task.REGRESSION, ordered=True)
    assert (sample(rows, 50, seed=1).target == rows.target[-50:]).all()


def test_a_sample_by_lot_keeps_the_order_and_repeats_by_seed() -> None:
    rows = training_set(Task.REGRESSION)
    drawn = sample(rows, 50, seed=1)
    places = [int(np.flatnonzero(rows.target == value)[0]) for value in drawn.target]
    assert places == sorted(places)
    assert len(set(places)) == 50
    assert (sample(rows, 50, seed=1).target == drawn.target).all()
    assert sample(rows, None, seed=1) is rows
    assert sample(rows, len(rows), seed=1) is rows


def test_rows_that_are_held_out_change_no_score() -> None:
    rows = training_set(Task.BINARY)
    numbers = rows.rows.numbers.copy()
    numbers[rows.holdout] = 1e6
    target = np.where(rows.holdout, 1 - rows.target, rows.target)
    other = replace(rows, rows=replace(rows.rows, numbers=numbers), target=target)
    scores = [run_trial(each, LINEAR, 4, "roc_auc", seed=1).scores for each in (rows, other)]
    assert scores[0] == scores[1]


def test_a_trial_is_scored_once_per_fold_and_repeats_by_seed() -> None:
    rows = training_set(Task.BINARY)
    first, again, other = (run_trial(rows, LINEAR, 4, "roc_auc", seed) for seed in (1, 1, 2))
    assert len(first.scores) == 4
    assert first.scores == again.scores != other.scores
    assert first.failed is None
    assert first.seconds > 0


def test_a_cap_on_rows_is_kept_to() -> None:
    rows = training_set(Task.BINARY, rows=2_000)
    capped, whole = (
        run_trial(rows, replace(LINEAR, rows=cap), 4, "roc_auc", seed=1) for cap in (200, None)
    )
    assert capped.standard_error > whole.standard_error


def impossible() -> list[tuple[TrainingSet, str, str]]:
    one_class = training_set(Task.BINARY)
    one_class.target[:] = 1
    infinite = training_set(Task.BINARY)
    infinite.rows.numbers[~infinite.holdout, 1] = np.inf
    unknown = training_set(Task.REGRESSION)
    unknown.target[np.flatnonzero(~unknown.holdout)[0]] = np.nan
    bare = training_set(Task.BINARY)
    bare = bare.with_columns(replace(bare.signature, columns=()))
    void = training_set(Task.BINARY)
    void = void.with_columns(replace(void.signature, columns=void.signature.columns[:4]))
    void.rows.numbers[:] = np.nan
    alone = training_set(Task.REGRESSION, rows=1)
    alone.holdout[:] = False
    return [
        (one_class, "roc_auc", "one value of outcome only"),
        (infinite, "roc_auc", "income has numbers that a 32-bit float cannot hold"),
        (unknown, "rmse", "outcome is missing or infinite in some rows"),
        (bare, "roc_auc", "no column is left"),
        (void, "roc_auc", "every column is empty"),
        (alone, "rmse", "1 rows are too few"),
    ]


@pytest.mark.parametrize("case", range(6))
def test_data_that_teaches_nothing_makes_a_failed_result_that_says_why(case: int) -> None:
    rows, metric, said = impossible()[case]
    result = run_trial(rows, LINEAR, 4, metric, seed=1)
    assert result.scores == ()
    assert said in str(result.failed)


@pytest.mark.parametrize("ordered", [True, False])
def test_rows_that_are_all_copies_of_each_other_are_said_to_be_so(ordered: bool) -> None:  # noqa: FBT001
    rows = training_set(Task.REGRESSION, ordered=ordered, groups=2)
    rows.groups[:] = 3
    result = run_trial(rows, LINEAR, 4, "rmse", seed=1)
    assert "copies of each other, or of one group" in str(result.failed)


def test_a_class_so_rare_that_no_fold_can_judge_it_is_said() -> None:
    rows = training_set(Task.BINARY, ordered=True)
    # The only rows of the other class come first: they can be learnt from, never judged.
    rows.target[:] = 0
    rows.target[:20] = 1
    result = run_trial(rows, LINEAR, 4, "roc_auc", seed=1)
    assert "roc_auc is undefined in every fold" in str(result.failed)


def test_a_fault_of_ours_is_raised_and_not_recorded_as_the_datas() -> None:
    with pytest.raises(KeyError):
        run_trial(training_set(Task.BINARY), replace(LINEAR, parameters={}), 4, "roc_auc", seed=1)
