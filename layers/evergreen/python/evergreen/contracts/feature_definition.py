"""What an online feature is: whose events, which aggregates of them, over how long."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, get_args

Function = Literal["sum", "mean", "min", "max", "last", "distinct", "count"]

FUNCTIONS: tuple[Function, ...] = get_args(Function)

NUMERIC: frozenset[Function] = frozenset({"sum", "mean", "min", "max"})
"""Functions whose column holds numbers."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Aggregate:
    """One column that a feature gives: a function of a column over the last `over` (µs)."""

    name: str
    function: Function
    column: str | None
    over: int


@dataclass(frozen=True)
class Definition:
    """A feature. Its events have an `entity`, a `time` and an `id` column.

    `at` is the column of a row that says as of when the row wants its aggregates.
    """

    name: str
    dataset: str
    entity: str
    time: str
    id: str
    aggregates: tuple[Aggregate, ...]
    at: str | None = None

    @property
    def longest(self) -> int:
        """The longest window (µs)."""
        return max(each.over for each in self.aggregates)

    @property
    def columns(self) -> tuple[str, ...]:
        """The aggregated columns, sorted."""
        return tuple(sorted({each.column for each in self.aggregates if each.column}))

    @property
    def numbers(self) -> frozenset[str]:
        """Those of them that must hold numbers."""
        used = (each for each in self.aggregates if each.function in NUMERIC)
        return frozenset(each.column for each in used if each.column)

    def to_plain(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)

    @staticmethod
    def from_plain(plain: Mapping[str, Any]) -> Definition:
        """Read what `to_plain` gave."""
        aggregates = tuple(Aggregate(**each) for each in plain["aggregates"])
        return Definition(**{**plain, "aggregates": aggregates})


def stream_of(project: str, definition: Definition) -> str:
    """Name of the events that a definition reads: features that agree on the columns share it."""
    columns = json.dumps([definition.entity, definition.time, definition.id])
    digest = hashlib.sha256(columns.encode()).hexdigest()[:8]
    return f"{project}#{definition.dataset}#{digest}"


def microseconds(span: timedelta) -> int:
    """A span in whole microseconds."""
    return span // timedelta(microseconds=1)


def instant(moment: datetime) -> int:
    """Microseconds since 1970 of a moment; one without a zone is UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return microseconds(aware - EPOCH)


def moment_of(time: int) -> datetime:
    """The moment (UTC) of microseconds since 1970."""
    return EPOCH + timedelta(microseconds=time)
