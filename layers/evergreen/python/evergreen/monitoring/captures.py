"""Captures: what the endpoint was asked and what it answered, kept as Parquet."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evergreen.features.encoding import Encoded, put_weights
from evergreen.features.signature import MOMENT_PARTS, Kind, Signature, Task
from evergreen.monitoring import parquet

INPUT = "input."
"""Prefix of the Parquet columns that hold the values a prediction was asked with."""

KEY = "key."
"""Prefix of those that hold what a prediction is about, where the project declares it."""

FIXED_COLUMNS = {
    "prediction_id": "VARCHAR",
    "model": "VARCHAR",
    "asked_at": "TIMESTAMP",
    "happened_at": "TIMESTAMP",
    "prediction": "VARCHAR",
    "probabilities": "VARCHAR",
}
INPUT_TYPES = {
    Kind.NUMBER: "DOUBLE",
    Kind.CATEGORY: "VARCHAR",
    Kind.MOMENT: "TIMESTAMP",
    Kind.TEXT: "VARCHAR",
}


class CaptureInvalidError(Exception):
    """A capture message that cannot be stored; sending it again cannot help."""


@dataclass(frozen=True)
class CaptureSummary:
    """What one file of captures holds; the times are event times (UTC), None without rows."""

    rows: int
    earliest: datetime | None
    latest: datetime | None
    models: tuple[str, ...]


@dataclass(frozen=True)
class Captured:
    """Predictions of a period, each once, in event order.

    `ids` text (n,); `asked_at`, `happened_at` datetime64[us] UTC (n,); `encoded` the inputs as
    the model saw them; `predictions` float64: (n, classes) probabilities in the signature's order,
    or (n,) values for regression; NaN where the answer held none; `models` text (n,).
    """

    ids: NDArray[np.object_]
    asked_at: NDArray[np.datetime64]
    happened_at: NDArray[np.datetime64]
    models: NDArray[np.object_]
    encoded: Encoded
    predictions: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: NDArray[Any]) -> Captured:
        """The chosen rows (indices or a mask), in that order."""
        return Captured(
            self.ids[rows],
            self.asked_at[rows],
            self.happened_at[rows],
            self.models[rows],
            self.encoded.take(rows),
            self.predictions[rows],
        )

    def between(self, start: datetime, end: datetime) -> Captured:
        """Keep the rows with event times in [start, end)."""
        first, after = (np.datetime64(naive(moment), "us") for moment in (start, end))
        return self.take((self.happened_at >= first) & (self.happened_at < after))


def check_message(message: Mapping[str, Any]) -> None:
    """Raise CaptureInvalidError unless the message can be stored, alone or with others."""
    for _ in _rows_of(message):
        pass


def write_captures(messages: Sequence[Mapping[str, Any]], destination: Path) -> CaptureSummary:
    """Write the rows of capture messages as one Parquet file; without rows, no file.

    A column that the messages give different kinds (two models of one project may) is stored as
    text; `read_captures` reads it back as the kind that its signature says.
    """
    rows = [row for message in messages for row in _rows_of(message)]
    if not rows:
        return CaptureSummary(0, None, None, ())
    keys = {name: "VARCHAR" for row in rows for name in row if name.startswith(KEY)}
    types = {**FIXED_COLUMNS, **keys, **_input_types(messages)}
    for row in rows:
        for name, kind in types.items():
            if kind == "VARCHAR" and not isinstance(row.get(name), str | None):
                row[name] = as_text(row[name])
    with parquet.connect() as connection:
        parquet.store(connection, rows, types, destination.with_suffix(".jsonl"))
        parquet.write(connection, "SELECT * FROM given ORDER BY happened_at", destination)
        earliest, latest = connection.execute(
            "SELECT min(happened_at), max(happened_at) FROM given"
        ).fetchall()[0]
    models = tuple(sorted({row["model"] for row in rows}))
    return CaptureSummary(
        len(rows), earliest.replace(tzinfo=UTC), latest.replace(tzinfo=UTC), models
    )


def read_captures(
    files: Sequence[Path],
    signature: Signature,
    model: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
) -> Captured:
    """Read the predictions with event times in [start, end) (None: unbounded), each id once.

    Deliveries repeat and callers may ask again with the same id: the newest answer counts.
    Columns that no file has are missing values, and so are values that do not fit the kind in the
    signature. `model` None takes every model's answers.
    """
    captured, _ = fetch(files, signature, model, start, end)
    return captured


def fetch(
    files: Sequence[Path],
    signature: Signature,
    model: str | None,
    start: datetime | None,
    end: datetime | None,
    *,
    extra: str | None = None,
    newest: str = "asked_at",
) -> tuple[Captured, NDArray[np.object_]]:
    """Read captures, and the text column `extra` beside them ('' where missing).

    Of rows with equal ids, the one with the greatest `newest` counts.
    """
    if not files:
        return _nothing(signature), np.empty(0, dtype=object)
    with parquet.connect() as connection:
        table = parquet.scan(files)
        types = parquet.types_of(connection, table)
        wanted = [
            "prediction_id",
            "model",
            "asked_at",
            "happened_at",
            "coalesce(prediction, '') AS prediction",
            "coalesce(probabilities, '') AS probabilities",
            f"coalesce({parquet.identifier(extra)}, '') AS extra" if extra else "'' AS extra",
            *_encoding(signature, types),
        ]
        conditions = {"happened_at >= ?": start, "happened_at < ?": end, "model = ?": model}
        given = {said: value for said, value in conditions.items() if value is not None}
        where = "WHERE " + " AND ".join(given) if given else ""
        found = connection.execute(
            f"SELECT {', '.join(wanted)} FROM (SELECT * FROM {table} {where} "  # noqa: S608
            f"{each_once(newest)}) ORDER BY happened_at, prediction_id",
            [naive(value) if isinstance(value, datetime) else value for value in given.values()],
        ).fetchnumpy()
    columns = {name: np.asarray(values) for name, values in found.items()}
    captured = Captured(
        ids=columns["prediction_id"].astype(object),
        asked_at=columns["asked_at"].astype("datetime64[us]"),
        happened_at=columns["happened_at"].astype("datetime64[us]"),
        models=columns["model"].astype(object),
        encoded=_encoded(columns, signature),
        predictions=_predictions(columns["prediction"], columns["probabilities"], signature),
    )
    return captured, columns["extra"].astype(object)


def each_once(newest: str) -> str:
    """Write the SQL that keeps one row per prediction id: the newest, in any order of files."""
    return (
        "QUALIFY row_number() OVER (PARTITION BY prediction_id "
        f"ORDER BY {newest} DESC, asked_at DESC, prediction DESC) = 1"
    )


def naive(moment: datetime) -> datetime:
    """Give the UTC time without an offset, as Parquet holds it; a naive time is UTC already."""
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def as_text(value: object) -> str:
    """Give a value as the text of a category: `true`, `3`, `2.5`, or the text itself."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return str(value)


