"""Which rows a cross-validation learns from and which it judges on, fold by fold."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

from evergreen.features.training_set import TrainingSet

Rows = NDArray[np.intp]


class TrainingImpossibleError(Exception):
    """Nothing can be learnt from these rows; the message says why, and a retry cannot help."""


@dataclass(frozen=True)
class Fold:
    """Row indices to learn from and to judge on."""

    learn: Rows
    judge: Rows


def sample(rows: TrainingSet, most: int | None, seed: int) -> TrainingSet:
    """At most so many rows, in their order: the newest where rows have an order, else by lot."""
    if most is None or len(rows) <= most:
        return rows
    if rows.ordered:
        chosen = np.arange(len(rows) - most, len(rows))
    else:
        lot = np.random.default_rng(seed)
        chosen = np.sort(lot.choice(len(rows), size=most, replace=False))
    return rows_at(rows, chosen)


def rows_at(rows: TrainingSet, chosen: Rows) -> TrainingSet:
    """The rows at these indices, in that order."""
    return TrainingSet(
        rows.signature,
        rows.rows.take(chosen),
        rows.target[chosen],
        rows.holdout[chosen],
        rows.groups[chosen] if rows.groups.size else rows.groups,
        rows.ordered,
    )


def split(rows: TrainingSet, count: int, seed: int) -> tuple[Fold, ...]:
    """Split rows for cross-validation; the same rows and seed give the same folds.

    Ordered rows are judged forward in time: every fold learns from the past of the rows that it
    judges. Groups stay on one side. Classes are spread evenly. A fold whose rows to learn from
    have one class only is left out, so there may be fewer folds than asked for.

    Raises
    ------
    TrainingImpossibleError
        If no fold is left.
    """
    if rows.ordered:
        made = _forward(rows, count)
    elif rows.groups.size:
        made = _grouped(rows, count, seed)
    else:
        made = _spread(rows, count, seed)
    usable = tuple(fold for fold in made if _usable(rows, fold))
    if not usable:
        raise TrainingImpossibleError(_reason(rows))
    return usable


def _usable(rows: TrainingSet, fold: Fold) -> bool:
    if not fold.learn.size or not fold.judge.size:
        return False
    return not rows.is_classification or np.unique(rows.target[fold.learn]).size > 1


def _reason(rows: TrainingSet) -> str:
    if rows.is_classification and np.unique(rows.target).size < 2:  # noqa: PLR2004 - one class
        return f"the rows to learn from have one value of {rows.signature.target} only"
    if len(rows) > 1 and rows.groups.size and np.unique(rows.groups).size == 1:
        return (
            f"all {len(rows):,} rows to learn from are copies of each other, or of one group: "
            "none can be judged by what is learned from others"
        )
    return f"{len(rows)} rows are too few to learn from and to judge on"


def _forward(rows: TrainingSet, count: int) -> tuple[Fold, ...]:
    """Blocks of equal size in time; each but the first is judged from all blocks before it."""
    blocks = np.array_split(np.arange(len(rows)), count + 1)
    made = []
    for i in range(1, len(blocks)):
        learn, judge = np.concatenate(blocks[:i]), blocks[i]
        if rows.groups.size:
            learn = learn[~np.isin(rows.groups[learn], rows.groups[judge])]
        made.append(Fold(learn, judge))
    return tuple(made)


def _grouped(rows: TrainingSet, count: int, seed: int) -> tuple[Fold, ...]:
    """Whole groups; rows that are alone in theirs are spread as if there were no groups.

    To deal those one by one as groups, as scikit-learn does, takes seconds for every trial.
    """
    _, group, sizes = np.unique(rows.groups, return_inverse=True, return_counts=True)
    together, alone = np.flatnonzero(sizes[group] > 1), np.flatnonzero(sizes[group] == 1)
    judged = [together[each] for each in _whole_groups(rows_at(rows, together), count, seed)]
    if alone.size:
        dealt = [alone[fold.judge] for fold in _spread(rows_at(rows, alone), count, seed)]
        judged += [np.empty(0, dtype=np.intp)] * (count - len(judged))
        judged = [np.sort(np.concatenate(both)) for both in zip(judged, dealt, strict=True)]
    if len(judged) < 2:  # noqa: PLR2004 - one fold leaves nothing to learn from
        return ()
    every = np.arange(len(rows))
    return tuple(Fold(np.delete(every, judge), judge) for judge in judged)


def _whole_groups(rows: TrainingSet, count: int, seed: int) -> list[Rows]:
    """The rows that each fold is judged on, where every group has several rows."""
    groups = np.unique(rows.groups).size
    count = min(count, groups)
    if rows.is_classification and len(rows):
        count = min(count, int(np.bincount(rows.target.astype(np.int64)).max()))
    if count < 2:  # noqa: PLR2004 - what cannot be divided
        return [np.arange(len(rows))] if groups else []
    splitter = (
        StratifiedGroupKFold(count, shuffle=True, random_state=seed % 2**32)
        if rows.is_classification
        else GroupKFold(count, shuffle=True, random_state=seed % 2**32)
    )
    with warnings.catch_warnings():
        # A class with fewer rows than folds is met in some folds only; that is no news here.
        warnings.simplefilter("ignore", UserWarning)
        parted = list(splitter.split(rows.rows.numbers, rows.target, rows.groups))
    return [judge for _, judge in parted]


def _spread(rows: TrainingSet, count: int, seed: int) -> tuple[Fold, ...]:
    """Shuffle, then deal the rows of each class round the folds, going on where the last ended."""
    shuffled = np.random.default_rng(seed).permutation(len(rows))
    if rows.is_classification:
        shuffled = shuffled[np.argsort(rows.target[shuffled], kind="stable")]
    fold_of = np.empty(len(rows), dtype=np.intp)
    fold_of[shuffled] = np.arange(len(rows)) % count
    every = np.arange(len(rows))
    return tuple(Fold(every[fold_of != i], every[fold_of == i]) for i in range(count))
