"""What changed between two versions of a dataset: parts, columns, rows, and how values lie."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from evergreen.data.schema import WIDER

SECONDS_PER_YEAR = 365.2425 * 86_400
Plain = Mapping[str, Any]


@dataclass(frozen=True)
class ColumnMove:
    """How one column's values lie in both versions.

    `distance` is, of numbers and times, the greatest distance of the two distribution functions
    (Kolmogorov), to a hundredth; of others the share of rows that have another value (total
    variation), at least: of values that are among the most frequent in one version only, the other
    may have as many as of its own. None where there is nothing to compare.
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
    kinds = frozenset({before["type"], after["type"]})
    if (len(kinds) > 1 and kinds not in WIDER) or not (before["count"] and after["count"]):
        return None
    if before.get("hundredths") and after.get("hundredths"):
        return round(_of_functions(before["hundredths"], after["hundredths"]), 6)
    if before.get("top") and after.get("top"):
        return round(_of_shares(before, after), 6)
    return None


def _of_functions(before: Sequence[float | str], after: Sequence[float | str]) -> float:
    """The greatest distance of two distribution functions, each known by as many rising values."""
    one, other = (sorted(map(_number, values)) for values in (before, after))
    return max(
        abs(bisect_right(one, at) / len(one) - bisect_right(other, at) / len(other))
        for at in (*one, *other)
    )


def _number(edge: float | str) -> float:
    if isinstance(edge, str):
        if edge.startswith("year "):  # beyond what a datetime holds
            return (int(edge.removeprefix("year ")) - 1970) * SECONDS_PER_YEAR
        moment = datetime.fromisoformat(edge)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return float(edge)


def _of_shares(before: Plain, after: Plain) -> float:
    one, other = _Shares.of(before), _Shares.of(after)
    rest, others_rest, apart = one.rest, other.rest, 0.0
    for value in sorted({*one.shown, *other.shown}):
        here, there = one.shown.get(value), other.shown.get(value)
        if here is None:
            here = min(there or 0, one.least, rest)
            rest -= here
        if there is None:
            there = min(here, other.least, others_rest)
            others_rest -= there
        apart += abs(here - there)
    return (apart + abs(rest - others_rest)) / 2


@dataclass(frozen=True)
class _Shares:
    """The shares of the values that are shown, of all others together, and at most of one."""

    shown: Mapping[str, float]
    rest: float
    least: float

    @staticmethod
    def of(column: Plain) -> _Shares:
        rows = {str(value): int(often) for value, often in column["top"]}
        total = max(column["count"], sum(rows.values()))
        shown = {value: often / total for value, often in rows.items()}
        rest = (total - sum(rows.values())) / total
        return _Shares(shown, rest, min(shown.values()) if rest else 0.0)
