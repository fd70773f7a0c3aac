"""Handlers over the ports in memory."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from evergreen.contracts.events import Event
from evergreen.contracts.facts import Fact
from evergreen.registry.catalogue import Catalogue
from evergreen.registry.memory import MemoryBus, MemoryLake, MemoryTable

ROOT = Path(__file__).parents[3]
CONTEXT = SimpleNamespace(
    function_name="f", aws_request_id="r", get_remaining_time_in_millis=lambda: 1000
)


@dataclass
class Function:
    """A handler whose table, lake and bus are in memory."""

    app: ModuleType
    table: MemoryTable = field(default_factory=MemoryTable)
    lake: MemoryLake = field(default_factory=MemoryLake)
    bus: MemoryBus = field(default_factory=MemoryBus)

    def __post_init__(self) -> None:
        # Where `Stage` keeps what it has connected to.
        vars(self.app.stage).update(table=self.table, lake=self.lake, bus=self.bus)

    @property
    def catalogue(self) -> Catalogue:
        return Catalogue(self.table)

    @property
    def said(self) -> list[Fact]:
        return [event.fact for event in self.bus.events]

    def take(self, *bodies: Any) -> list[str]:
        """Handle a batch of messages; the ids of those that failed."""
        records = [
            {"messageId": f"m{n}", "body": json.dumps(body), "eventSource": "aws:sqs"}
            for n, body in enumerate(bodies)
        ]
        answer = self.app.handler({"Records": records}, CONTEXT)
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def hear(self, event: Event) -> list[str]:
        """Handle one event of the bus."""
        plain = event.to_plain()
        return self.take({"detail-type": plain["name"], "detail": plain["detail"]})


@pytest.fixture
def function() -> Callable[[str], Function]:
    """Load the handler of a stage by its name, anew."""

    def load(name: str) -> Function:
        path = ROOT / "functions" / name / "app.py"
        spec = importlib.util.spec_from_file_location(f"app_{name}", path)
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return Function(module)

    return load
