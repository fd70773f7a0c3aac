"""The ports in memory: for tests and for running a stage in a plain interpreter."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

from evergreen.contracts.events import Event
from evergreen.registry.ports import NotInLakeError, Record


class MemoryTable:
    """A catalogue table in a dict; bodies pass through JSON as they do in the real one.

    Threads may race for a record as workers do.
    """

    def __init__(self) -> None:
        self._items: dict[tuple[str, str], tuple[int, str, float | None]] = {}
        self._lock = Lock()

    def get(self, pk: str, sk: str) -> Record | None:
        """See Table."""
        item = self._items.get((pk, sk))
        return Record(pk, sk, item[0], json.loads(item[1])) if item else None

    def put(
        self,
        pk: str,
        sk: str,
        body: Mapping[str, Any],
        *,
        expected: int,
        open_until: float | None = None,
    ) -> bool:
        """See Table."""
        written = (expected + 1, json.dumps(dict(body), allow_nan=False), open_until)
        with self._lock:
            item = self._items.get((pk, sk))
            if (item[0] if item else 0) != expected:
                return False
            self._items[pk, sk] = written
            return True

    def query(
        self, pk: str, prefix: str = "", *, newest_first: bool = False, limit: int | None = None
    ) -> Sequence[Record]:
        """See Table."""
        found = sorted(
            (
                Record(pk, sk, item[0], json.loads(item[1]))
                for (owner, sk), item in self._items.copy().items()
                if owner == pk and sk.startswith(prefix)
            ),
            key=lambda record: record.sk,
            reverse=newest_first,
        )
        return found[:limit]

    def overdue(self, now: float) -> Sequence[Record]:
        """See Table."""
        return [
            Record(pk, sk, version, json.loads(body))
            for (pk, sk), (version, body, until) in self._items.copy().items()
            if until is not None and until < now
        ]


class MemoryLake:
    """A lake in a dict."""

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}

    def read(self, key: str) -> bytes:
        """See Lake."""
        try:
            return self.contents[key]
        except KeyError:
            raise NotInLakeError(key) from None

    def write(self, key: str, content: bytes) -> None:
        """See Lake."""
        self.contents.setdefault(key, content)

    def keys(self, prefix: str) -> Sequence[str]:
        """See Lake."""
        return sorted(key for key in self.contents if key.startswith(prefix))

    def fetch(self, key: str, path: Path) -> Path:
        """Copy an object to a file; raises NotInLakeError."""
        path.write_bytes(self.read(key))
        return path

    def store(self, path: Path, key: str) -> None:
        """Copy a file to an object, written once."""
        self.write(key, path.read_bytes())


class MemoryBus:
    """A bus that keeps what was published."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def publish(self, events: Sequence[Event]) -> None:
        """See Bus."""
        self.events.extend(events)
