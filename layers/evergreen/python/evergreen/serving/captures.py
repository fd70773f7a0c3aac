"""What was asked and answered, as messages for the capture queue."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from evergreen.features.signature import Signature
from evergreen.serving.requests import PredictRequest, RequestInvalidError, read_moment

MAXIMUM_BYTES = 200_000
"""Of one message: SQS takes more, but counts every 64 KB as one request."""


def capture_messages(
    project: str,
    model: str,
    signature: Signature,
    asked_at: datetime,
    request: PredictRequest,
    answer: dict[str, Any],
    time_column: str | None,
) -> list[str]:
    """Messages that hold all rows of a request; `time_column` says when a row happened."""
    head = {
        "project": project,
        "model": model,
        "asked_at": asked_at.isoformat(),
        "kinds": {column.name: column.kind.value for column in signature.columns},
    }
    rows = [
        {
            "id": given["id"],
            "inputs": {name: _plain(value) for name, value in row.items()},
            "prediction": given["prediction"],
            "probabilities": given["probabilities"],
            "happened_at": happened_at(row, aside, time_column),
        }
        for row, aside, given in zip(
            request.rows, request.aside, answer["predictions"], strict=True
        )
    ]
    return [json.dumps({**head, "rows": chunk}) for chunk in _chunks(rows, len(json.dumps(head)))]


def happened_at(
    row: Mapping[str, Any], aside: Mapping[str, Any], time_column: str | None
) -> str | None:
    """When a row happened, as its time column says, used by the model or not; None if unknown."""
    if time_column is None:
        return None
    moment = row.get(time_column)
    if moment is None and time_column in aside:
        try:
            moment = read_moment(aside[time_column], time_column)
        except RequestInvalidError:
            # What is left aside is not judged: the row is answered, its time stays unknown.
            return None
    return moment.isoformat() if isinstance(moment, date) else None


def _chunks(rows: Sequence[dict[str, Any]], head: int) -> Iterator[list[dict[str, Any]]]:
    chunk: list[dict[str, Any]] = []
    size = head
    for row in rows:
        length = len(json.dumps(row)) + 2
        if chunk and size + length > MAXIMUM_BYTES:
            yield chunk
            chunk, size = [], head
        chunk.append(row)
        size += length
    yield chunk


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value
