"""How each column goes with the target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evergreen.data.association import correlation_ratio, cramers_v
from evergreen.data.described_rows import Values
from evergreen.data.distributions import Distribution, told
from evergreen.data.ranks import ranks

MOST_CLASSES = 6
MOST_NUMBERS_AS_LEVELS = 10
"""Numbers with more different values than this are put into bins, and are no classes."""

BINS = 10
MOST_SHOWN = 12
MISSING = "missing"
OTHERS = "other values"

RATIO = "correlation ratio of the target's ranks (bias-corrected)"
CRAMERS_V = "Cramér's V (bias-corrected)"


@dataclass(frozen=True)
class Target:
    """The column that others are held against; without `classes` it is a number.

    `mean`: of a number; `shares`: of the classes; both over the `rows` that have a target and
    were looked at.
    """

    column: str
    rows: int
    classes: tuple[str, ...] = ()
    shares: tuple[float, ...] = ()
    mean: float | None = None


@dataclass(frozen=True)
class Group:
    """Rows with like values of a column: the target's mean there, or the shares of its classes."""

    label: str
    rows: int
    mean: float | None = None
    shares: tuple[float, ...] = ()


@dataclass(frozen=True)
class Relation:
    """How strongly a column goes with the target (0 to 1), by which method, and how it looks.

    Missing is a group of its own: that a value is missing may tell something. `pearson` and
    `spearman` are there where both are numbers.
    """

    strength: float
    method: str
    groups: tuple[Group, ...]
    pearson: float | None = None
    spearman: float | None = None


@dataclass(frozen=True)
class Related:
    """The target, and the relation of each column to it: None for the target itself."""

    target: Target | None
    relations: tuple[Relation | None, ...]


def relate(
    arrays: Sequence[Values], distributions: Sequence[Distribution], target: str | None
) -> Related:
    """Hold every column against the column named `target`, in the rows that have one."""
    nothing = Related(None, (None,) * len(arrays))
    names = [each.field.column.name.casefold() for each in arrays]
    if target is None or target.casefold() not in names:
        return nothing
    place = names.index(target.casefold())
    wanted, distribution = arrays[place], distributions[place]
    rows = wanted.present
    if wanted.field.is_time or not rows.any():
        return nothing
    if _is_number(wanted, distribution):
        numbers = wanted.values[rows].astype(np.float64)
        found = Target(wanted.field.column.name, int(rows.sum()), mean=float(numbers.mean()))
        ranked = ranks(numbers)
        relations = [
            _to_number(each, distributions[i], rows, numbers, ranked)
            for i, each in enumerate(arrays)
        ]
    else:
        labels, codes = _classes(wanted, distribution)
        shares = np.bincount(codes, minlength=len(labels)) / len(codes)
        found = Target(
            wanted.field.column.name, len(codes), labels, tuple(round(float(s), 6) for s in shares)
        )
        relations = [
            _to_classes(each, distributions[i], rows, codes, len(labels))
            for i, each in enumerate(arrays)
        ]
    return Related(found, tuple(None if i == place else each for i, each in enumerate(relations)))


def _is_number(each: Values, distribution: Distribution) -> bool:
    if each.field.column.type == "number":
        return distribution.distinct > MOST_NUMBERS_AS_LEVELS or any(
            not float(level.value).is_integer() for level in distribution.levels
        )
    return each.field.is_number and distribution.distinct > MOST_NUMBERS_AS_LEVELS


def _classes(
    wanted: Values, distribution: Distribution
) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """The most frequent classes, the others as one, and each row's."""
    labels, codes = _levels(wanted, distribution, wanted.present, MOST_CLASSES)
    return labels, codes


def _to_number(
    each: Values,
    distribution: Distribution,
    rows: NDArray[np.bool_],
    numbers: NDArray[np.float64],
    ranked: NDArray[np.float64],
) -> Relation:
    labels, codes = _grouped(each, distribution, rows)
    sizes = np.bincount(codes, minlength=len(labels))
    sums = np.bincount(codes, weights=numbers, minlength=len(labels))
    groups = [
        Group(label, int(size), mean=float(f"{total / size:.6g}"))
        for label, size, total in zip(labels, sizes, sums, strict=True)
        if size
    ]
    pearson = spearman = None
    if each.field.is_number:
        both = each.present[rows]
        values = each.values[rows][both].astype(np.float64)
        pearson = _correlation(values, numbers[both])
        # The target's ranks are those among all rows that have one.
        spearman = _correlation(ranks(values), ranked[both])
    strength = round(correlation_ratio(codes, ranked), 4)
    return Relation(strength, RATIO, _shown(groups), pearson, spearman)


