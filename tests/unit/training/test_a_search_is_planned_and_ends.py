"""The plan of a search: what is tried first and next, and why it is over."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evergreen.contracts.project_file import Search
from evergreen.features.signature import Task
from evergreen.training.plan import (
    Ended,
    SearchFailedError,
    Trial,
    TrialResult,
    first_rung,
    leaderboard,
    next_rung,
)
from evergreen.training.spaces import SPACES

PACKAGE = Path(__file__).parents[3] / "layers/evergreen/python"
Score = Callable[[Trial], tuple[float, ...]]


def result(trial: Trial, *scores: float, metric: str = "roc_auc") -> TrialResult:
    return TrialResult(trial, metric, scores, 0.1, None if scores else "too few rows")


def play(search: Search, score: Score, task: str = "binary", seed: int = 5) -> tuple[Any, ...]:
    """Run a whole search with made-up scores: its end, its results, its rungs."""
    rungs = [first_rung(task, search, seed)]
    results: list[TrialResult] = []
    while True:
        results += [result(trial, *score(trial)) for trial in rungs[-1]]
        following = next_rung(results, task, search, seed)
        if isinstance(following, Ended):
            return following, results, rungs
        rungs.append(following)


def noisy(trial: Trial) -> tuple[float, ...]:
    """Different for every configuration, repeatable, about as good for each."""
    digest = sum(map(ord, json.dumps(trial.to_plain()["parameters"]) + trial.family))
    return tuple(0.7 + ((digest * (fold + 3)) % 17) / 1000 for fold in range(4))


def ever_better(trial: Trial) -> tuple[float, ...]:
    return tuple(0.5 + trial.number / 100 + fold / 10_000 for fold in range(4))


def test_the_default_of_every_family_is_tried_first() -> None:
    trials = first_rung("binary", Search(), seed=1)
    assert [trial.family for trial in trials[:3]] == ["linear", "forest", "boosting"]
    for trial in trials[:3]:
        assert trial.parameters == SPACES[trial.family].default
    assert [trial.number for trial in trials] == list(range(len(trials)))
    assert {trial.rows for trial in trials} == {20_000}
    assert {trial.rung for trial in trials} == {0}


@pytest.mark.parametrize("trials", [1, 2])
def test_a_small_budget_is_kept_to(trials: int) -> None:
    search = Search(trials=trials)
    assert len(first_rung("binary", search, seed=1)) == trials
    ended, results, _ = play(search, noisy)
    assert ended.reason == "budget"
    assert len(results) == trials


def test_only_the_families_that_were_asked_for_are_tried() -> None:
    _, results, _ = play(Search(families=["forest"], trials=8), ever_better)
    assert {each.trial.family for each in results} == {"forest"}


def test_a_target_encoder_is_never_tried_for_several_classes() -> None:
    search = Search(families=["boosting"], trials=60)
    tried = {
        task: {
            each.trial.parameters["categories"]
            for seed in range(5)
            for each in play(search, ever_better, task, seed)[1]
        }
        for task in ("binary", "multiclass")
    }
    assert tried == {"binary": {"ordinal", "target"}, "multiclass": {"ordinal"}}


def test_a_goal_that_is_reached_ends_the_search() -> None:
    ended, results, _ = play(Search(stop_at=0.5), ever_better)
    assert ended.reason == "stop_at reached"
    assert len(results) == 6


def test_a_goal_for_a_loss_is_reached_from_above() -> None:
    trial = Trial(0, 0, "linear", SPACES["linear"].default)
    ended = next_rung(
        [result(trial, 0.2, 0.3, metric="log_loss")], "binary", Search(stop_at=0.3), 1
    )
    assert isinstance(ended, Ended)
    assert ended.reason == "stop_at reached"


def test_no_gain_beyond_noise_ends_the_search_before_its_budget() -> None:
    ended, results, rungs = play(Search(trials=100), noisy)
    assert ended.reason == "plateau"
    assert len(results) < 100
    assert len(rungs) >= 2


def test_a_search_that_keeps_gaining_uses_its_budget_and_takes_the_best() -> None:
    ended, results, _ = play(Search(trials=20), ever_better)
    assert ended.reason == "budget"
    assert len(results) == 20
    assert ended.winner.number == 19
    assert ended.leaderboard[0].trial == ended.winner


def test_a_space_that_is_used_up_ends_the_search() -> None:
    values = len(SPACES["linear"].values["strength"])
    ended, results, _ = play(Search(families=["linear"], trials=50), ever_better)
    assert ended.reason == "budget"
    assert len(results) <= values


def test_of_equally_good_families_the_cheapest_wins() -> None:
    trials = first_rung("binary", Search(trials=3), seed=1)
    scores = {"linear": (0.80, 0.84), "forest": (0.82, 0.83), "boosting": (0.70, 0.72)}
    ended = next_rung([result(t, *scores[t.family]) for t in trials], "binary", Search(trials=3), 1)
    assert isinstance(ended, Ended)
    assert ended.leaderboard[0].trial.family == "forest"
    assert ended.winner.family == "linear"


def test_a_family_that_is_surely_better_wins_whatever_it_costs() -> None:
    trials = first_rung("binary", Search(trials=3), seed=1)
    scores = {"linear": (0.80, 0.84), "forest": (0.85, 0.89), "boosting": (0.70, 0.72)}
    ended = next_rung([result(t, *scores[t.family]) for t in trials], "binary", Search(trials=3), 1)
    assert isinstance(ended, Ended)
    assert ended.winner.family == "forest"


def test_failed_trials_come_last_and_hinder_nothing() -> None:
    def half(trial: Trial) -> tuple[float, ...]:
        return () if trial.family == "linear" else noisy(trial)

    ended, _, _ = play(Search(), half)
    assert ended.winner.family != "linear"
    assert [bool(each.failed) for each in ended.leaderboard] == sorted(
        bool(each.failed) for each in ended.leaderboard
    )


def test_a_search_without_a_model_fails_with_its_reasons() -> None:
    with pytest.raises(SearchFailedError, match="too few rows") as raised:
        play(Search(), lambda _: ())
    assert len(raised.value.reasons) == 6


@given(st.integers(0, 2**64), st.permutations(range(6)), st.sampled_from(list(Task)))
@settings(max_examples=30, deadline=None)
def test_the_same_seed_and_results_give_the_same_plan_in_any_order(
    seed: int, order: list[int], task: Task
) -> None:
    search = Search()
    trials = first_rung(task, search, seed)
    assert first_rung(task, search, seed) == trials
    results = [result(trial, *noisy(trial)) for trial in trials]
    shuffled = [replace(results[i], seconds=float(i)) for i in order]
    assert next_rung(shuffled, task, search, seed) == next_rung(results, task, search, seed)


@given(st.integers(0, 2**32), st.integers(1, 40))
@settings(max_examples=30, deadline=None)
def test_no_configuration_is_tried_twice_and_no_number_given_twice(seed: int, trials: int) -> None:
    _, results, _ = play(Search(trials=trials), ever_better, seed=seed)
    assert len({each.trial.configuration for each in results}) == len(results) <= trials
    assert [each.trial.number for each in results] == list(range(len(results)))


def test_trials_and_results_survive_json() -> None:
    for trial in first_rung("regression", Search(), seed=1):
        for made in (result(trial, 0.1, 0.2), result(trial)):
            assert TrialResult.from_plain(json.loads(json.dumps(made.to_plain()))) == made
            assert Trial.from_plain(json.loads(json.dumps(trial.to_plain()))) == trial


def test_the_leaderboard_of_a_loss_starts_with_the_smallest() -> None:
    trials = first_rung("regression", Search(trials=3), seed=1)
    results = [result(t, 5.0 - t.number, metric="rmse") for t in trials]
    assert [each.mean for each in leaderboard(results)] == [3.0, 4.0, 5.0]


def test_planning_needs_neither_numpy_nor_scikit_learn() -> None:
    probe = "import sys; import evergreen.training.plan; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", probe],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(PACKAGE)},
    )
    assert not {"numpy", "sklearn", "scipy"} & set(done.stdout.split())
