"""Every built function, in Lambda's container, answers its sample event by doing its work.

The journey of the penguins runs through the local cloud and is held before each function in turn.
The message that waits for it there is put into its sample event, and the container does the work.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.sam.containers import Containers
from tests.sam.held_journey import ASKED_DIRECTLY, CHECKOUT, JOURNEY, PROJECT, HeldJourney

EVENTS = CHECKOUT / "events"
# Where the journey wakes a function by another event than its sample does.
WOKEN_BY = {"decide_retrain": "LabelsJoined"}

pytestmark = pytest.mark.timeout(600)


def function_of(stage: str) -> str:
    return stage.replace("_", " ").title().replace(" ", "") + "Function"


def sample(stage: str) -> dict[str, Any]:
    return dict(json.loads((EVENTS / f"{stage}.json").read_text()))


def lacks(message: Any, sampled: Any, at: str = "") -> list[str]:
    """The names that a sample has and a real message has not."""
    if not isinstance(sampled, dict):
        return []
    if not isinstance(message, dict):
        return [at]
    absent = [f"{at}/{name}" for name in sampled if name not in message]
    shared = [name for name in sampled if name in message]
    return absent + [
        path for name in shared for path in lacks(message[name], sampled[name], f"{at}/{name}")
    ]


def nothing_failed(payload: Any) -> None:
    assert payload == {"batchItemFailures": []}


def a_gentoo(payload: Any) -> None:
    assert payload["statusCode"] == 200
    [prediction] = json.loads(payload["body"])["predictions"]
    assert prediction["id"] == "sample-1"
    assert "Gentoo" in prediction["prediction"]
    assert sum(prediction["probabilities"].values()) == pytest.approx(1, abs=1e-6)


def the_penguins_are_listed(payload: Any) -> None:
    assert payload["statusCode"] == 200
    assert PROJECT in payload["body"]


RIGHT_ANSWER: dict[str, Callable[[Any], None]] = {
    "predict": a_gentoo,
    "console_api": the_penguins_are_listed,
}


def test_every_function_is_in_the_journey_and_has_a_sample_event() -> None:
    folders = {path.parent.name for path in (CHECKOUT / "functions").glob("*/app.py")}
    samples = {path.stem for path in EVENTS.glob("*.json")}
    assert folders == set(JOURNEY) == samples


@pytest.mark.parametrize("stage", JOURNEY)
def test_a_function_in_its_container_does_its_work(
    stage: str, containers: Containers, journey: HeldJourney, tmp_path: Path
) -> None:
    journey.reach(stage)
    sign = JOURNEY[stage]
    assert sign is None or not journey.shown(sign), "another worker did it"

    if stage in ASKED_DIRECTLY:
        answer = containers.invoke(function_of(stage), EVENTS / f"{stage}.json")
    else:
        event = sample(stage)
        record = event["Records"][0]
        sampled = json.loads(record["body"])
        kind = WOKEN_BY.get(stage, sampled.get("detail-type"))
        with journey.message_for(stage, kind) as held:
            assert stage in WOKEN_BY or not lacks(held.body, sampled)
            record |= {"messageId": held.message["MessageId"], "body": held.message["Body"]}
            path = tmp_path / "event.json"
            path.write_text(json.dumps(event))
            answer = containers.invoke(function_of(stage), path)
            held.done = answer.payload == {"batchItemFailures": []}

    try:
        RIGHT_ANSWER.get(stage, nothing_failed)(answer.payload)
        assert sign is None or journey.shown(sign) == 1, journey.story()
        if stage == "run_trial":
            # A trial that fails is recorded and acknowledged, which is not what is meant here.
            assert journey.facts("TrialFinished")[0]["detail"]["failed"] is None
    except AssertionError:
        print(answer.log[-6000:])
        raise
