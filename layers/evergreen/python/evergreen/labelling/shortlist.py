"""Which rows to label next: the uncertain ones, some at random, none twice in other words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from evergreen.features.encoding import Encoded

NEAR = 0.02
"""Rows that differ in less than this share of what could be different are near-identical."""

CANDIDATES_PER_ROW = 20
"""So many of the most uncertain rows are looked at for each that is listed."""

ChosenBy = Literal["uncertainty", "random"]


@dataclass(frozen=True)
class Choice:
    """One row of the list: its place among those that were scored, and why it is listed."""

    row: int
    chosen_by: ChosenBy


def shortlist(
    uncertainty: NDArray[np.float64], encoded: Encoded, rows: int, random: float, seed: int
) -> tuple[Choice, ...]:
    """List about `rows` rows, the share `random` of them drawn from all with equal chance.

    The drawn ones are spread over the list evenly, so that whoever labels only its beginning has
    labelled the same share of them. The others come by falling `uncertainty` (rows,), without
    those that are near-identical to a row that is listed; equally uncertain ones in random order.
    """
    count = min(rows, len(uncertainty))
    draw = np.random.default_rng(seed)
    shuffled = draw.permutation(len(uncertainty))
    drawn = [int(row) for row in shuffled[: round(count * random)]]
    others = shuffled[len(drawn) :]
    ordered = others[np.argsort(-uncertainty[others], kind="stable")]
    ordered = ordered[: (count - len(drawn)) * CANDIDATES_PER_ROW]
    looked_at = np.concatenate([np.array(drawn, dtype=np.int64), ordered])
    distances = Distances.of(encoded.take(looked_at))
    chosen = list(range(len(drawn)))
    for place in range(len(drawn), len(looked_at)):
        if len(chosen) == count:
            break
        if not distances.near(place, chosen):
            chosen.append(place)
    uncertain = [int(looked_at[place]) for place in chosen[len(drawn) :]]
    return _spread(drawn, uncertain)


def _spread(drawn: list[int], uncertain: list[int]) -> tuple[Choice, ...]:
    total = len(drawn) + len(uncertain)
    places = {int((i + 0.5) * total / len(drawn)) for i in range(len(drawn))}
    next_drawn, next_uncertain = iter(drawn), iter(uncertain)
    return tuple(
        Choice(next(next_drawn), "random")
        if place in places
        else Choice(next(next_uncertain), "uncertainty")
        for place in range(total)
    )


@dataclass(frozen=True)
class Distances:
    """Gower's dissimilarity between rows (Gower 1971, "A general coefficient of similarity").

    The mean over columns of: for numbers the difference as a share of the column's range, for
    categories whether they differ, for all texts together one minus the cosine of their weights; a
    missing value differs from all others fully.
    """

    numbers: NDArray[np.float32]
    codes: NDArray[np.int64]
    weights: NDArray[np.float32]

    @staticmethod
    def of(encoded: Encoded) -> Distances:
        """Scale the columns once; a missing number becomes 3, far from 0 to 1."""
        plain = encoded.numbers.shape[1] - encoded.terms
        numbers, weights = encoded.numbers[:, :plain], encoded.numbers[:, plain:]
        absent = np.isnan(numbers)
        least = np.min(numbers, axis=0, initial=np.inf, where=~absent)
        greatest = np.max(numbers, axis=0, initial=-np.inf, where=~absent)
        span = np.where(greatest > least, greatest - least, np.float32(1))
        lowest = np.where(np.isfinite(least), least, np.float32(0))
        scaled = np.where(absent, np.float32(3), (np.nan_to_num(numbers) - lowest) / span)
        codes = [
            np.unique(each.astype(str), return_inverse=True)[1] for each in encoded.categories.T
        ]
        lengths = np.linalg.norm(weights, axis=1, keepdims=True)
        return Distances(
            scaled,
            np.array(codes, dtype=np.int64).T.reshape(encoded.categories.shape),
            (weights / np.where(lengths > 0, lengths, 1)).astype(np.float32),
        )

    def near(self, row: int, others: list[int]) -> bool:
        """Whether a row is near-identical to one of the others."""
        texts = int(self.weights.shape[1] > 0)
        columns = self.numbers.shape[1] + self.codes.shape[1] + texts
        if not others or not columns:
            return bool(others)
        apart = np.minimum(np.abs(self.numbers[others] - self.numbers[row]), 1).sum(axis=1)
        apart += (self.codes[others] != self.codes[row]).sum(axis=1)
        if texts:
            apart += 1 - self.weights[others] @ self.weights[row]
        return bool(apart.min() < NEAR * columns)
