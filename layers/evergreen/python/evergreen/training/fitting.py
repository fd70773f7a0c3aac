"""Fit one pipeline on some rows and ask it: the step that trials and the final fit share."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline

from evergreen.features.encoding import Encoded
from evergreen.features.training_set import TrainingSet
from evergreen.training.families import as_table, build, settle
from evergreen.training.folds import TrainingImpossibleError
from evergreen.training.trial_record import Trial


def fit_pipeline(rows: TrainingSet, trial: Trial, seed: int) -> Pipeline:
    """A fitted pipeline of the trial's family, with constants that a graph holds exactly.

    Raises
    ------
    TrainingImpossibleError
        If the rows have no columns, infinite numbers, or one class only.
    """
    check_learnable(rows)
    pipeline = build(trial.family, trial.parameters, rows.signature.task, rows.rows, seed)
    with warnings.catch_warnings():
        # Stopped short is a model like any other: its score says what it is worth.
        warnings.simplefilter("ignore", ConvergenceWarning)
        # A class with fewer rows than the folds of the target encoder.
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        pipeline.fit(as_table(rows.rows), rows.target)
    return settle(pipeline)


def ask(pipeline: Pipeline, rows: Encoded, classes: int) -> NDArray[np.float64]:
    """Probabilities (rows, classes), 0 for a class never seen; without classes values (rows,)."""
    table = as_table(rows)
    if not classes:
        values: NDArray[np.float64] = pipeline.predict(table).astype(np.float64).reshape(-1)
        return values
    return spread(pipeline.predict_proba(table), pipeline.classes_, classes)


def spread(
    probabilities: NDArray[Any], seen: NDArray[np.int64], classes: int
) -> NDArray[np.float64]:
    """Probabilities of the seen classes in the columns of all classes."""
    everywhere = np.zeros((len(probabilities), classes))
    everywhere[:, seen] = probabilities
    return everywhere


def check_learnable(rows: TrainingSet) -> None:
    """Refuse rows from which no family can learn.

    Raises
    ------
    TrainingImpossibleError
        Says what is wrong with them.
    """
    signature = rows.signature
    if not signature.columns:
        raise TrainingImpossibleError("no column is left to learn from")
    if not rows.rows.categories.shape[1] and np.isnan(rows.rows.numbers).all():
        raise TrainingImpossibleError("every column is empty in the rows to learn from")
    infinite = np.isinf(rows.rows.numbers).any(axis=0)
    if infinite.any():
        name = signature.number_names[int(np.argmax(infinite))]
        raise TrainingImpossibleError(f"{name} has numbers that a 32-bit float cannot hold")
    if not np.isfinite(rows.target).all():
        raise TrainingImpossibleError(f"{signature.target} is missing or infinite in some rows")
    if rows.is_classification and np.unique(rows.target).size < 2:  # noqa: PLR2004 - one class
        raise TrainingImpossibleError(
            f"the rows to learn from have one value of {signature.target} only"
        )
