"""Columns together: whether they still go with each other as they did in the reference.

Each column can keep its distribution while they stop agreeing; then the model answers for rows
unlike those it learned from. Compared are rank correlations between columns (categories by
indicators of their frequent values), which marginal shifts leave mostly alone.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evergreen.monitoring.resampling import deals
from evergreen.monitoring.variables import Variable

INDICATORS = 3
"""So many of the most frequent values of a category column get an indicator..."""
FREQUENT = 0.05
"""...if at least this share of the rows, and at most all but this share, have them: the
correlation of a rarer one is mostly noise, and would raise the threshold for all others."""

LEAST_VARIANCE = 1e-6
"""Below it a score counts as constant; scores have variance 1 in the pool, in float32."""


@dataclass(frozen=True)
class Scores:
    """`values` float32 (rows, scores) of pooled rows; `owner` says whose column each score is."""

    values: NDArray[np.float32]
    labels: tuple[str, ...]
    owner: NDArray[np.int64]


@dataclass(frozen=True)
class Change:
    """The greatest change of a correlation: between what, from what, to what."""

    first: str
    second: str
    reference: float
    window: float

    @property
    def size(self) -> float:
        """Absolute change of the correlation."""
        return abs(self.window - self.reference)


def scores_of(variables: list[Variable]) -> Scores:
    """Centred ranks of pooled numbers (missing in the middle), indicators of categories."""
    columns: list[NDArray[np.float32]] = []
    labels: list[str] = []
    owners: list[int] = []
    for owner, variable in enumerate(variables):
        pooled = np.concatenate([variable.reference, variable.window])
        found = (
            [(variable.name, _ranks(pooled))]
            if variable.kind == "number"
            else [(f"{variable.name} = {name}", flag) for name, flag in _indicators(pooled)]
        )
        for label, values in found:
            spread = values.std()
            if spread > 0:
                columns.append(((values - values.mean()) / spread).astype(np.float32))
                labels.append(label)
                owners.append(owner)
    rows = len(variables[0].reference) + len(variables[0].window) if variables else 0
    scores = np.empty((rows, len(columns)), dtype=np.float32)
    for j, column in enumerate(columns):
        scores[:, j] = column
    return Scores(scores, tuple(labels), np.array(owners, dtype=np.int64))


def correlation_changes(
    scores: Scores, reference_rows: int, resamples: int, seed: int
) -> NDArray[np.float64]:
    """Square of the greatest change of a correlation, of the real deal (first) and every other.

    Empty if there are fewer than two columns to correlate.
    """
    pairs = _pairs(scores)
    if not pairs[0].size:
        return np.empty(0)
    values = scores.values
    products, sums = values.T @ values, values.sum(axis=0)
    found = []
    for rows in deals(reference_rows, len(values) - reference_rows, resamples, seed):
        own = values[rows]
        own_products, own_sums = own.T @ own, own.sum(axis=0)
        change = _correlations(own_products, own_sums, len(own)) - _correlations(
            products - own_products, sums - own_sums, len(values) - len(own)
        )
        found.append(np.abs(change[pairs]).max() ** 2)
    return np.array(found, dtype=np.float64)


def greatest_change(scores: Scores, reference: NDArray[Any], window: NDArray[Any]) -> Change:
    """Find the pair whose correlation differs most between two choices of pooled rows."""
    pairs = _pairs(scores)
    sides = []
    for rows in (reference, window):
        own = scores.values[rows]
        sides.append(_correlations(own.T @ own, own.sum(axis=0), len(own))[pairs])
    at = int(np.abs(sides[0] - sides[1]).argmax())
    return Change(
        scores.labels[pairs[0][at]],
        scores.labels[pairs[1][at]],
        float(sides[0][at]),
        float(sides[1][at]),
    )


def _pairs(scores: Scores) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of scores of different columns; within a column the shares say all there is."""
    different = scores.owner[:, np.newaxis] != scores.owner[np.newaxis, :]
    first, second = np.nonzero(np.triu(different))
    return first, second


def _correlations(
    products: NDArray[np.float32], sums: NDArray[np.float32], rows: int
) -> NDArray[np.float64]:
    mean = sums.astype(np.float64) / rows
    covariance = products.astype(np.float64) / rows - np.outer(mean, mean)
    variance = np.diag(covariance)
    varied = variance > LEAST_VARIANCE
    scale = np.where(varied, 1 / np.sqrt(np.where(varied, variance, 1)), 0)
    found: NDArray[np.float64] = np.clip(covariance * np.outer(scale, scale), -1, 1)
    return found


def _ranks(values: NDArray[Any]) -> NDArray[np.float64]:
    """Middle rank of each value as a share, centred on 0; missing values at 0."""
    known = ~np.isnan(values)
    _, inverse, counts = np.unique(values[known], return_inverse=True, return_counts=True)
    middle = (np.cumsum(counts) - counts / 2) / max(int(known.sum()), 1) - 0.5
    ranks = np.zeros(len(values))
    ranks[known] = middle[inverse]
    return ranks


def _indicators(values: NDArray[Any]) -> list[tuple[str, NDArray[np.float64]]]:
    counts = Counter(values.tolist())
    ranked = sorted(counts, key=lambda name: (-counts[name], name))[:INDICATORS]
    return [
        (name or "missing", (values == name).astype(np.float64))
        for name in ranked
        if FREQUENT <= counts[name] / len(values) <= 1 - FREQUENT
    ]