def _to_classes(
    each: Values,
    distribution: Distribution,
    rows: NDArray[np.bool_],
    classes: NDArray[np.int64],
    kinds: int,
) -> Relation:
    labels, codes = _grouped(each, distribution, rows)
    table = np.bincount(codes * kinds + classes, minlength=len(labels) * kinds)
    table = table.reshape(len(labels), kinds)
    groups = [
        Group(label, int(sum(row)), shares=tuple(round(float(n / row.sum()), 4) for n in row))
        for label, row in zip(labels, table, strict=True)
        if row.sum()
    ]
    return Relation(round(cramers_v(codes, classes), 4), CRAMERS_V, _shown(groups))


def _shown(groups: Sequence[Group]) -> tuple[Group, ...]:
    """At most MOST_SHOWN groups; the other values and the missing ones are always among them."""
    last = [group for group in groups if group.label in {OTHERS, MISSING}]
    first = [group for group in groups if group.label not in {OTHERS, MISSING}]
    return (*first[: MOST_SHOWN - len(last)], *last)


def _grouped(
    each: Values, distribution: Distribution, rows: NDArray[np.bool_]
) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """A group for each of the rows: its value's, its bin's, the others', or that of the missing."""
    if each.field.is_ordered and distribution.distinct > MOST_NUMBERS_AS_LEVELS:
        return _bins(each, rows)
    return _levels(each, distribution, rows, len(distribution.levels))


def _levels(
    each: Values, distribution: Distribution, rows: NDArray[np.bool_], most: int
) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    levels = list(distribution.levels[:most])
    if each.field.is_ordered:
        levels.sort(key=lambda level: float(level.value))
    values, present = each.values[rows], each.present[rows]
    keys = np.array([level.value for level in levels], dtype=values.dtype)
    order = np.argsort(keys)
    codes = np.full(len(values), len(levels), dtype=np.int64)
    if levels:
        near = np.minimum(np.searchsorted(keys[order], values), len(levels) - 1)
        known = (keys[order][near] == values) & present
        codes[known] = order[near[known]]
    codes[~present] = len(levels) + 1
    labels = (*(level.shown for level in levels), OTHERS, MISSING)
    return labels[: int(codes.max(initial=0)) + 1], codes


def _bins(each: Values, rows: NDArray[np.bool_]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """About ten bins with as many rows each; a value that many rows share has one of its own."""
    values, present = each.values[rows], each.present[rows]
    there = values[present].astype(np.float64)
    if not len(there):
        return (MISSING,), np.zeros(len(values), dtype=np.int64)
    at, often = np.unique(np.quantile(there, np.linspace(0, 1, BINS + 1)), return_counts=True)
    shared = at[often > 1]
    rest = there[~np.isin(there, shared)]
    edges = at
    if len(shared) and len(rest):
        kept = np.linspace(0, 1, max(2, BINS - len(shared) + 1))
        edges = np.unique(np.quantile(rest, kept))
    # Every bin up to and with its last value; just before a shared value ends the bin before it.
    lasts = np.unique([*edges[1:], *shared, *np.nextafter(shared, -np.inf), edges[-1]])
    ordered = np.sort(there)
    ends = np.searchsorted(ordered, lasts, side="right")
    starts = np.concatenate([[0], ends[:-1]])
    filled = ends > starts
    codes = np.full(len(values), int(filled.sum()), dtype=np.int64)
    codes[present] = (np.cumsum(filled) - 1)[np.searchsorted(lasts, there, side="left")]
    labels = [
        _span(each, ordered[start], ordered[end - 1])
        for start, end in zip(starts[filled], ends[filled], strict=True)
    ]
    return (*labels, MISSING) if not present.all() else tuple(labels), codes


def _span(each: Values, first: float, last: float) -> str:
    least, greatest = _edge(each, first), _edge(each, last)
    return least if least == greatest else f"{least} to {greatest}"


def _edge(each: Values, value: float) -> str:
    shown = told(each.field, float(value))
    return f"{shown:.4g}" if isinstance(shown, float) else shown


def _correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float | None:
    if len(one) < 2 or one.min() == one.max() or other.min() == other.max():  # noqa: PLR2004
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        found = float(np.corrcoef(one / np.abs(one).max(), other / np.abs(other).max())[0, 1])
    return round(found, 4) if np.isfinite(found) else None
