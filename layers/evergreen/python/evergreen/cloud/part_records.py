"""What is known of a part beside its rows: in the lake, since the table's items are small."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from evergreen.cloud.runtime import Stage
from evergreen.data.ingestion import IngestedPart
from evergreen.data.observations import Observed
from evergreen.data.schema import Schema
from evergreen.registry.identity import part_checks_key, part_observed_key
from evergreen.registry.ports import Lake

MOST_WARNINGS = 50
"""That an event can carry, which has at most 256 KB; all of them lie in the lake."""


def write_part_records(stage: Stage, part: str, made: IngestedPart) -> None:
    """Keep what was seen of a part, and everything that its checks have found."""
    seen = {"schema": made.schema.to_plain(), **made.observed.to_plain()}
    stage.lake.write(part_observed_key(part), json.dumps(seen).encode())
    found = {
        "notes": made.notes,
        "anomalies": [anomaly.to_plain() for anomaly in made.anomalies],
        "warnings": made.warnings,
    }
    stage.lake.write(part_checks_key(part), json.dumps(found).encode())


def schema_of_part(stage: Stage, part: Mapping[str, Any]) -> Schema:
    """The columns of a part, as they were written."""
    return _read(stage.lake, part_observed_key(part["part"]))[0]


def observed_of_part(stage: Stage, part: Mapping[str, Any]) -> Observed:
    """What was seen of a part when it was written."""
    return _read(stage.lake, part_observed_key(part["part"]))[1]


def warnings_of_part(stage: Stage, part: Mapping[str, Any]) -> tuple[str, ...]:
    """What is to be known of a part, as much as an event can carry."""
    found = json.loads(stage.lake.read(part_checks_key(part["part"])))["warnings"]
    more = len(found) - MOST_WARNINGS
    return (*found[:MOST_WARNINGS], *([f"and {more:,} more"] if more > 0 else []))


@lru_cache(maxsize=256)
def _read(lake: Lake, key: str) -> tuple[Schema, Observed]:
    plain = json.loads(lake.read(key))
    return Schema.from_plain(plain["schema"]), Observed.from_plain(plain)
