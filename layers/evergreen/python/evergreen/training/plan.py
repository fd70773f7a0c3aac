"""The plan of a search: which trials come first, which come next, and when it is over.

Everything here follows from the results and the seed alone. Pure Python: the function that
advances a search has neither NumPy nor scikit-learn.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from evergreen.evaluation.metric_choice import METRIC_FACTS
from evergreen.features.signature import Task
from evergreen.training.spaces import SPACES, Parameters, variation
from evergreen.training.trial_record import Scalar, Trial, TrialResult

if TYPE_CHECKING:
    from evergreen.contracts.project_file import Search

__all__ = [
    "Ended",
    "Scalar",
    "SearchFailedError",
    "Trial",
    "TrialResult",
    "first_rung",
    "leaderboard",
    "next_rung",
]

TRIALS_PER_FAMILY = 2
"""Trials of each family in the first rung: its default and one variation."""

ATTEMPTS_PER_TRIAL = 50
"""How often a new configuration is drawn before a small space counts as used up."""


class SearchFailedError(Exception):
    """No trial of a search gave a model; `reasons` says why, one per trial.

    Trying again cannot help: the data, or the project file, has to change.
    """

    def __init__(self, reasons: tuple[str, ...]) -> None:
        self.reasons = reasons
        super().__init__("no trial gave a model: " + "; ".join(dict.fromkeys(reasons)))


@dataclass(frozen=True)
class Ended:
    """A search that is over: why, the trial to fit, and every result, the best first."""

    reason: Literal["stop_at reached", "plateau", "budget"]
    winner: Trial
    leaderboard: tuple[TrialResult, ...]

    def to_plain(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "reason": self.reason,
            "winner": self.winner.to_plain(),
            "leaderboard": [result.to_plain() for result in self.leaderboard],
        }


def first_rung(task: str, search: Search, seed: int) -> tuple[Trial, ...]:
    """The trials that a search starts with: every family's default, then variations of them."""
    families = tuple(dict.fromkeys(search.families))
    defaults: list[tuple[str, Parameters]] = [
        (family, dict(SPACES[family].default)) for family in families
    ]
    size = min(search.trials, TRIALS_PER_FAMILY * len(families))
    bases = [defaults[i % len(families)] for i in range(size)]
    return _rung(0, bases, (), Task(task), search, seed)


def next_rung(
    results: Sequence[TrialResult], task: str, search: Search, seed: int
) -> tuple[Trial, ...] | Ended:
    """Close a rung: the trials of the next one, or the end of the search.

    Parameters
    ----------
    results
        Of every trial so far, in any order.

    Raises
    ------
    SearchFailedError
        If every trial failed.
    """
    ranked = leaderboard(results)
    if not ranked or ranked[0].failed is not None:
        raise SearchFailedError(tuple(result.failed or "no trial was run" for result in ranked))
    best = ranked[0]
    newest = max(result.trial.rung for result in results)
    if search.stop_at is not None and METRIC_FACTS[best.metric].reaches(best.mean, search.stop_at):
        return Ended("stop_at reached", _winner(ranked), ranked)
    if newest > 0 and not _improved(ranked, newest):
        return Ended("plateau", _winner(ranked), ranked)
    room = search.trials - len(results)
    following = _following(ranked, newest + 1, room, Task(task), search, seed)
    return following or Ended("budget", _winner(ranked), ranked)


def leaderboard(results: Sequence[TrialResult]) -> tuple[TrialResult, ...]:
    """The results, the best first; of equal ones the earlier trial, and failed ones last."""
    by_number = sorted(results, key=lambda result: result.trial.number)
    succeeded = [result for result in by_number if result.failed is None]
    failed = [result for result in by_number if result.failed is not None]
    succeeded.sort(key=lambda result: -result.gain_sign * result.mean)
    return (*succeeded, *failed)


def _winner(ranked: tuple[TrialResult, ...]) -> Trial:
    """The best trial, or that of a cheaper family that is as good within one standard error.

    The rule of one standard error (Breiman et al., *Classification and Regression Trees*, 1984),
    on paired differences over the folds.
    """
    best = ranked[0]
    chosen = best
    for result in ranked[1:]:
        if result.failed is not None:
            break
        cheaper = SPACES[result.trial.family].cost < SPACES[chosen.trial.family].cost
        gain, error = best.gain_over(result)
        if cheaper and gain <= error:
            chosen = result
    return chosen.trial


def _improved(ranked: tuple[TrialResult, ...], rung: int) -> bool:
    """Whether the newest rung's best is better than all before by more than the folds' noise."""
    succeeded = [result for result in ranked if result.failed is None]
    new = [result for result in succeeded if result.trial.rung == rung]
    old = [result for result in succeeded if result.trial.rung < rung]
    if not new or not old:
        return bool(new)
    gain, error = new[0].gain_over(old[0])
    # One fold alone has no error to compare with (NaN): then any gain counts.
    return gain > 0 and not gain <= error


def _following(
    ranked: tuple[TrialResult, ...], rung: int, room: int, task: Task, search: Search, seed: int
) -> tuple[Trial, ...]:
    """Variations of the best configurations so far: two of the best for one of the runner-up."""
    succeeded = [result.trial for result in ranked if result.failed is None]
    best = succeeded[0]
    runner_up = next((trial for trial in succeeded if trial.family != best.family), best)
    size = min(room, TRIALS_PER_FAMILY * len(set(search.families)))
    bases = [
        (trial.family, dict(trial.parameters))
        for trial in ((best, best, runner_up)[i % 3] for i in range(size))
    ]
    tried = tuple(result.trial for result in ranked)
    return _rung(rung, bases, tried, task, search, seed)


def _rung(
    rung: int,
    bases: list[tuple[str, Parameters]],
    tried: tuple[Trial, ...],
    task: Task,
    search: Search,
    seed: int,
) -> tuple[Trial, ...]:
    """One new trial per base, itself if untried, else varied; fewer where a space is used up."""
    chance = random.Random(f"{seed}/{rung}")  # noqa: S311 - a repeatable plan, not a secret
    known = {trial.configuration for trial in tried}
    first = max((trial.number for trial in tried), default=-1) + 1
    trials: list[Trial] = []
    for family, base in bases:
        parameters = base
        for _ in range(ATTEMPTS_PER_TRIAL):
            trial = Trial(first + len(trials), rung, family, parameters, search.rows_per_trial)
            if trial.configuration not in known:
                known.add(trial.configuration)
                trials.append(trial)
                break
            parameters = variation(family, base, task, chance)
    return tuple(trials)
