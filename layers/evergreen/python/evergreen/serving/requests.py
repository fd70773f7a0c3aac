"""Prediction requests: JSON to typed, encoded rows, or an error that names the field."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from difflib import get_close_matches
from typing import Any, NoReturn

from evergreen.features.encoding import Encoded, encode
from evergreen.features.signature import Column, Kind, Signature
from evergreen.features.text import LONGEST_TEXT, terms_of
from evergreen.media.damage import MediaRefusedError
from evergreen.serving.media import KINDS, describe, media_of

MAXIMUM_ROWS = 1000
MAXIMUM_BYTES = 6 * 1024 * 1024
MAXIMUM_TEXT = 2 * LONGEST_TEXT
"""Characters of all texts of a row together: written as JSON they fit one capture message."""

MAXIMUM_SHOWN = 80
"""Characters of a column's name that an error repeats."""

LARGEST_NUMBER = 3.4028234663852886e38
"""The largest float32: what a graph can take."""

MOST_OUTSIDE = 0.05
"""Of many numbers of one picture, a few are always outside of the range seen in training."""

FLOAT32_STEP = 1.2e-7
"""Relative distance of neighbouring float32 numbers."""


class RequestInvalidError(ValueError):
    """A request is not valid; `field` is the path of what is wrong, `problem` says how."""

    status = 400

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}" if field else problem)
        self.field = field
        self.problem = problem


@dataclass(frozen=True)
class PredictRequest:
    """A valid request: its rows as typed values and encoded, its ids, and notes for each row.

    `aside` holds what was given for columns that the model does not use, as it was given.
    `features` says for each row how fresh its looked-up features are; empty without any.
    """

    rows: tuple[Mapping[str, Any], ...]
    encoded: Encoded
    ids: tuple[str, ...] | None
    notes: tuple[tuple[str, ...], ...]
    aside: tuple[Mapping[str, Any], ...]
    features: tuple[Mapping[str, Any], ...] = ()


def read_request(body: str | bytes, signature: Signature) -> PredictRequest:
    """Read `{"rows": [{column: value}], "ids": [text]?}`; raises RequestInvalidError."""
    plain = _json(body)
    if not isinstance(plain, dict):
        raise RequestInvalidError("", 'the body is a JSON object like {"rows": [{…}]}')
    for key in plain:
        if key not in {"rows", "ids"}:
            raise RequestInvalidError(
                _shown(key), "is no part of a request; it has 'rows' and 'ids'"
            )
    given = plain.get("rows")
    if not isinstance(given, list) or not given:
        raise RequestInvalidError("rows", "a list of at least one row is needed")
    if len(given) > MAXIMUM_ROWS:
        raise RequestInvalidError(
            "rows", f"{len(given):,} rows; at most {MAXIMUM_ROWS:,} are taken"
        )
    columns = {column.name: column for column in signature.columns}
    aside = {name for name, _ in signature.ignored} | {signature.target}
    keys = {name for each in signature.lookups for name in (each.entity, each.at) if name}
    read = [_row(row, f"rows[{i}]", columns, aside, keys) for i, row in enumerate(given)]
    rows = tuple(row for row, _, _ in read)
    return PredictRequest(
        rows=rows,
        encoded=encode(rows, signature),
        ids=_ids(plain.get("ids"), len(rows)),
        notes=tuple(notes for _, notes, _ in read),
        aside=tuple(left for _, _, left in read),
    )


