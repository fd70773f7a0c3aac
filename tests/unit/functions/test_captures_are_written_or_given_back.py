"""`capture_predictions` stores what can be stored; the rest fails alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.functions.conftest import Function


@pytest.fixture
def capturer(function: Callable[[str], Function]) -> Function:
    return function("capture_predictions")


def capture(prediction_id: str, project: str = "p", **changed: Any) -> dict[str, Any]:
    row = {"id": prediction_id, "inputs": {"a": 1.0}, "prediction": "yes", "probabilities": None}
    message = {"project": project, "model": "m", "asked_at": "2026-01-01T00:00:00+00:00"}
    return {**message, "kinds": {"a": "number"}, "rows": [row], **changed}


def test_a_batch_becomes_one_object_per_project(capturer: Function) -> None:
    assert capturer.take(capture("1"), capture("2"), capture("3", project="q")) == []
    assert len(capturer.lake.contents) == 2
    (listed,) = capturer.catalogue.newest("p", "CAPTURE")
    assert listed["rows"] == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"project": "p"},
        {"model": "m"},
        [],
        "text",
        capture("2", asked_at="yesterday"),
        capture("2", rows=[{"id": "2"}]),
        capture("2", rows=3),
    ],
)
def test_what_is_no_capture_fails_alone(capturer: Function, wrong: Any) -> None:
    assert capturer.take(capture("1"), wrong, capture("3")) == ["m1"]
    (listed,) = capturer.catalogue.newest("p", "CAPTURE")
    assert listed["rows"] == 2


def test_the_same_batch_again_changes_nothing(capturer: Function) -> None:
    for _ in range(2):
        capturer.take(capture("1"))
    assert len(capturer.lake.contents) == 1
    assert len(capturer.catalogue.newest("p", "CAPTURE")) == 1
