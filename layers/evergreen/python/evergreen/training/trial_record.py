"""What a trial is asked to do and what came of it, as values that travel as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evergreen.evaluation.metric_choice import METRIC_FACTS

Scalar = str | int | float | bool | None


@dataclass(frozen=True)
class Trial:
    """One configuration to try.

    `number` counts through the whole search; `rung` is the round it was planned in; `rows` caps
    the rows that its cross-validation may use (None: all).
    """

    number: int
    rung: int
    family: str
    parameters: Mapping[str, Scalar]
    rows: int | None = None

    def to_plain(self) -> dict[str, Any]:
        """JSON values; `from_plain` reads them back equal."""
        return {
            "number": self.number,
            "rung": self.rung,
            "family": self.family,
            "parameters": dict(sorted(self.parameters.items())),
            "rows": self.rows,
        }

    @staticmethod
    def from_plain(plain: Mapping[str, Any]) -> Trial:
        """Read what `to_plain` wrote."""
        return Trial(
            number=plain["number"],
            rung=plain["rung"],
            family=plain["family"],
            parameters=dict(plain["parameters"]),
            rows=plain["rows"],
        )

    @property
    def configuration(self) -> tuple[str, tuple[tuple[str, Scalar], ...]]:
        """What is tried, without when: equal configurations need no second trial."""
        return self.family, tuple(sorted(self.parameters.items()))


@dataclass(frozen=True)
class TrialResult:
    """The scores of a trial, one per fold, or why there are none.

    `seconds` says what the trial cost; no decision depends on it, so that the same data gives the
    same leaderboard on a slower machine.
    """

    trial: Trial
    metric: str
    scores: tuple[float, ...]
    seconds: float
    failed: str | None = None

    @property
    def mean(self) -> float:
        """Mean score over the folds; NaN if the trial failed."""
        return math.fsum(self.scores) / len(self.scores) if self.scores else math.nan

    @property
    def standard_error(self) -> float:
        """Standard error of the mean over the folds; NaN with fewer than two."""
        return standard_error(self.scores)

    @property
    def gain_sign(self) -> float:
        """+1 if a greater score is better, -1 otherwise."""
        return 1.0 if METRIC_FACTS[self.metric].greater_is_better else -1.0

    def gain_over(self, other: TrialResult) -> tuple[float, float]:
        """How much better this trial is than another, with the standard error of that.

        Folds are the same rows for every trial of a search, so their differences are paired
        wherever both trials have a score for each.
        """
        if len(self.scores) == len(other.scores):
            gains = [
                self.gain_sign * (mine - theirs)
                for mine, theirs in zip(self.scores, other.scores, strict=True)
            ]
            return math.fsum(gains) / len(gains), standard_error(gains)
        error = math.hypot(self.standard_error, other.standard_error)
        return self.gain_sign * (self.mean - other.mean), error

    def to_plain(self) -> dict[str, Any]:
        """JSON values; `from_plain` reads them back equal."""
        return {
            "trial": self.trial.to_plain(),
            "metric": self.metric,
            "scores": list(self.scores),
            "seconds": self.seconds,
            "failed": self.failed,
        }

    @staticmethod
    def from_plain(plain: Mapping[str, Any]) -> TrialResult:
        """Read what `to_plain` wrote."""
        return TrialResult(
            trial=Trial.from_plain(plain["trial"]),
            metric=plain["metric"],
            scores=tuple(plain["scores"]),
            seconds=plain["seconds"],
            failed=plain["failed"],
        )


def standard_error(values: tuple[float, ...] | list[float]) -> float:
    """Standard error of the mean of the values; NaN with fewer than two."""
    if len(values) < 2:  # noqa: PLR2004 - one value has no spread
        return math.nan
    mean = math.fsum(values) / len(values)
    variance = math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)
    return math.sqrt(variance / len(values))
