"""Training sets for the tests of learning: small, seeded, with what real data has in it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from evergreen.features.encoding import Encoded
from evergreen.features.signature import Column, Kind, Signature, Task
from evergreen.features.training_set import TrainingSet

CATEGORIES = ("north", "south", "", "münchen", "far east")


def training_set(
    task: Task, rows: int = 400, seed: int = 7, *, ordered: bool = False, groups: int = 0
) -> TrainingSet:
    """Four numbers with gaps, one of them far from zero, and two categories with '' among them.

    The target follows the numbers and the first category, with noise; a fifth is held out.
    """
    chance = np.random.default_rng(seed)
    numbers = chance.normal(size=(rows, 4))
    numbers[:, 1] = numbers[:, 1] * 10 + 1_000_000
    codes = chance.integers(0, len(CATEGORIES), size=(rows, 2))
    signal = numbers[:, 0] + (codes[:, 0] == 1) - (codes[:, 0] == 3)
    noisy = signal + chance.normal(scale=0.4, size=rows)
    numbers[chance.random((rows, 4)) < 0.1] = np.nan
    return TrainingSet(
        signature=signature(task),
        rows=Encoded(numbers.astype(np.float32), np.array(CATEGORIES, dtype=object)[codes]),
        target=_target(task, noisy),
        holdout=_holdout(chance, rows, ordered=ordered),
        groups=chance.integers(0, groups, rows) if groups else np.empty(0, dtype=np.int64),
        ordered=ordered,
    )


def signature(task: Task) -> Signature:
    """The columns of `training_set`."""
    numbers = [Column(name, Kind.NUMBER) for name in ("age", "income", "height", "weight")]
    texts = [
        Column(name, Kind.CATEGORY, tuple(sorted(set(CATEGORIES) - {""})))
        for name in ("region", "colour")
    ]
    classes = {
        Task.BINARY: ("no", "yes"),
        Task.MULTICLASS: ("high", "low", "middle"),
        Task.REGRESSION: (),
    }
    return Signature("outcome", task, (*numbers, *texts), classes[task])


def only(kinds: Collection[Kind], rows: TrainingSet) -> TrainingSet:
    """The same rows with the columns of these kinds alone."""
    columns = tuple(column for column in rows.signature.columns if column.kind in kinds)
    return rows.with_columns(replace(rows.signature, columns=columns))


def with_text(rows: TrainingSet) -> TrainingSet:
    """The same rows with weights of six terms behind the numbers; the first follows the target."""
    chance = np.random.default_rng(5)
    weights = chance.random((len(rows), 6)) * (chance.random((len(rows), 6)) < 0.2)
    weights[:, 0] = (rows.target > np.median(rows.target)) * chance.random(len(rows))
    text = Column("review", Kind.TEXT, terms=tuple("abcdef"), idf=(1.0,) * 6)
    columns = (*rows.signature.columns, text)
    numbers = np.column_stack([rows.rows.numbers, weights]).astype(np.float32)
    return replace(
        rows,
        signature=replace(rows.signature, columns=columns),
        rows=Encoded(numbers, rows.rows.categories, terms=6),
    )


def unseen(rows: TrainingSet) -> Encoded:
    """Rows as a hostile world asks them: unknown and missing categories, NaN, far numbers."""
    numbers, categories = rows.rows.numbers.copy(), rows.rows.categories.copy()
    numbers[::3] = np.nan
    numbers[1::7] = 3e30
    numbers[2::7] = -3e30
    categories[::4] = "never seen"
    categories[1::4] = ""
    plain = numbers.shape[1] - rows.rows.terms
    numbers[:, plain:] = rows.rows.numbers[:, plain:]
    return Encoded(numbers, categories, rows.rows.terms)


def _target(task: Task, noisy: np.ndarray) -> np.ndarray:
    if task is Task.REGRESSION:
        return noisy * 1000.0 + 5000.0
    if task is Task.BINARY:
        return (noisy > 0.3).astype(np.int64)
    return np.digitize(noisy, [-0.5, 0.8]).astype(np.int64)


def _holdout(chance: np.random.Generator, rows: int, *, ordered: bool) -> np.ndarray:
    if ordered:
        return np.arange(rows) >= rows * 4 // 5
    return chance.random(rows) < 0.2
