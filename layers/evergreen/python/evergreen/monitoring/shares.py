"""Shares: a variable cut into a few cells that people can read, reference beside window."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evergreen.monitoring.variables import Variable

NUMBER_CELLS = 10
CATEGORY_CELLS = 20
THOUSANDS = (1e3, 1e12)
MISSING = "missing"
OTHER = "other"


@dataclass(frozen=True)
class Shares:
    """Share of the rows per cell, each side summing to 1; `cell_of` codes values into cells."""

    labels: tuple[str, ...]
    reference: NDArray[np.float64]
    window: NDArray[np.float64]
    cell_of: Callable[[NDArray[Any]], NDArray[np.int64]]


def shares_of(variable: Variable) -> Shares:
    """Cut into the reference's tenths, or name its frequent categories; missing comes first."""
    labels, cell_of = (_tenths if variable.kind == "number" else _frequent)(variable.reference)
    size = len(labels)
    return Shares(
        labels,
        shares_in(cell_of(variable.reference), size),
        shares_in(cell_of(variable.window), size),
        cell_of,
    )


def shares_in(cells: NDArray[np.int64], size: int) -> NDArray[np.float64]:
    """Share of the rows per cell; zeros without rows."""
    return np.bincount(cells, minlength=size) / max(len(cells), 1)


def jensen_shannon(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Jensen-Shannon distance: 0 for equal shares, 1 for shares with nothing in common.

    The root of the mean relative entropy (base 2) to the mixture: Endres and Schindelin, *A new
    metric for probability distributions*, 2003. A normal distribution that moves by a quarter of
    its standard deviation moves by about 0.1.
    """
    mixture = (first + second) / 2

    def entropy_to_mixture(side: NDArray[np.float64]) -> float:
        there = side > 0
        return float(np.sum(side[there] * np.log2(side[there] / mixture[there])))

    divergence = (entropy_to_mixture(first) + entropy_to_mixture(second)) / 2
    return float(np.sqrt(min(max(divergence, 0.0), 1.0)))


def _tenths(
    reference: NDArray[Any],
) -> tuple[tuple[str, ...], Callable[[NDArray[Any]], NDArray[np.int64]]]:
    # Beyond the range has cells of its own: else a hot summer and a fire would share the top tenth.
    known = reference[~np.isnan(reference)]
    steps = np.arange(1, NUMBER_CELLS + 1) / NUMBER_CELLS
    edges = (
        np.unique(np.quantile(known, steps, method="inverted_cdf")) if known.size else np.zeros(1)
    )
    lowest = known.min() if known.size else 0.0
    said = [short(edge) for edge in edges]
    between = [f"{low} – {high}" for low, high in pairwise(said)]
    labels = (MISSING, f"< {short(lowest)}", f"≤ {said[0]}", *between, f"> {said[-1]}")

    def cell_of(values: NDArray[Any]) -> NDArray[np.int64]:
        cells = 1 + np.searchsorted(edges, values, side="left") + (values >= lowest)
        return np.where(np.isnan(values), 0, cells).astype(np.int64)

    return labels, cell_of


def _frequent(
    reference: NDArray[Any],
) -> tuple[tuple[str, ...], Callable[[NDArray[Any]], NDArray[np.int64]]]:
    counts = Counter(reference.tolist())
    counts.pop("", None)
    named = sorted(counts, key=lambda name: (-counts[name], name))[:CATEGORY_CELLS]
    cells = {"": 0} | {name: i for i, name in enumerate(named, start=1)}
    other = len(cells)

    def cell_of(values: NDArray[Any]) -> NDArray[np.int64]:
        return np.array([cells.get(name, other) for name in values.tolist()], dtype=np.int64)

    return (MISSING, *named, OTHER), cell_of


def short(value: float) -> str:
    """Write a number for people: four significant digits, thousands apart."""
    value = float(value)
    if value == 0:
        return "0"
    if THOUSANDS[0] <= abs(value) < THOUSANDS[1]:
        return f"{value:,.0f}"
    return f"{value:.4g}"
