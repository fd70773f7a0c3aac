"""Cohen's kappa: how far two labellers agree beyond what chance would give."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FEWEST_ROWS = 10
"""Pairs of labellers with fewer rows in common are counted, but get no kappa."""

NORMAL_95 = 1.959963984540054


@dataclass(frozen=True)
class Agreement:
    """Two labellers on the rows that both have labelled.

    `agreed` is the share of equal labels. `kappa` with its 95 % interval is None where there are
    too few rows, or where both gave one and the same label to all: chance then explains all.
    """

    labellers: tuple[str, str]
    rows: int
    agreed: float
    kappa: float | None = None
    lower: float | None = None
    upper: float | None = None

    @property
    def sentence(self) -> str:
        """As a person would say it."""
        first, second = self.labellers
        said = f"'{first}' and '{second}' agree in {self.agreed:.0%} of {self.rows:,} rows"
        if self.kappa is None:
            return said
        return f"{said} (kappa {self.kappa:.2f}, 95 % from {self.lower:.2f} to {self.upper:.2f})"

    def to_plain(self) -> dict[str, Any]:
        """As JSON values."""
        return {**asdict(self), "labellers": list(self.labellers)}


def agreement(labellers: tuple[str, str], pairs: Mapping[tuple[str, str], int]) -> Agreement:
    """Compare two labellers; `pairs` counts the rows by (label of the first, of the second)."""
    labels = sorted({label for pair in pairs for label in pair})
    place = {label: index for index, label in enumerate(labels)}
    table = np.zeros((len(labels), len(labels)))
    for (first, second), rows in pairs.items():
        table[place[first], place[second]] += rows
    rows = int(table.sum())
    agreed = float(np.trace(table) / rows)
    found = cohens_kappa(table) if rows >= FEWEST_ROWS else None
    if found is None:
        return Agreement(labellers, rows, agreed)
    kappa, error = found
    slack = NORMAL_95 * error
    return Agreement(
        labellers, rows, agreed, kappa, max(kappa - slack, -1.0), min(kappa + slack, 1.0)
    )


def cohens_kappa(table: NDArray[np.float64]) -> tuple[float, float] | None:
    """Kappa and its standard error; None where both labellers only know one and the same label.

    `table` (labels, labels) counts rows by the first's label and the second's. Kappa is
    (p_o - p_e) / (1 - p_e) (Cohen 1960, "A coefficient of agreement for nominal scales"); the error
    is the large-sample one for a kappa that need not be 0 (Fleiss, Cohen and Everitt 1969, "Large
    sample standard errors of kappa and weighted kappa", equation 13). It is 0 for labellers that
    never disagreed, however few their rows.
    """
    rows = table.sum()
    shares = table / rows
    first, second = shares.sum(axis=1), shares.sum(axis=0)
    chance = float(first @ second)
    if math.isclose(chance, 1.0):
        return None
    diagonal = np.diag(shares)
    kappa = (float(diagonal.sum()) - chance) / (1 - chance)
    margins = second[:, None] + first[None, :]
    hits = diagonal @ (1 - np.diag(margins) * (1 - kappa)) ** 2
    squares = shares * margins**2
    misses = (1 - kappa) ** 2 * (squares.sum() - np.trace(squares))
    variance = (hits + misses - (kappa - chance * (1 - kappa)) ** 2) / (rows * (1 - chance) ** 2)
    return kappa, math.sqrt(max(float(variance), 0.0))
