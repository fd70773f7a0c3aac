"""Derivation records: work is done once, by one worker at a time, and said as often as asked."""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from evergreen.contracts.events import Event, event_id
from evergreen.contracts.facts import Fact
from evergreen.registry.identity import Derivation
from evergreen.registry.ports import Clock, Record, Table

GB_SECOND_DOLLARS = 0.0000166667
"""The x86 price of Lambda compute, us-east-1."""
MAXIMUM_ATTEMPTS = 5
RECORD = "RECORD"


class WorkInProgressError(Exception):
    """Another worker holds the lease; a retry after `until` may find the work done."""

    def __init__(self, derivation: Derivation, until: float) -> None:
        super().__init__(f"{derivation.stage} {derivation.key} is being done until {until:.0f}")
        self.until = until


class LeaseLostError(Exception):
    """The lease was taken over while the work was done; the other worker's output counts."""


@dataclass(frozen=True)
class Outcome:
    """What work made (`output`, small JSON values: digests and counts) and says."""

    facts: tuple[Fact, ...]
    output: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Derived:
    """The events to say for a derivation, its output, and whether the work was done just now."""

    events: tuple[Event, ...]
    output: Mapping[str, Any]
    fresh: bool


@dataclass(frozen=True)
class Trigger:
    """What asked for work: its correlation, and the message to send again if a worker dies."""

    correlation_id: str
    message: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Ledger:
    """The derivation records of the catalogue table.

    `lease_seconds` must outlive the function's own deadline: only then does a lease that ran
    out prove that its worker is gone.
    """

    table: Table
    clock: Clock
    lease_seconds: float
    memory_mb: int = 0

    def derive(
        self, derivation: Derivation, trigger: Trigger, work: Callable[[], Outcome]
    ) -> Derived:
        """Do `work` unless its output exists; either way, the events that it says.

        Raises WorkInProgressError while another worker holds the lease and LeaseLostError when
        it was lost meanwhile; whatever `work` raises is recorded and raised again.
        """
        pk = f"DERIVATION#{derivation.key}"
        now = self.clock()
        record = self.table.get(pk, RECORD)
        if record and record.body["status"] == "done":
            return _said_again(record)
        if record and record.body["status"] == "running":
            until = float(record.body["lease_until"])
            if until > now.timestamp():
                raise WorkInProgressError(derivation, until)
        fence = record.version if record else 0
        attempts = int(record.body["attempts"]) + 1 if record else 1
        body = {
            "stage": derivation.stage,
            "project": derivation.project,
            "inputs": dict(derivation.inputs),
            "correlation_id": trigger.correlation_id,
            "trigger": dict(trigger.message),
            "attempts": attempts,
            "started_at": now.isoformat(),
        }
        until = now.timestamp() + self.lease_seconds
        running = {**body, "status": "running", "lease_until": until}
        if not self.table.put(pk, RECORD, running, expected=fence, open_until=until):
            raise WorkInProgressError(derivation, until)
        try:
            outcome = work()
        except Exception as error:
            failed = {
                **body,
                "status": "failed",
                "error": f"{type(error).__name__}: {error}"[:2000],
            }
            self.table.put(
                pk, RECORD, failed, expected=fence + 1, open_until=self.clock().timestamp() + 60
            )
            raise
        return self._finish(pk, derivation, body, fence + 1, now, outcome)

    def _finish(
        self,
        pk: str,
        derivation: Derivation,
        body: dict[str, Any],
        fence: int,
        started: datetime,
        outcome: Outcome,
    ) -> Derived:
        ended = self.clock()
        seconds = (ended - started).total_seconds()
        events = tuple(
            Event(fact, event_id(derivation.key, fact), body["correlation_id"], ended)
            for fact in outcome.facts
        )
        done = {
            **body,
            "status": "done",
            "output": dict(outcome.output),
            "events": [event.to_plain() for event in events],
            "ended_at": ended.isoformat(),
            "seconds": round(seconds, 3),
            "peak_mb": peak_memory_mb(),
            "dollars": round(seconds * self.memory_mb / 1024 * GB_SECOND_DOLLARS, 9),
        }
        del done["trigger"]
        if not self.table.put(pk, RECORD, done, expected=fence):
            raise LeaseLostError(f"{derivation.stage} {derivation.key}")
        for name, value in outcome.output.items():
            if isinstance(value, str):
                self.table.put(
                    f"OUTPUT#{value}",
                    f"{name}#{derivation.key}",
                    {"derivation": derivation.key, "name": name},
                    expected=0,
                )
        return Derived(events, outcome.output, fresh=True)


def find_done(table: Table, derivation: Derivation) -> Derived | None:
    """The output and events of a derivation that is done, or None."""
    record = table.get(f"DERIVATION#{derivation.key}", RECORD)
    return _said_again(record) if record and record.body["status"] == "done" else None


def _said_again(record: Record) -> Derived:
    events = tuple(Event.from_plain(plain) for plain in record.body["events"])
    return Derived(events, record.body["output"], fresh=False)


def peak_memory_mb() -> int:
    """The peak resident size of this process so far, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak // (1024 * 1024 if sys.platform == "darwin" else 1024))
