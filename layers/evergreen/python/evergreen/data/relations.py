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
from evergreen.data.runs import Coded, Runs

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
    columns: Sequence[Coded], distributions: Sequence[Distribution], target: str | None
) -> Related:
    """Hold every column against the column named `target`, in the rows that have one."""
    nothing = Related(None, (None,) * len(columns))
    names = [each.values.field.column.name.casefold() for each in columns]
    if target is None or target.casefold() not in names:
        return nothing
    place = names.index(target.casefold())
    wanted, distribution = columns[place], distributions[place]
    name, rows = wanted.values.field.column.name, wanted.values.present
    if wanted.values.field.is_time or not rows.any():
        return nothing
    if _is_number(wanted.values, distribution):
        numbers = wanted.values.values[rows].astype(np.float64)
        found = Target(name, int(rows.sum()), mean=float(numbers.mean()))
        ranked = ranks(wanted.codes[rows])
        relations = [
            _to_number(each, distributions[i], rows, numbers, ranked)
            for i, each in enumerate(columns)
        ]
    else:
        # The most frequent classes, the others as one.
        labels, codes = _levels(wanted, distribution, rows, MOST_CLASSES)
        shares = np.bincount(codes, minlength=len(labels)) / len(codes)
        found = Target(name, len(codes), labels, tuple(round(float(s), 6) for s in shares))
        relations = [
            _to_classes(each, distributions[i], rows, codes, len(labels))
            for i, each in enumerate(columns)
        ]
    return Related(found, tuple(None if i == place else each for i, each in enumerate(relations)))


def _is_number(each: Values, distribution: Distribution) -> bool:
    if each.field.column.type == "number":
        return distribution.distinct > MOST_NUMBERS_AS_LEVELS or any(
            not float(level.value).is_integer() for level in distribution.levels
        )
    return each.field.is_number and distribution.distinct > MOST_NUMBERS_AS_LEVELS


def _to_number(
    each: Coded,
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
    if each.values.field.is_number:
        both = each.values.present & rows
        among = each.values.present[rows]
        values = each.values.values[both].astype(np.float64)
        pearson = _correlation(values, numbers[among])
        # The target's ranks are those among all rows that have one.
        spearman = _correlation(ranks(each.codes[both]), ranked[among])
    strength = round(correlation_ratio(codes, ranked), 4)
    return Relation(strength, RATIO, _shown(groups), pearson, spearman)


def _to_classes(
    each: Coded,
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
    each: Coded, distribution: Distribution, rows: NDArray[np.bool_]
) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """A group for each of the rows: its value's, its bin's, the others', or that of the missing."""
    if each.values.field.is_ordered and distribution.distinct > MOST_NUMBERS_AS_LEVELS:
        return _bins(each, rows)
    return _levels(each, distribution, rows, len(distribution.levels))


def _levels(
    each: Coded, distribution: Distribution, rows: NDArray[np.bool_], most: int
) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    levels = list(distribution.levels[:most])
    if each.values.field.is_ordered:
        levels.sort(key=lambda level: float(level.value))
    distinct = each.runs.distinct
    level_of = np.full(len(distinct) + 1, len(levels), dtype=np.int64)
    level_of[each.missing] = len(levels) + 1
    if levels and len(distinct):
        wanted = np.array([level.value for level in levels], dtype=distinct.dtype)
        near = np.minimum(np.searchsorted(distinct, wanted), len(distinct) - 1)
        there = distinct[near] == wanted
        level_of[near[there]] = np.flatnonzero(there)
    codes = level_of[each.codes[rows]]
    labels = (*(level.shown for level in levels), OTHERS, MISSING)
    return labels[: int(codes.max(initial=0)) + 1], codes


def _bins(each: Coded, rows: NDArray[np.bool_]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """About ten bins with as many rows each; a value that many rows share has one of its own."""
    codes = each.codes[rows]
    often = np.bincount(codes, minlength=each.missing + 1)
    some = often[: each.missing] > 0
    runs = Runs(each.runs.distinct[some].astype(np.float64), often[: each.missing][some])
    if not runs.count:
        return (MISSING,), np.zeros(len(codes), dtype=np.int64)
    at, times = np.unique(runs.quantiles(np.linspace(0, 1, BINS + 1)), return_counts=True)
    shared = at[times > 1]
    rest = runs.where(~np.isin(runs.distinct, shared))
    edges = at
    if len(shared) and rest.count:
        kept = np.linspace(0, 1, max(2, BINS - len(shared) + 1))
        edges = np.unique(rest.quantiles(kept))
    # Every bin up to and with its last value; just before a shared value ends the bin before it.
    lasts = np.unique([*edges[1:], *shared, *np.nextafter(shared, -np.inf), edges[-1]])
    ends = np.searchsorted(runs.distinct, lasts, side="right")
    starts = np.append(0, ends[:-1])
    filled = ends > starts
    bins = int(filled.sum())
    bin_of = np.full(each.missing + 1, bins, dtype=np.int64)
    bin_of[: each.missing][some] = (np.cumsum(filled) - 1)[np.searchsorted(lasts, runs.distinct)]
    labels = [
        _span(each.values, runs.distinct[start], runs.distinct[end - 1])
        for start, end in zip(starts[filled], ends[filled], strict=True)
    ]
    missing = (MISSING,) if often[each.missing] else ()
    return (*labels, *missing), bin_of[codes]


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
