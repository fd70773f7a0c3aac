"""How different rows are, whatever their columns are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evergreen.features.encoding import Encoded

ABSENT = 3
"""A missing number, beside others that are scaled to 0 to 1: further than 1 from all of them."""


@dataclass(frozen=True)
class Dissimilarity:
    """Gower's dissimilarity between rows (Gower 1971, "A general coefficient of similarity").

    The mean over columns of: for numbers the difference as a share of the column's range, for
    categories whether they differ, for all texts together one minus the cosine of their weights; a
    missing value differs from all others fully.
    """

    numbers: NDArray[np.float32]
    codes: NDArray[np.int64]
    weights: NDArray[np.float32]

    @staticmethod
    def of(encoded: Encoded, scale: Encoded | None = None) -> Dissimilarity:
        """Scale the columns once, by their range in `scale`, or in the rows themselves."""
        plain = encoded.numbers.shape[1] - encoded.terms
        weights = encoded.numbers[:, plain:]
        codes = [
            np.unique(each.astype(str), return_inverse=True)[1] for each in encoded.categories.T
        ]
        lengths = np.linalg.norm(weights, axis=1, keepdims=True)
        return Dissimilarity(
            _scaled(encoded.numbers[:, :plain], (scale or encoded).numbers[:, :plain]),
            np.array(codes, dtype=np.int64).T.reshape(encoded.categories.shape),
            (weights / np.where(lengths > 0, lengths, 1)).astype(np.float32),
        )

    @property
    def columns(self) -> int:
        """How many columns are compared: numbers, then categories, then all texts as one."""
        texts = int(self.weights.shape[1] > 0)
        return int(self.numbers.shape[1] + self.codes.shape[1]) + texts

    def of_one(self, row: int, others: list[int]) -> NDArray[np.float32]:
        """How different a row is from each of the others; 0 if there is no column to differ in."""
        apart = np.minimum(np.abs(self.numbers[others] - self.numbers[row]), 1).sum(axis=1)
        apart += (self.codes[others] != self.codes[row]).sum(axis=1)
        if self.weights.shape[1]:
            apart += 1 - self.weights[others] @ self.weights[row]
        mean: NDArray[np.float32] = apart / np.float32(max(self.columns, 1))
        return mean

    def between(
        self, rows: slice, others: slice, shares: NDArray[np.float64]
    ) -> NDArray[np.float32]:
        """How different each of the rows is from each of the others, (rows, others).

        Column by column with the share that it has in the mean, (columns,). Those without a share
        cost nothing.
        """
        sizes = [len(range(*each.indices(len(self.numbers)))) for each in (rows, others)]
        apart = np.zeros(sizes, dtype=np.float32)
        plain, codes = self.numbers.shape[1], self.codes.shape[1]
        for column in np.flatnonzero(shares[:plain]):
            values = self.numbers[:, column]
            differing = np.abs(values[rows, None] - values[None, others])
            np.minimum(differing, 1, out=differing)
            differing *= np.float32(shares[column])
            apart += differing
        for column in np.flatnonzero(shares[plain : plain + codes]):
            code = self.codes[:, column]
            differ = code[rows, None] != code[None, others]
            apart += np.float32(shares[plain + column]) * differ
        if self.weights.shape[1] and shares[-1]:
            cosines = self.weights[rows] @ self.weights[others].T
            apart += np.float32(shares[-1]) * (1 - cosines)
        return apart


def _scaled(numbers: NDArray[np.float32], scale: NDArray[np.float32]) -> NDArray[np.float32]:
    """Numbers as shares of the range in `scale`; a missing one is ABSENT.

    What is out of the range by more than its width stays nearer than that: it differs fully.
    """
    there = np.isfinite(scale)
    least = np.min(scale, axis=0, initial=np.inf, where=there).astype(np.float64)
    greatest = np.max(scale, axis=0, initial=-np.inf, where=there).astype(np.float64)
    span = np.where(greatest > least, greatest - least, 1.0)
    lowest = np.where(np.isfinite(least), least, 0.0)
    shares = np.clip((np.nan_to_num(numbers).astype(np.float64) - lowest) / span, -1.0, 2.0)
    return np.where(np.isnan(numbers), np.float32(ABSENT), shares).astype(np.float32)
