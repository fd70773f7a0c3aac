"""Labels: the truth that arrives later, joined to the predictions it belongs to."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evergreen.features.signature import Signature, Task
from evergreen.monitoring import parquet
from evergreen.monitoring.captures import Captured, as_text, each_once, fetch, naive


class LabelsRefusedError(Exception):
    """A label file that cannot be read as labels; says what it has and what is accepted."""


@dataclass(frozen=True)
class InvalidLabel:
    """A row of a label file that was left out; `row` counts data rows from 1."""

    row: int
    reason: str


@dataclass(frozen=True)
class LabelsSummary:
    """What became of the rows of a label file.

    `matched` predictions got a label; `unmatched` are the ids that no capture has; `repeated` rows
    were replaced by a later row of the same id; `earliest` and `latest` are the event times of the
    predictions that were labelled (UTC, None without any).
    """

    matched: int
    unmatched: tuple[str, ...]
    invalid: tuple[InvalidLabel, ...]
    repeated: int
    earliest: datetime | None
    latest: datetime | None


@dataclass(frozen=True)
class Labelled:
    """Predictions of a period whose truth is known.

    `target`: int64 class index (n,), or float64 (n,) for regression. `unknown` predictions were
    left out because their label is no class of the model (or no number).
    """

    captured: Captured
    target: NDArray[np.int64] | NDArray[np.float64]
    unknown: int

    def __len__(self) -> int:
        return len(self.captured)

    @property
    def predictions(self) -> NDArray[np.float64]:
        """What was answered, as `Captured.predictions`."""
        return self.captured.predictions


def join_labels(
    labels: Sequence[Mapping[str, Any]],
    capture_files: Sequence[Path],
    destination: Path,
    target: str | None = None,
    *,
    task: Task | None = None,
    labelled_at: datetime | None = None,
) -> LabelsSummary:
    """Write the captures that got a label, with `label` and `labelled_at`, as Parquet.

    `labels` are the rows of a label file: `prediction_id` and `label`, or the name of the target
    instead of `label`. For one id the last row counts; `labelled_at` (now, unless given) decides
    between files. With the task known to be regression, labels must be finite numbers. Without
    any match, no file is written.

    Raises
    ------
    LabelsRefusedError
        The rows lack one of the two columns, or there are none.
    """
    column = _label_column(labels, target)
    given: dict[str, str] = {}
    invalid: list[InvalidLabel] = []
    for number, row in enumerate(labels, start=1):
        reason = _fault(row, column, task)
        if reason:
            invalid.append(InvalidLabel(number, reason))
        else:
            given[as_text(row["prediction_id"]).strip()] = as_text(row[column]).strip()
    when = labelled_at or datetime.now(UTC)
    found = _write(given, capture_files, destination, when) if given else {}
    return LabelsSummary(
        matched=len(found),
        unmatched=tuple(key for key in given if key not in found),
        invalid=tuple(invalid),
        repeated=len(labels) - len(invalid) - len(given),
        earliest=min(found.values(), default=None),
        latest=max(found.values(), default=None),
    )


def read_labelled(
    files: Sequence[Path],
    signature: Signature,
    model: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
) -> Labelled:
    """Read the labelled predictions with event times in [start, end), each id once."""
    captured, texts = fetch(
        files, signature, model, start, end, extra="label", newest="labelled_at"
    )
    if signature.task is Task.REGRESSION:
        values = np.array([_number(label) for label in texts], dtype=np.float64)
        known = np.isfinite(values)
        return Labelled(captured.take(known), values[known], int((~known).sum()))
    indices = np.array([_class_of(label, signature.classes) for label in texts], dtype=np.int64)
    known = indices >= 0
    return Labelled(captured.take(known), indices[known], int((~known).sum()))


def _label_column(labels: Sequence[Mapping[str, Any]], target: str | None) -> str:
    found = list(dict.fromkeys(name for row in labels for name in row))
    names = ("label", target) if target else ("label",)
    wanted = " or ".join(f"`{name}`" for name in names)
    accepted = f"accepted are the columns `prediction_id` and {wanted}"
    if not labels:
        raise LabelsRefusedError(f"the label file has no rows; {accepted}")
    named = next((name for name in names if name in found), None)
    absent = [
        *(["`prediction_id`"] if "prediction_id" not in found else []),
        *([wanted] if named is None else []),
    ]
    if named is None or absent:
        has = ", ".join(f"`{name}`" for name in found) or "none"
        raise LabelsRefusedError(
            f"the label file lacks {' and '.join(absent)}; its columns are {has}; {accepted}"
        )
    return named


def _fault(row: Mapping[str, Any], column: str, task: Task | None) -> str | None:
    key, label = row.get("prediction_id"), row.get(column)
    if key is None or not as_text(key).strip():
        return "prediction_id is empty"
    if label is None or not as_text(label).strip():
        return f"{column} is empty"
    if task is Task.REGRESSION and not math.isfinite(_number(label)):
        return f"{column} is not a finite number"
    return None


def _class_of(label: str, classes: Sequence[str]) -> int:
    """Find the class that a label means: the same text, or the same number written differently.

    Files disagree about 1, 1.0 and true more often than about what is meant. -1 if there is none.
    """
    if label in classes:
        return classes.index(label)
    value = _number(label)
    return next((i for i, name in enumerate(classes) if _number(name) == value), -1)


def _number(value: object) -> float:
    plain = as_text(value).strip().lower()
    try:
        return float({"true": "1", "false": "0"}.get(plain, plain))
    except ValueError:
        return math.nan


def _write(
    given: Mapping[str, str], files: Sequence[Path], destination: Path, labelled_at: datetime
) -> dict[str, datetime]:
    """Prediction id → event time, of the captures that got a label."""
    if not files:
        return {}
    rows = ({"prediction_id": key, "label": label} for key, label in given.items())
    types = {"prediction_id": "VARCHAR", "label": "VARCHAR"}
    with parquet.connect() as connection:
        parquet.store(connection, rows, types, destination.with_suffix(".jsonl"))
        connection.execute(
            "CREATE TEMP TABLE joined AS "  # noqa: S608
            "SELECT captured.*, given.label, ?::TIMESTAMP AS labelled_at FROM "
            f"(SELECT * FROM {parquet.scan(files)} {each_once('asked_at')}) AS captured "
            "JOIN given ON captured.prediction_id = given.prediction_id",
            [naive(labelled_at)],
        )
        found = connection.execute("SELECT prediction_id, happened_at FROM joined").fetchall()
        if found:
            parquet.write(connection, "SELECT * FROM joined ORDER BY happened_at", destination)
    return {key: happened_at.replace(tzinfo=UTC) for key, happened_at in found}
