"""The leak probe: columns that alone predict the target so well that they must know the answer.

Of every column by itself a small tree is cross-validated. A column that is known only after the
fact (a payment date of a loan, a second spelling of the target) reaches what no honest column
does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from evergreen.evaluation.metrics import METRICS
from evergreen.features.encoding import Encoded
from evergreen.features.signature import Kind, Task
from evergreen.features.training_set import TrainingSet
from evergreen.training.feature_choice import column_places, feature_choice
from evergreen.training.fitting import check_learnable, spread
from evergreen.training.folds import Fold, TrainingImpossibleError, sample, split

__all__ = ["LeakSuspect", "feature_choice", "probe"]

THRESHOLDS = {
    Task.BINARY: ("roc_auc", 0.99),
    Task.MULTICLASS: ("balanced_accuracy", 0.99),
    Task.REGRESSION: ("r2", 0.99),
}
"""Metric and score from which a single column is suspected."""

ROWS = 5_000
"""Rows that are looked at: a leak shows in these."""

FOLDS = 3

MISSING = -1e30
"""Stands for a missing number: being missing may be the leak."""


@dataclass(frozen=True)
class LeakSuspect:
    """A column that predicts the target by itself with this cross-validated score."""

    column: str
    score: float
    metric: str


def probe(training_set: TrainingSet, seed: int) -> tuple[LeakSuspect, ...]:
    """Columns to be suspected of a leak, the strongest first; looks at no row held out."""
    rows = sample(training_set.part(holdout=False), ROWS, seed)
    metric, threshold = THRESHOLDS[rows.signature.task]
    try:
        check_learnable(rows)
        folds = split(rows, FOLDS, seed)
    except TrainingImpossibleError:
        # The trials will say why; nothing can leak into a model that cannot be.
        return ()
    suspects = []
    for name, values in _columns(rows):
        score = _score(values, rows, folds, metric, seed)
        if score >= threshold:
            suspects.append(LeakSuspect(name, round(score, 4), metric))
    return tuple(sorted(suspects, key=lambda suspect: (-suspect.score, suspect.column)))


def _columns(rows: TrainingSet) -> list[tuple[str, NDArray[np.float64]]]:
    """Every column as numbers (rows, parts); categories as codes in order of their names."""
    numbers, categories = _numbers(rows.rows), _codes(rows.rows)
    places = column_places(rows.signature)
    return [
        (
            column.name,
            (categories if column.kind is Kind.CATEGORY else numbers)[:, places[column.name]],
        )
        for column in rows.signature.columns
    ]


def _numbers(encoded: Encoded) -> NDArray[np.float64]:
    return np.nan_to_num(encoded.numbers.astype(np.float64), nan=MISSING)


def _codes(encoded: Encoded) -> NDArray[np.float64]:
    codes = np.empty(encoded.categories.shape)
    for place, column in enumerate(encoded.categories.T):
        codes[:, place] = np.unique(column.astype(str), return_inverse=True)[1]
    return codes


def _score(
    values: NDArray[np.float64],
    rows: TrainingSet,
    folds: tuple[Fold, ...],
    metric: str,
    seed: int,
) -> float:
    """Mean score over the folds of a tree that sees one column; 0 where it is undefined."""
    scores = []
    for fold in folds:
        tree = _tree(rows, seed).fit(values[fold.learn], rows.target[fold.learn])
        predictions = (
            spread(
                tree.predict_proba(values[fold.judge]), tree.classes_, len(rows.signature.classes)
            )
            if rows.is_classification
            else tree.predict(values[fold.judge])
        )
        scores.append(METRICS[metric].function(rows.target[fold.judge], predictions))
    defined = [score for score in scores if np.isfinite(score)]
    return float(np.mean(defined)) if defined else 0.0


def _tree(rows: TrainingSet, seed: int) -> Any:
    # Leaves of five rows: a column of names must not look like one that knows.
    kind = DecisionTreeClassifier if rows.is_classification else DecisionTreeRegressor
    return kind(min_samples_leaf=5, random_state=seed % 2**32)