def _rows_of(message: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    try:
        asked_at = _utc(message["asked_at"])
        kinds = {name: Kind(kind) for name, kind in message["kinds"].items()}
        model = str(message["model"])
        for row in message["rows"]:
            probabilities, prediction = row.get("probabilities"), row["prediction"]
            yield {
                "prediction_id": str(row["id"]),
                "model": model,
                "asked_at": asked_at,
                "happened_at": _utc(row["happened_at"]) if row.get("happened_at") else asked_at,
                "prediction": prediction if isinstance(prediction, str) else repr(prediction),
                "probabilities": json.dumps(probabilities) if probabilities else None,
                **{KEY + name: as_text(key) for name, key in (row.get("keys") or {}).items()},
                **{
                    INPUT + name: _value(row["inputs"].get(name), kind)
                    for name, kind in kinds.items()
                },
            }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        # Not the message itself: inputs never reach a log line.
        raise CaptureInvalidError(
            f"capture message: {type(error).__name__} at {error if _is_key(error) else 'a value'};"
            " expected model, asked_at, kinds and rows of id, inputs and prediction"
        ) from None


def _is_key(error: Exception) -> bool:
    return isinstance(error, KeyError)


def _value(value: object, kind: Kind) -> object:
    if value is None:
        return None
    if kind is Kind.NUMBER:
        number = float(value)  # type: ignore[arg-type]  # a wrong type is the message's fault
        return number if math.isfinite(number) else None
    if kind is Kind.MOMENT:
        # The wall clock is what the model saw (`moment_parts`), so an offset is dropped.
        return datetime.fromisoformat(str(value)).replace(tzinfo=None).isoformat()
    return as_text(value)


def _utc(value: str) -> str:
    return naive(datetime.fromisoformat(value)).isoformat()


def _input_types(messages: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    types: dict[str, str] = {}
    for message in messages:
        for name, kind in message["kinds"].items():
            found = INPUT_TYPES[Kind(kind)]
            column = INPUT + name
            types[column] = found if types.get(column, found) == found else "VARCHAR"
    return types


def _encoding(signature: Signature, types: Mapping[str, str]) -> Iterator[str]:
    for column in signature.columns:
        name, stored = parquet.identifier(INPUT + column.name), types.get(INPUT + column.name)
        alias = parquet.identifier
        if column.kind in {Kind.CATEGORY, Kind.TEXT}:
            value = "''" if stored is None else f"coalesce({name}::VARCHAR, '')"
            yield f"{value} AS {alias(INPUT + column.name)}"
        elif column.kind is Kind.NUMBER:
            value = "NULL" if stored is None else name
            number = f"coalesce(TRY_CAST({value} AS DOUBLE), 'nan'::DOUBLE)"
            yield f"{number} AS {alias(INPUT + column.name)}"
        else:
            value = "NULL" if stored is None else name
            moment = f"TRY_CAST({value} AS TIMESTAMP)"
            parts = (f"month({moment})", f"day({moment})", f"isodow({moment}) - 1",
                     f"hour({moment})")  # fmt: skip
            for part, found in zip(MOMENT_PARTS, parts, strict=True):
                number = f"coalesce(({found})::DOUBLE, 'nan'::DOUBLE)"
                yield f"{number} AS {alias(f'{INPUT}{column.name}.{part}')}"


def _encoded(columns: Mapping[str, NDArray[Any]], signature: Signature) -> Encoded:
    rows = len(columns["prediction_id"])
    numbers = np.empty((rows, len(signature.number_names)), dtype=np.float32)
    categories = np.empty((rows, len(signature.category_names)), dtype=object)
    texts = len(signature.term_names)
    plain = len(signature.number_names) - texts
    with np.errstate(over="ignore"):  # beyond float32 is infinite for the model as well
        for j, name in enumerate(signature.number_names[:plain]):
            numbers[:, j] = columns[INPUT + name]
    for column in signature.texts:
        width = len(column.terms)
        put_weights(numbers[:, plain : plain + width], 0, columns[INPUT + column.name], column)
        plain += width
    for j, name in enumerate(signature.category_names):
        categories[:, j] = columns[INPUT + name]
    return Encoded(numbers, categories, texts)


def _predictions(
    answers: NDArray[Any], probabilities: NDArray[Any], signature: Signature
) -> NDArray[np.float64]:
    if signature.task is Task.REGRESSION:
        return np.array([_number(answer) for answer in answers], dtype=np.float64)
    found = np.full((len(answers), len(signature.classes)), np.nan)
    for i, plain in enumerate(probabilities):
        if plain:
            by_class = json.loads(plain)
            found[i] = [by_class.get(name, np.nan) for name in signature.classes]
    return found


def _number(answer: str) -> float:
    try:
        return float(answer)
    except ValueError:
        return math.nan


def _nothing(signature: Signature) -> Captured:
    texts = np.empty(0, dtype=object)
    moments = np.empty(0, dtype="datetime64[us]")
    names = (*signature.number_names, *signature.category_names)
    none = {INPUT + name: texts for name in (*names, *(text.name for text in signature.texts))}
    return Captured(
        ids=texts,
        asked_at=moments,
        happened_at=moments,
        models=texts,
        encoded=_encoded({"prediction_id": texts, **none}, signature),
        predictions=_predictions(texts, texts, signature),
    )
