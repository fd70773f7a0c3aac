"""What changed between two versions of a dataset: parts, columns, rows, and how values lie."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

Plain = Mapping[str, Any]


@dataclass(frozen=True)
class ColumnMove:
    """How one column's values lie in both versions.

    `distance` is, of numbers and times, the greatest distance of the two distribution functions
    (Kolmogorov), read from histograms; of texts the share of rows that would have to take another
    value (total variation), over the most frequent values. None where there is nothing to compare.
    """

    column: str
    distance: float | None
    nulls_before: float
    nulls_after: float
    mean_before: float | None = None
    mean_after: float | None = None


@dataclass(frozen=True)
class VersionDiff:
    """The changes from one version to another; `moves` begin with the greatest."""

    before: str
    after: str
    rows_before: int
    rows_after: int
    parts_added: tuple[str, ...]
    parts_removed: tuple[str, ...]
    parts_replaced: tuple[str, ...]
    columns_added: tuple[str, ...]
    columns_removed: tuple[str, ...]
    columns_changed: tuple[str, ...]
    moves: tuple[ColumnMove, ...]

    def to_plain(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


def compare_versions(
    before: Plain, after: Plain, profiles: tuple[Plain | None, Plain | None] = (None, None)
) -> VersionDiff:
    """Compare two version records (`version`, `rows`, `parts`, `schema`), with their profiles."""
    old, new = before["parts"], after["parts"]
    was = {column["name"].casefold(): column for column in before["schema"]}
    now = {column["name"].casefold(): column for column in after["schema"]}
    return VersionDiff(
        before["version"],
        after["version"],
        before["rows"],
        after["rows"],
        tuple(sorted(set(new) - set(old))),
        tuple(sorted(set(old) - set(new))),
        tuple(sorted(k for k in set(old) & set(new) if old[k]["digest"] != new[k]["digest"])),
        tuple(now[name]["name"] for name in now if name not in was),
        tuple(was[name]["name"] for name in was if name not in now),
        tuple(
            f"{now[name]['name']}: {was[name]['type']} → {now[name]['type']}"
            for name in now
            if name in was and was[name]["type"] != now[name]["type"]
        ),
        _moves(*profiles),
    )


def _moves(before: Plain | None, after: Plain | None) -> tuple[ColumnMove, ...]:
    if before is None or after is None:
        return ()
    was = {column["name"].casefold(): column for column in before["columns"]}
    moves = [
        _move(was[column["name"].casefold()], column)
        for column in after["columns"]
        if column["name"].casefold() in was
    ]
    return tuple(sorted(moves, key=lambda move: -(move.distance or 0)))


def _move(before: Plain, after: Plain) -> ColumnMove:
    return ColumnMove(
        after["name"],
        _distance(before, after),
        _share(before["nulls"], before),
        _share(after["nulls"], after),
        before.get("mean"),
        after.get("mean"),
    )


def _share(nulls: int, column: Plain) -> float:
    rows = nulls + column["count"]
    return round(nulls / rows, 6) if rows else 0.0


def _distance(before: Plain, after: Plain) -> float | None:
    if before["type"] != after["type"] or not (before["count"] and after["count"]):
        return None
    if before.get("histogram") and after.get("histogram"):
        return round(_of_functions(before["histogram"], after["histogram"]), 6)
    if before.get("top") and after.get("top"):
        return round(_of_shares(before, after), 6)
    return None


def _of_functions(before: Plain, after: Plain) -> float:
    """The greatest distance of two distribution functions, at the edges of both histograms."""
    one, other = _Function.of(before), _Function.of(after)
    return max(abs(one.at(edge) - other.at(edge)) for edge in (*one.edges, *other.edges))


@dataclass(frozen=True)
class _Function:
    """A distribution function, known at edges and straight between them."""

    edges: tuple[float, ...]
    below: tuple[float, ...]

    @staticmethod
    def of(histogram: Plain) -> _Function:
        """From counts between edges, and those beyond either end."""
        counts = histogram["counts"]
        total = sum(counts) + histogram.get("below", 0) + histogram.get("above", 0)
        sums = [histogram.get("below", 0)]
        for count in counts:
            sums.append(sums[-1] + count)
        edges = tuple(_number(edge) for edge in histogram["edges"])
        return _Function(edges, tuple(each / max(1, total) for each in sums))

    def at(self, value: float) -> float:
        """The share of values up to `value`."""
        place = bisect_right(self.edges, value)
        if place == 0:
            return self.below[0] if value == self.edges[0] else 0.0
        if place == len(self.edges):
            return self.below[-1] if value == self.edges[-1] else 1.0
        left, right = self.edges[place - 1], self.edges[place]
        part = (value - left) / (right - left)
        return self.below[place - 1] + part * (self.below[place] - self.below[place - 1])


def _number(edge: float | str) -> float:
    if isinstance(edge, str):
        moment = datetime.fromisoformat(edge)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return float(edge)


def _of_shares(before: Plain, after: Plain) -> float:
    one, other = _shares(before), _shares(after)
    return sum(abs(one.get(each, 0) - other.get(each, 0)) for each in {*one, *other}) / 2


def _shares(column: Plain) -> dict[str, float]:
    shown = dict(_counts(column["top"]))
    total = max(column["count"], sum(shown.values()))
    shares = {value: rows / total for value, rows in shown.items()}
    return {**shares, "": 1 - sum(shares.values())}


def _counts(top: Sequence[Sequence[Any]]) -> Iterator[tuple[str, int]]:
    for value, rows in top:
        yield f"={value}", int(rows)
