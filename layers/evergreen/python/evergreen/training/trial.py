"""One trial: cross-validate one configuration on the rows that are not held out."""

from __future__ import annotations

import math
import time

from evergreen.evaluation.metrics import METRICS
from evergreen.features.training_set import TrainingSet
from evergreen.training.fitting import ask, fit_pipeline
from evergreen.training.folds import TrainingImpossibleError, rows_at, sample, split
from evergreen.training.trial_record import Trial, TrialResult


def run_trial(
    training_set: TrainingSet, trial: Trial, folds: int, metric: str, seed: int
) -> TrialResult:
    """Score a configuration on every fold.

    The folds depend on the rows and the seed, not on the trial, so that trials can be compared
    fold by fold. Data from which nothing can be learnt makes a failed result; a fault of ours is
    raised.
    """
    started = time.perf_counter()
    rows = sample(training_set.part(holdout=False), trial.rows, seed)
    failed: str | None = None
    scores: tuple[float, ...] = ()
    try:
        scores = _scores(rows, trial, folds, metric, seed)
    except TrainingImpossibleError as reason:
        failed = str(reason)
    else:
        if not scores:
            failed = f"{metric} is undefined in every fold: too few rows of a class"
    seconds = round(time.perf_counter() - started, 3)
    return TrialResult(trial, metric, scores, seconds, failed)


def _scores(
    rows: TrainingSet, trial: Trial, folds: int, metric: str, seed: int
) -> tuple[float, ...]:
    """The score of each fold where the metric is defined."""
    classes = len(rows.signature.classes)
    scores = []
    for fold in split(rows, folds, seed):
        predictions = ask(
            fit_pipeline(rows_at(rows, fold.learn), trial, seed),
            rows.rows.take(fold.judge),
            classes,
        )
        scores.append(METRICS[metric].function(rows.target[fold.judge], predictions))
    return tuple(score for score in scores if math.isfinite(score))