def _json(body: str | bytes) -> Any:
    if len(body) > MAXIMUM_BYTES:
        raise RequestInvalidError("", f"the body is larger than {MAXIMUM_BYTES:,} bytes")
    try:
        return json.loads(body, object_pairs_hook=_each_once)
    except RequestInvalidError:
        raise
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise RequestInvalidError("", f"the body is not JSON: {reason}") from None


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of the body; a name that it has twice may mean either value."""
    made = dict(pairs)
    if len(made) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        twice = next(name for name, count in counts.items() if count > 1)
        raise RequestInvalidError(_shown(twice), "occurs twice in one object")
    return made


def _ids(given: Any, rows: int) -> tuple[str, ...] | None:
    if given is None:
        return None
    if not isinstance(given, list) or not all(isinstance(name, str) and name for name in given):
        raise RequestInvalidError("ids", "a list of texts that are not empty is needed")
    if len(given) != rows:
        raise RequestInvalidError("ids", f"{len(given)} ids for {rows} rows")
    if len(set(given)) != len(given):
        raise RequestInvalidError("ids", "an id occurs twice")
    if max(map(len, given)) > 200:  # noqa: PLR2004
        raise RequestInvalidError("ids", "an id is longer than 200 characters")
    for place, name in enumerate(given):
        check_characters(name, f"ids[{place}]")
    return tuple(given)


def _row(
    given: Any, path: str, columns: Mapping[str, Column], aside: set[str], keys: set[str]
) -> tuple[dict[str, Any], tuple[str, ...], dict[str, Any]]:
    if not isinstance(given, dict):
        raise RequestInvalidError(path, "a row is an object of columns and values")
    row: dict[str, Any] = {}
    left: dict[str, Any] = {}
    media = media_of(columns)
    notes: list[str] = []
    for name, value in _flat(given, columns):
        if name in columns:
            row[name] = _VALUES[columns[name].kind](value, f"{path}.{name}")
            notes += notes_on(columns[name], row[name])
            if columns[name].kind is Kind.TEXT:
                row[name] = row[name] and row[name][:LONGEST_TEXT]
        elif name in keys:  # of features that are looked up
            left[name] = value
        elif name in media:
            numbers, said = _described(name, value, f"{path}.{name}", columns)
            row |= numbers
            notes += said
        elif name in aside:
            left[name] = value
            notes.append(f"{name} is left aside: the model does not use it")
        else:
            near = get_close_matches(name[:MAXIMUM_SHOWN], [*columns, *aside, *keys], n=1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            raise RequestInvalidError(f"{path}.{_shown(name)}", f"is no column of the model{hint}")
    if sum(len(value) for value in row.values() if isinstance(value, str)) > MAXIMUM_TEXT:
        raise RequestInvalidError(path, f"its texts have more than {MAXIMUM_TEXT:,} characters")
    return row, tuple(notes), left


def _flat(given: Mapping[str, Any], columns: Mapping[str, Column]) -> Iterator[tuple[str, Any]]:
    """The values of a row; those of an object by the names that ingestion gives them: outer.inner.

    Only as deep as any column's name goes.
    """
    for name, value in given.items():
        inside = f"{name}."
        if isinstance(value, dict) and any(column.startswith(inside) for column in columns):
            inner = {inside + key: each for key, each in value.items()}
            yield from _flat(inner, columns)
        else:
            yield name, value


def _described(
    kind: str, value: Any, field: str, columns: Mapping[str, Column]
) -> tuple[dict[str, float], list[str]]:
    """The numbers of a picture or a recording that the model uses, and what is odd about them."""
    if value is None:
        return {}, []
    if not isinstance(value, str):
        _wrong(value, field, "a file as base64 text")
    try:
        found = describe(kind, value)
    except MediaRefusedError as error:
        raise RequestInvalidError(field, f"the {kind} {error.problem}") from None
    used = _used(kind, found, field, columns)
    outside = sum(_outside(columns[name], number) for name, number in used.items())
    if outside > MOST_OUTSIDE * len(used):
        said = f"{outside} of the {len(used)} numbers that are used of it"
        return used, [f"{kind}: {said} are outside of the range seen in training"]
    return used, []


def _used(
    kind: str, found: Mapping[str, Any], field: str, columns: Mapping[str, Column]
) -> dict[str, Any]:
    """Of the numbers of a picture or a recording those that the model uses."""
    used = {name: number for name, number in found.items() if name in columns}
    if len(used) < sum(name.startswith(f"{kind}.") for name in columns):
        # Their names say what numbers mean: the model learnt from others than are made now.
        raise RequestInvalidError(
            field, f"the model knows other numbers of an {kind} than are made now; train it anew"
        )
    return used


def asked_of_file(row: Mapping[str, Any], signature: Signature) -> dict[str, Any]:
    """The row of a picture or a recording as the model is asked: without numbers it does not use.

    Raises RequestInvalidError if it uses others than are made now.
    """
    columns = {column.name: column for column in signature.columns}
    numbers = {name: kind for name in row if (kind := name.partition(".")[0]) in KINDS}
    asked = {name: value for name, value in row.items() if name not in numbers}
    for kind in sorted(set(numbers.values())):
        found = {name: row[name] for name, its in numbers.items() if its == kind}
        asked |= _used(kind, found, kind, columns)
    return asked


def _shown(name: str) -> str:
    """A name that a caller wrote, fit to be said back to them: short, and whole characters."""
    short = name if len(name) <= MAXIMUM_SHOWN else f"{name[:MAXIMUM_SHOWN]}…"
    return short.encode("utf-8", "backslashreplace").decode()


def _wrong(value: Any, field: str, wanted: str) -> NoReturn:
    raise RequestInvalidError(field, f"{wanted} is needed, not {_said(value)}")


def _said(value: Any) -> str:
    names = {str: "text", bool: "true or false", list: "a list", dict: "an object"}
    return names.get(type(value), "a number")


def _number(value: Any, field: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return float(value)
    if not isinstance(value, int | float):
        _wrong(value, field, "a number")
    if isinstance(value, float) and not math.isfinite(value):
        raise RequestInvalidError(
            field, "NaN and Infinity are no numbers; leave it out or say null"
        )
    if abs(value) > LARGEST_NUMBER:
        raise RequestInvalidError(field, f"the number is beyond ±{LARGEST_NUMBER:.4g}")
    return float(value)


def _category(value: Any, field: str) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str):
        _wrong(value, field, "text")
    if len(value) > MAXIMUM_TEXT:
        raise RequestInvalidError(field, f"the text is longer than {MAXIMUM_TEXT:,} characters")
    check_characters(value, field)
    return value


def _text(value: Any, field: str) -> str | None:
    """A text; a list as the JSON text that ingestion makes of it."""
    if value is None:
        return None
    if isinstance(value, list) and not any(isinstance(each, list | dict) for each in value):
        value = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, str):
        _wrong(value, field, "text")
    check_characters(value, field)
    return value


def check_characters(text: str, field: str) -> None:
    """Refuse half a character: it has no UTF-8, and neither graph nor Parquet can hold it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise RequestInvalidError(field, "the text holds half a character (a surrogate)") from None


