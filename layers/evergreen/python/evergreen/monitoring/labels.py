"""Labels: the truth that arrives later, joined to the predictions it belongs to."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evergreen.features.signature import Signature, Task
from evergreen.monitoring import parquet
from evergreen.monitoring.captures import Captured, as_text, fetch, naive
from evergreen.monitoring.label_matching import MATCHED, NOT_CAPTURED, Label, Unmatched, match


class LabelsRefusedError(Exception):
    """A label file that cannot be read as labels; says what it has and what is accepted."""


@dataclass(frozen=True)
class Keys:
    """How labels without a prediction's id find theirs, as the project declares it."""

    key: tuple[str, ...]
    time: str
    within: timedelta


@dataclass(frozen=True)
class LabelsSummary:
    """What became of the rows of a label file.

    `matched` predictions got a label. `unmatched` rows belong to no captured prediction, or to none
    in particular; `invalid` ones cannot be read; both say why and are not used. `conflicts` are
    predictions with labels that differ. `repeated` rows gave way to a newer one of the same
    prediction. `earliest` and `latest` are the event times of the predictions that were labelled
    (UTC, None without any).
    """

    matched: int
    unmatched: tuple[Unmatched, ...]
    invalid: tuple[Unmatched, ...]
    conflicts: int
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
    keys: Keys | None = None,
) -> LabelsSummary:
    """Write the captures that got a label, with `label`, `labeller`, `labelled_at`, as Parquet.

    `labels` are the rows of a label file: `prediction_id`, or the columns of `keys`, and `label`,
    or the name of the target instead of it; optionally `labeller`, and `labelled_at` (now, unless
    given), which decides between rows and between files. See `label_matching.match` for what
    belongs together. With the task known to be regression, labels must be finite numbers. Without
    any match, no file is written.

    Raises
    ------
    LabelsRefusedError
        The rows lack one of the needed columns, or there are none.
    """
    by_id, column = _columns(labels, target, keys)
    when = naive(labelled_at or datetime.now(UTC))
    given: list[Label] = []
    invalid: list[Unmatched] = []
    for number, row in enumerate(labels, start=1):
        try:
            given.append(_label(number, row, column, None if by_id else keys, task, when))
        except ValueError as fault:
            invalid.append(Unmatched(number, str(fault)))
    unmatched, conflicts, moments = _write(given, capture_files, destination, keys)
    return LabelsSummary(
        matched=len(moments),
        unmatched=tuple(unmatched),
        invalid=tuple(invalid),
        conflicts=conflicts,
        repeated=len(given) - len(unmatched) - len(moments),
        earliest=min(moments, default=None),
        latest=max(moments, default=None),
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


def _columns(
    labels: Sequence[Mapping[str, Any]], target: str | None, keys: Keys | None
) -> tuple[bool, str]:
    """Whether rows name predictions by id, and the column that holds the label."""
    found = list(dict.fromkeys(name for row in labels for name in row))
    names = ("label", target) if target else ("label",)
    wanted = " or ".join(f"`{name}`" for name in names)
    accepted = f"accepted are the columns `prediction_id` and {wanted}"
    entity = [*keys.key, keys.time] if keys else []
    if entity:
        accepted += f", or {', '.join(f'`{name}`' for name in entity)} and {wanted}"
    if not labels:
        raise LabelsRefusedError(f"the label file has no rows; {accepted}")
    named = next((name for name in names if name in found), None)
    by_id = "prediction_id" in found
    identified = by_id or (entity and not set(entity) - set(found))
    lacking = entity if set(entity) & set(found) else ["prediction_id"]
    absent = [
        *(f"`{name}`" for name in lacking if name not in found and not identified),
        *([wanted] if named is None else []),
    ]
    if named is None or absent:
        has = ", ".join(f"`{name}`" for name in found) or "none"
        raise LabelsRefusedError(
            f"the label file lacks {' and '.join(absent)}; its columns are {has}; {accepted}"
        )
    return by_id, named


def _label(
    number: int,
    row: Mapping[str, Any],
    column: str,
    keys: Keys | None,
    task: Task | None,
    now: datetime,
) -> Label:
    """Read one row; raises ValueError with what is wrong."""
    label = _text(row, column)
    if task is Task.REGRESSION and not math.isfinite(_number(label)):
        raise ValueError(f"{column} is not a finite number")
    labeller = row.get("labeller")
    return Label(
        row=number,
        label=label,
        labelled_at=now if row.get("labelled_at") is None else _moment(row, "labelled_at"),
        labeller=None if labeller is None else as_text(labeller).strip() or None,
        prediction_id=None if keys else _text(row, "prediction_id"),
        key={name: _text(row, name) for name in keys.key} if keys else None,
        happened_at=_moment(row, keys.time) if keys else None,
    )


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    text = "" if value is None else as_text(value).strip()
    if not text:
        raise ValueError(f"{name} is empty")
    return text


def _moment(row: Mapping[str, Any], name: str) -> datetime:
    """A time of a row as UTC without an offset."""
    value = row.get(name)
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)  # noqa: DTZ001 - UTC, as all are
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        raise ValueError(f"{name} is no date or time") from None
    return naive(moment)


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
    given: Sequence[Label], files: Sequence[Path], destination: Path, keys: Keys | None
) -> tuple[list[Unmatched], int, list[datetime]]:
    """Rows that are not used, predictions in conflict, and event times of those labelled."""
    if not given or not files:
        return [Unmatched(each.row, NOT_CAPTURED) for each in given], 0, []
    with parquet.connect() as connection:
        within = keys.within if keys else None
        scratch = destination.with_suffix(".jsonl")
        unmatched, conflicts = match(connection, given, files, within, scratch)
        found = connection.execute(f"SELECT happened_at FROM {MATCHED}").fetchall()  # noqa: S608
        if found:
            query = f"SELECT * FROM {MATCHED} ORDER BY happened_at, prediction_id"  # noqa: S608
            parquet.write(connection, query, destination)
    return unmatched, conflicts, [moment.replace(tzinfo=UTC) for (moment,) in found]
