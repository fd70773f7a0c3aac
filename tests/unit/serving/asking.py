"""A signature with every kind of column, and requests for it."""

from __future__ import annotations

import json
from typing import Any

from evergreen.features.signature import Column, Kind, Signature, Task
from evergreen.serving.requests import PredictRequest, read_request

COLUMNS = (
    Column("age", Kind.NUMBER, minimum=18.0, maximum=90.0),
    Column("income", Kind.NUMBER),
    Column("region", Kind.CATEGORY, categories=("north", "south")),
    Column("opened", Kind.MOMENT),
)
ROW: dict[str, Any] = {
    "age": 30,
    "income": 1234.5,
    "region": "north",
    "opened": "2024-05-31T14:30:00",
}
CLASSES = {
    Task.BINARY: ("false", "true"),
    Task.MULTICLASS: ("a", "b", "c"),
    Task.REGRESSION: (),
}


def signature(task: Task = Task.BINARY) -> Signature:
    ignored = (("comment", "it names rows"), ("seen_at", "it has one value only"))
    return Signature("repaid", task, COLUMNS, CLASSES[task], ignored)


def ask(*rows: Any, task: Task = Task.BINARY, **more: Any) -> PredictRequest:
    return read_request(json.dumps({"rows": list(rows), **more}), signature(task))