def read_moment(value: Any, field: str) -> date | None:
    """A date or time from ISO 8601 text, as UTC if it has an offset.

    Raises
    ------
    RequestInvalidError
        If it is none.
    """
    if value is None:
        return None
    if not isinstance(value, str):
        _wrong(value, field, "a date or time as ISO 8601 text")
    try:
        moment = datetime.fromisoformat(value.strip())
        return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    except (ValueError, OverflowError):
        raise RequestInvalidError(
            field, "a date or time as ISO 8601 text is needed, like 2026-11-23T14:00:00"
        ) from None


_VALUES = {
    Kind.NUMBER: _number,
    Kind.CATEGORY: _category,
    Kind.MOMENT: read_moment,
    Kind.TEXT: _text,
}


def notes_on(column: Column, value: Any) -> list[str]:
    """What the caller may want to know about a value that is valid but new to the model."""
    if value is None or value == "":
        return []
    if column.kind is Kind.CATEGORY and column.categories and value not in column.categories:
        return [f"{column.name}: this category was never seen in training"]
    if column.kind is Kind.TEXT and len(value) > LONGEST_TEXT:
        return [f"{column.name}: only the first {LONGEST_TEXT:,} characters are read"]
    if column.kind is Kind.TEXT and not any(term in column.term_places for term in terms_of(value)):
        return [f"{column.name}: none of its words was seen often enough in training"]
    if column.kind is Kind.NUMBER and _outside(column, value):
        seen = f"{column.minimum:g} to {column.maximum:g}"
        return [f"{column.name}: outside of {seen}, the range seen in training"]
    return []


def _outside(column: Column, value: float) -> bool:
    if column.minimum is None or column.maximum is None:
        return False
    # The range is of 32-bit floats: nearer than those can tell is not outside.
    slack = FLOAT32_STEP * max(abs(column.minimum), abs(column.maximum))
    return not column.minimum - slack <= value <= column.maximum + slack
