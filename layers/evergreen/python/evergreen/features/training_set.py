"""A training set in the form that trials read: arrays in one `.npz`, nothing pickled."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evergreen.features.encoding import MISSING_CATEGORY, Encoded
from evergreen.features.signature import Signature, Task


@dataclass(frozen=True)
class TrainingSet:
    """Encoded rows with their target, in time order where the project declares a time.

    `target`: float64 (rows,) for regression, int64 class index (rows,) otherwise.
    `holdout`: bool (rows,), True for the rows that no search and no fit may see.
    `groups`: int64 (rows,), equal where rows must stay on one side of a split; empty if unused.
    `ordered`: rows are in time order, so that validation looks forward in time.
    """

    signature: Signature
    rows: Encoded
    target: NDArray[np.float64] | NDArray[np.int64]
    holdout: NDArray[np.bool_]
    groups: NDArray[np.int64]
    ordered: bool

    def __len__(self) -> int:
        return len(self.rows)

    def part(self, holdout: bool) -> TrainingSet:  # noqa: FBT001 - always said by name
        """Only the holdout rows, or only the rows to learn from."""
        chosen = self.holdout if holdout else ~self.holdout
        return TrainingSet(
            self.signature,
            self.rows.take(chosen),
            self.target[chosen],
            self.holdout[chosen],
            self.groups[chosen] if self.groups.size else self.groups,
            self.ordered,
        )

    def with_columns(self, signature: Signature) -> TrainingSet:
        """The same rows with the columns of `signature`, in its order.

        A column that this training set lacks is missing in every row.
        """
        numbers = np.full((len(self), len(signature.number_names)), np.nan, dtype=np.float32)
        categories = np.full((len(self), len(signature.category_names)), MISSING_CATEGORY, object)
        _copy(self.rows.numbers, self.signature.number_names, numbers, signature.number_names)
        _copy(
            self.rows.categories,
            self.signature.category_names,
            categories,
            signature.category_names,
        )
        terms = len(signature.term_names)
        return replace(self, signature=signature, rows=Encoded(numbers, categories, terms))

    def to_bytes(self) -> bytes:
        """One `.npz`; categories are stored as codes into a list of the texts that occur."""
        texts, codes = np.unique(self.rows.categories.astype(str), return_inverse=True)
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            signature=np.frombuffer(self.signature.to_json().encode(), dtype=np.uint8),
            numbers=self.rows.numbers,
            category_codes=codes.reshape(self.rows.categories.shape).astype(np.int32),
            category_texts=texts.astype(str),
            target=self.target,
            holdout=self.holdout,
            groups=self.groups,
            ordered=np.array(self.ordered),
        )
        return buffer.getvalue()

    @staticmethod
    def from_bytes(content: bytes) -> TrainingSet:
        """Read what `to_bytes` wrote."""
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            texts = arrays["category_texts"].astype(object)
            codes = arrays["category_codes"]
            categories = texts[codes] if texts.size else np.empty(codes.shape, dtype=object)
            signature = Signature.from_json(arrays["signature"].tobytes())
            return TrainingSet(
                signature=signature,
                rows=Encoded(arrays["numbers"], categories, len(signature.term_names)),
                target=arrays["target"],
                holdout=arrays["holdout"],
                groups=arrays["groups"],
                ordered=bool(arrays["ordered"]),
            )

    @property
    def is_classification(self) -> bool:
        """Whether the target is a class index."""
        return self.signature.task is not Task.REGRESSION


def _copy(
    source: NDArray[Any], names: tuple[str, ...], target: NDArray[Any], wanted: tuple[str, ...]
) -> None:
    place = {name: index for index, name in enumerate(names)}
    for index, name in enumerate(wanted):
        if name in place:
            target[:, index] = source[:, place[name]]
