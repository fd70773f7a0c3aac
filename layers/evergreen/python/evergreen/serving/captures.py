"""What was asked and answered, as messages for the capture queue."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from evergreen.features.signature import Signature
from evergreen.serving.cells import read_moment
from evergreen.serving.requests import PredictRequest, RequestInvalidError

MAXIMUM_KEY = 200
"""Characters of a key that are kept."""

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
    keys: Sequence[str] = (),
) -> list[str]:
    """Messages that hold all rows of a request.

    `time_column` says when a row happened, `keys` are columns that name what it is about, whether
    the model uses them or not: labels may come by them.
    """
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
            **({"keys": keys_of(row, aside, keys)} if keys else {}),
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


def keys_of(
    row: Mapping[str, Any], aside: Mapping[str, Any], keys: Sequence[str]
) -> dict[str, str | int | float | bool]:
    """The values of key columns that a row has; what cannot be one is left out."""
    given = {name: row.get(name, aside.get(name)) for name in keys}
    return {
        name: value[:MAXIMUM_KEY] if isinstance(value, str) else value
        for name, value in given.items()
        if isinstance(value, str | int | float | bool) and value == value  # noqa: PLR0124
    }


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
