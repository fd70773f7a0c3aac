"""What a graph predicts becomes an answer, and the answer becomes capture messages."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from typing import Any

import numpy as np
import pytest

from evergreen.features.signature import Task
from evergreen.monitoring.captures import check_message
from evergreen.serving.answers import NO_ANSWER, answers
from evergreen.serving.captures import MAXIMUM_BYTES, capture_messages
from evergreen.serving.cells import MAXIMUM_TEXT
from evergreen.serving.requests import PredictRequest, read_request
from tests.unit.serving.asking import ROW, ask, signature

ASKED_AT = datetime(2026, 11, 23, 12, tzinfo=UTC)


def answer(
    predictions: Any, request: PredictRequest, task: Task = Task.BINARY
) -> list[dict[str, Any]]:
    numbers = count(1)
    made = answers(
        np.array(predictions), request, signature(task), "m1", lambda: f"new-{next(numbers)}"
    )
    assert made["model"] == "m1"
    json.dumps(made, allow_nan=False)
    predictions_made: list[dict[str, Any]] = made["predictions"]
    return predictions_made


def captured(
    request: PredictRequest, predictions: list[Any], time_column: str | None = None
) -> list[dict[str, Any]]:
    made = answers(np.array(predictions), request, signature(), "m1", iter_ids().__next__)
    messages = capture_messages(
        "credit", "m1", signature(), ASKED_AT, request, made, time_column=time_column
    )
    assert all(len(message.encode()) <= MAXIMUM_BYTES for message in messages)
    return [json.loads(message) for message in messages]


def iter_ids() -> Any:
    return (f"id-{i}" for i in count())


def test_a_class_is_answered_by_its_text_with_all_probabilities() -> None:
    (made,) = answer([[0.25, 0.75]], ask(ROW, ids=["p1"]))
    assert made == {
        "id": "p1",
        "prediction": "true",
        "probabilities": {"false": 0.25, "true": 0.75},
        "notes": [],
    }


def test_the_likeliest_of_several_classes_is_answered() -> None:
    (made,) = answer([[0.2, 0.5, 0.3]], ask(ROW, task=Task.MULTICLASS), Task.MULTICLASS)
    assert made["prediction"] == "b"


def test_a_value_is_answered_with_the_digits_that_a_graph_knows() -> None:
    value = np.float64(np.float32(1234.1))
    assert value != 1234.1
    (made,) = answer([value], ask(ROW, task=Task.REGRESSION), Task.REGRESSION)
    assert made["prediction"] == 1234.1
    assert made["probabilities"] is None


def test_rows_without_ids_get_new_ones_and_keep_their_notes() -> None:
    made = answer([[0.5, 0.5]] * 2, ask(ROW, {**ROW, "age": 200}))
    assert [each["id"] for each in made] == ["new-1", "new-2"]
    assert [len(each["notes"]) for each in made] == [0, 1]


@pytest.mark.parametrize("row", [[np.nan, np.nan], [np.inf, 0.0]])
def test_no_finite_answer_is_said_and_not_written_as_nan(row: list[float]) -> None:
    (made,) = answer([row], ask(ROW))
    assert (made["prediction"], made["probabilities"]) == (None, None)
    assert made["notes"] == [NO_ANSWER]


def test_a_capture_holds_what_was_asked_and_answered() -> None:
    (message,) = captured(ask(ROW, ids=["p1"]), [[0.25, 0.75]], time_column="opened")
    assert message == {
        "project": "credit",
        "model": "m1",
        "asked_at": "2026-11-23T12:00:00+00:00",
        "kinds": {"age": "number", "income": "number", "region": "category", "opened": "moment"},
        "rows": [
            {
                "id": "p1",
                "inputs": ROW,
                "prediction": "true",
                "probabilities": {"false": 0.25, "true": 0.75},
                "happened_at": "2024-05-31T14:30:00",
            }
        ],
    }
    check_message(message)


@pytest.mark.parametrize(
    ("given", "expected"),
    [("2024-05-31", "2024-05-31T00:00:00"), ("soon", None), (7, None), (None, None)],
)
def test_a_time_that_the_model_does_not_use_still_says_when(
    given: Any, expected: str | None
) -> None:
    (message,) = captured(ask({**ROW, "seen_at": given}), [[0.5, 0.5]], time_column="seen_at")
    assert message["rows"][0]["happened_at"] == expected
    assert "seen_at" not in message["rows"][0]["inputs"]


def test_keys_are_captured_whether_the_model_uses_them_or_not() -> None:
    keys = ("customer", "region", "seen_at", "absent")
    knowing = signature().aside(keys)
    given = {**ROW, "customer": 7, "seen_at": ["no", "key"]}
    request = read_request(json.dumps({"rows": [given], "ids": ["a"]}), knowing)
    made = answers(np.array([[0.5, 0.5]]), request, knowing, "m1", iter_ids().__next__)
    (text,) = capture_messages("p", "m1", knowing, ASKED_AT, request, made, None, keys)
    message = json.loads(text)
    assert message["rows"][0]["keys"] == {"customer": 7, "region": "north"}
    assert "customer" not in message["rows"][0]["inputs"]
    check_message(message)


def test_many_rows_are_split_into_messages_that_the_queue_takes_and_none_is_lost() -> None:
    rows = [{**ROW, "region": "é" * 2_000} for _ in range(100)]
    messages = captured(ask(*rows), [[0.5, 0.5]] * 100)
    assert len(messages) > 1
    assert [row["id"] for each in messages for row in each["rows"]] == [
        f"id-{i}" for i in range(100)
    ]
    for message in messages:
        check_message(message)


def test_the_longest_texts_of_one_row_fit_one_message() -> None:
    captured(ask({"region": "😀" * MAXIMUM_TEXT}), [[0.5, 0.5]])


def test_a_row_without_an_answer_is_captured_too() -> None:
    (message,) = captured(ask(ROW), [[np.nan, np.nan]])
    check_message(message)
    assert message["rows"][0]["prediction"] is None


def test_an_answer_for_too_few_rows_is_a_fault() -> None:
    request = replace(ask(ROW), ids=("a",))
    with pytest.raises(ValueError, match="zip"):
        answer([[0.5, 0.5]] * 2, request)
