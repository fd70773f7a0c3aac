"""What the domain needs of the world: a table, a lake, a bus, a clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:  # predict reads the lake, and starts without Pydantic
    from evergreen.contracts.events import Event

Clock = Callable[[], datetime]
"""Now, with its time zone (UTC)."""


@dataclass(frozen=True)
class Record:
    """One item of the catalogue table; `version` counts its writes, from 1."""

    pk: str
    sk: str
    version: int
    body: Mapping[str, Any] = field(default_factory=dict)


class Table(Protocol):
    """The catalogue: JSON bodies under two keys, replaced by compare-and-set on their version."""

    def get(self, pk: str, sk: str) -> Record | None:
        """The newest write of a record (consistent), or None."""
        ...

    def put(
        self,
        pk: str,
        sk: str,
        body: Mapping[str, Any],
        *,
        expected: int,
        open_until: float | None = None,
    ) -> bool:
        """Write version `expected + 1` if the record's version is `expected` (0: it is absent).

        False, and nothing written, otherwise. `open_until` (epoch seconds) lists the record as
        work in progress until it is written again without.
        """
        ...

    def query(
        self, pk: str, prefix: str = "", *, newest_first: bool = False, limit: int | None = None
    ) -> Sequence[Record]:
        """The records of `pk` whose `sk` begins with `prefix`, in the order of `sk`."""
        ...

    def overdue(self, now: float) -> Sequence[Record]:
        """The records of work in progress whose `open_until` is before `now`."""
        ...


class Lake(Protocol):
    """Immutable outputs under their keys."""

    def read(self, key: str) -> bytes:
        """The content; raises NotInLakeError."""
        ...

    def write(self, key: str, content: bytes) -> None:
        """Write once: a key that exists already is left as it is."""
        ...

    def keys(self, prefix: str) -> Sequence[str]:
        """The keys that begin with `prefix`, sorted."""
        ...


class Bus(Protocol):
    """The lifecycle bus."""

    def publish(self, events: Sequence[Event]) -> None:
        """Hand over all events, or raise."""
        ...


class NotInLakeError(KeyError):
    """Nothing lies under a key of the lake."""


class RecordTooLargeError(ValueError):
    """A record has more in it than the table keeps in one."""
