"""Following a project's journey until what is waited for has happened."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Iterator
from typing import Any

from evergreen.registry.journey import read_journey
from evergreen.registry.ports import Table

Entry = dict[str, Any]


class JourneyStalledError(RuntimeError):
    """What was waited for did not happen in time; the message says what happened last."""


class Journey:
    """Reads a project's journey, each entry once."""

    def __init__(self, table: Table, project: str) -> None:
        self._table = table
        self._project = project
        self._seen: set[str] = set()
        self.entries: list[Entry] = []
        self._unshown: deque[Entry] = deque()

    def _next(self) -> Entry | None:
        """The next entry that was not given yet, if there is one."""
        if not self._unshown:
            self._unshown.extend(self._read())
        if not self._unshown:
            return None
        self.entries.append(self._unshown.popleft())
        return self.entries[-1]

    def _read(self) -> list[Entry]:
        fresh = [
            entry
            for entry in read_journey(self._table, self._project, limit=400)
            if entry["position"] not in self._seen
        ]
        self._seen |= {entry["position"] for entry in fresh}
        return fresh

    def until(
        self,
        names: Collection[str],
        seconds: float,
        show: Callable[[str, str], None],
        count: int = 1,
    ) -> Entry:
        """Show entries until `count` of the named facts have happened; the last of them.

        Raises JourneyStalledError after `seconds`.
        """
        found: list[Entry] = []
        for entry in self._stream(seconds):
            show(entry["name"], entry["summary"])
            if entry["name"] in names:
                found.append(entry)
                if len(found) == count:
                    return entry
        last = self.entries[-1]["summary"] if self.entries else "nothing happened"
        raise JourneyStalledError(
            f"{' or '.join(names)} did not happen within {seconds:.0f} s; the last was: {last}. "
            "The functions' logs are in .local (make up; python -m local logs)."
        )

    def settle(
        self, quiet_seconds: float, seconds: float, show: Callable[[str, str], None]
    ) -> None:
        """Show entries until nothing new has come for a while."""
        last = time.monotonic()
        deadline = last + seconds
        while time.monotonic() < min(deadline, last + quiet_seconds):
            while entry := self._next():
                show(entry["name"], entry["summary"])
                last = time.monotonic()
            time.sleep(0.1)

    def _stream(self, seconds: float) -> Iterator[Entry]:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            while entry := self._next():
                yield entry
            time.sleep(0.1)
