"""The final fit: the winner of a search, refitted on all rows that are not held out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from evergreen.features.encoding import Encoded
from evergreen.features.signature import Signature
from evergreen.features.training_set import TrainingSet
from evergreen.training.calibration import Calibration, helpful_calibration
from evergreen.training.families import as_table
from evergreen.training.fitting import fit_pipeline, spread
from evergreen.training.folds import TrainingImpossibleError, rows_at, sample, split
from evergreen.training.trial_record import Trial

CALIBRATION_FOLDS = 3

CALIBRATION_ROWS = 30_000
"""Rows that the calibration is found with: its few numbers are known well enough from these."""

LEAST_CALIBRATION_ROWS = 100


@dataclass(frozen=True)
class FittedModel:
    """A fitted pipeline with its calibration, if that helped; `trial` says how it was made."""

    pipeline: Pipeline
    calibration: Calibration | None
    signature: Signature
    trial: Trial

    @property
    def calibrated(self) -> bool:
        """Whether its probabilities are calibrated."""
        return self.calibration is not None

    def predict(self, rows: Encoded) -> NDArray[np.float64]:
        """Probabilities (rows, classes) in the order of the signature, or values (rows,)."""
        table = as_table(rows)
        if not self.signature.classes:
            values: NDArray[np.float64] = self.pipeline.predict(table).astype(np.float64)
            return values.reshape(-1)
        probabilities = self.pipeline.predict_proba(table).astype(np.float64)
        if self.calibration is not None:
            probabilities = self.calibration.apply(probabilities)
        return spread(probabilities, self.pipeline.classes_, len(self.signature.classes))


def fit(training_set: TrainingSet, trial: Trial, seed: int) -> FittedModel:
    """Fit a configuration on every row that is not held out, and calibrate it where that helps.

    Raises
    ------
    TrainingImpossibleError
        If nothing can be learnt from the rows.
    """
    rows = training_set.part(holdout=False)
    pipeline = fit_pipeline(rows, trial, seed)
    calibration = _calibration(rows, trial, pipeline, seed) if rows.is_classification else None
    return FittedModel(pipeline, calibration, rows.signature, trial)


def _calibration(
    rows: TrainingSet, trial: Trial, pipeline: Pipeline, seed: int
) -> Calibration | None:
    """A calibration from predictions for rows that the predicting pipeline did not learn from."""
    rows = sample(rows, CALIBRATION_ROWS, seed)
    seen = pipeline.classes_
    try:
        parted = split(rows, CALIBRATION_FOLDS, seed)
    except TrainingImpossibleError:
        return None
    probabilities, targets, numbers = [], [], []
    for number, fold in enumerate(parted):
        part = fit_pipeline(rows_at(rows, fold.learn), trial, seed)
        # A class that this fold has not seen has probability 0 here, and does not stay so.
        predicted = spread(
            part.predict_proba(as_table(rows.rows.take(fold.judge))),
            np.searchsorted(seen, part.classes_),
            len(seen),
        )
        probabilities.append(predicted)
        targets.append(np.searchsorted(seen, rows.target[fold.judge]))
        numbers.append(np.full(len(fold.judge), number, dtype=np.intp))
    target = np.concatenate(targets)
    enough = len(target) >= LEAST_CALIBRATION_ROWS and len(parted) > 1
    if not enough:
        return None
    return helpful_calibration(np.concatenate(probabilities), target, np.concatenate(numbers))
