"""One message fails, not its batch; work in progress elsewhere is left to whoever does it."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from evergreen.cloud.runtime import Message, on_messages
from evergreen.registry.derivations import WorkInProgressError
from evergreen.registry.identity import Derivation

CONTEXT = SimpleNamespace(
    function_name="f", aws_request_id="r", get_remaining_time_in_millis=lambda: 1000
)


def batch(*bodies: dict[str, Any]) -> dict[str, Any]:
    return {
        "Records": [
            {"messageId": f"m{index}", "body": json.dumps(body), "eventSource": "aws:sqs"}
            for index, body in enumerate(bodies)
        ]
    }


def failures(answer: Any) -> list[str]:
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def test_a_message_that_raises_is_the_only_one_that_failed() -> None:
    seen = []

    def handle(message: Message) -> None:
        seen.append(message.body["n"])
        if message.body["n"] == 1:
            raise OSError("no space")

    answer = on_messages(handle)(batch({"n": 0}, {"n": 1}, {"n": 2}), CONTEXT)  # type: ignore[arg-type]
    assert (failures(answer), seen) == (["m1"], [0, 1, 2])


def test_a_batch_in_which_all_fail_reports_all() -> None:
    def handle(message: Message) -> None:
        raise ValueError("wrong")

    assert failures(on_messages(handle)(batch({}, {}), CONTEXT)) == ["m0", "m1"]  # type: ignore[arg-type]


def test_a_body_that_is_not_json_fails_alone() -> None:
    event = batch({}, {})
    event["Records"][0]["body"] = "{"
    assert failures(on_messages(lambda _: None)(event, CONTEXT)) == ["m0"]  # type: ignore[arg-type]


def test_work_that_another_worker_does_is_acknowledged() -> None:
    def handle(message: Message) -> None:
        raise WorkInProgressError(Derivation("fit_model", "penguins", {}), 0.0)

    assert failures(on_messages(handle)(batch({}), CONTEXT)) == []  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("body", "correlation"),
    [
        ({"detail": {"correlation_id": "c1"}, "id": "e1"}, "c1"),
        ({"detail": {}, "id": "e1"}, "e1"),
        ({}, "m1"),
    ],
)
def test_a_message_from_outside_begins_a_correlation(
    body: dict[str, Any], correlation: str
) -> None:
    assert Message("m1", body).correlation_id == correlation
