"""The records of a search: which trials are finished, and which rung was closed by whom.

Fan-in is one record per trial and one conditional record per closed rung, never a counter: a
redelivered message would count twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evergreen.registry.identity import Derivation
from evergreen.registry.ports import Table


def _pk(search: str) -> str:
    return f"SEARCH#{search}"


def record_trial(table: Table, search: str, result: Mapping[str, Any]) -> None:
    """Note a trial's result, once."""
    number = int(result["trial"]["number"])
    table.put(_pk(search), f"TRIAL#{number:04}", {"result": dict(result)}, expected=0)


def finished_trials(table: Table, search: str) -> dict[int, Mapping[str, Any]]:
    """The results so far, by the trial's number."""
    return {
        int(record.body["result"]["trial"]["number"]): record.body["result"]
        for record in table.query(_pk(search), "TRIAL#")
    }


def close_rung(table: Table, search: str, rung: int, following: Mapping[str, Any]) -> None:
    """Note what follows a rung; the first to close it decides."""
    table.put(_pk(search), f"RUNG#{rung:04}", following, expected=0)


def closed_rungs(table: Table, search: str) -> dict[int, Mapping[str, Any]]:
    """What was decided after each closed rung: the numbers of the trials that follow."""
    return {
        int(record.sk.removeprefix("RUNG#")): record.body
        for record in table.query(_pk(search), "RUNG#")
    }


def ending_of(project: str, search: str) -> Derivation:
    """The work that ends a search; its record says the winner."""
    return Derivation("advance_search", project, {"search": search})
