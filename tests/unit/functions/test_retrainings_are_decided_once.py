"""`decide_retrain` asks once, says no once, and loses nothing when it ends in between."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from evergreen.contracts.events import Event, event_id
from evergreen.contracts.facts import DriftDetected, RetrainDeclined, RetrainRequested
from evergreen.contracts.project_file import ProjectFile
from tests.unit.functions.conftest import Function

FILE = ProjectFile(project="p", dataset="d", target="t")


@pytest.fixture
def decider(function: Callable[[str], Function]) -> Function:
    made = function("decide_retrain")
    made.catalogue.change_project(FILE)
    return made


def drift(end: str) -> Event:
    fact = DriftDetected(
        project="p", window=end, model="m", end=end, columns=("a",), finding="It drifted."
    )
    return Event(fact, event_id(end, fact), "c", datetime(2026, 1, 1, tzinfo=UTC))


def label(decider: Function, rows: int) -> None:
    body = {"part": f"part-{rows}", "rows": rows, "latest": "2026-01-01T00:00:00+00:00"}
    decider.catalogue.put("p", "LABELLED", f"part-{rows}", body)


def test_drift_with_new_labels_asks_for_a_retraining(decider: Function) -> None:
    label(decider, 500)
    decider.hear(drift("2026-01-02T00:00:00+00:00"))
    (asked,) = decider.said
    assert isinstance(asked, RetrainRequested)
    assert asked.feedback


def test_the_same_no_is_said_once(decider: Function) -> None:
    for day in (2, 3, 4):
        decider.hear(drift(f"2026-01-0{day}T00:00:00+00:00"))
    (declined,) = decider.said
    assert isinstance(declined, RetrainDeclined)
    assert declined.because == "few_labels"


def test_a_no_for_another_reason_is_said(decider: Function) -> None:
    decider.hear(drift("2026-01-02T00:00:00+00:00"))
    label(decider, 7)
    decider.hear(drift("2026-01-03T00:00:00+00:00"))
    assert len(decider.said) == 2


def test_a_retraining_is_asked_for_once(decider: Function) -> None:
    label(decider, 500)
    for day in (2, 3):
        decider.hear(drift(f"2026-01-0{day}T00:00:00+00:00"))
    assert [type(fact) for fact in decider.said] == [RetrainRequested, RetrainDeclined]


@pytest.mark.parametrize("dies_at", ["publish", "put"])
def test_a_retraining_whose_decider_ended_early_is_asked_for_by_the_next(
    decider: Function, dies_at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    label(decider, 500)

    def die(*_: Any, **__: Any) -> None:
        raise OSError("the worker is gone")

    with monkeypatch.context() as patch:
        if dies_at == "publish":
            patch.setattr(decider.bus, "publish", die)
        else:
            patch.setattr(type(decider.app.stage.catalogue), "put", put_but_no_decision(die))
        assert decider.hear(drift("2026-01-02T00:00:00+00:00")) == ["m0"]
    assert decider.said == []
    # The hourly schedule.
    decider.take({"detail-type": "Scheduled Event", "detail": {}})
    assert [type(fact) for fact in decider.said] == [RetrainRequested]
    (decision,) = decider.catalogue.newest("p", "DECISION")
    assert decision["decision"] == "retrain"


def put_but_no_decision(die: Callable[..., None]) -> Callable[..., None]:
    from evergreen.registry.catalogue import Catalogue

    put = Catalogue.put

    def wrapped(self: Any, project: str, kind: str, identity: str, body: Any) -> None:
        if kind == "DECISION":
            die()
        put(self, project, kind, identity, body)

    return wrapped
