"""Prediction requests: JSON to typed, encoded rows, or an error that names the field."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from evergreen.features.encoding import Encoded, encode
from evergreen.features.signature import Column, Kind, Signature
from evergreen.features.text import LONGEST_TEXT, terms_of
from evergreen.media.damage import MediaRefusedError
from evergreen.serving.cells import (
    MAXIMUM_TEXT,
    category_of,
    check_characters,
    number_of,
    read_moment,
    text_of,
    wrong,
)
from evergreen.serving.media import KINDS, describe, media_of
from evergreen.serving.raw_values import key_as, read_raw, trimmed
from evergreen.serving.request_error import RequestInvalidError

__all__ = ["PredictRequest", "RequestInvalidError", "read_request"]

MAXIMUM_ROWS = 1000
MAXIMUM_BYTES = 6 * 1024 * 1024
LONGEST_ID = 200
MAXIMUM_SHOWN = 80
"""Characters of a column's name that an error repeats."""

MOST_OUTSIDE = 0.05
"""Of many numbers of one picture, a few are always outside of the range seen in training."""

FLOAT32_STEP = 1.2e-7
"""Relative distance of neighbouring float32 numbers."""


@dataclass(frozen=True)
class PredictRequest:
    """A valid request: its rows as typed values and encoded, its ids, and notes for each row.

    `aside` holds what was given for columns that the model does not use, as it was given; `inputs`
    what steps make columns of, typed as in training. `features` says for each row how fresh its
    looked-up features are; empty without any.
    """

    rows: tuple[Mapping[str, Any], ...]
    encoded: Encoded
    ids: tuple[str, ...] | None
    notes: tuple[tuple[str, ...], ...]
    aside: tuple[Mapping[str, Any], ...]
    features: tuple[Mapping[str, Any], ...] = ()
    inputs: tuple[Mapping[str, Any], ...] = ()


class _Names:
    """What the columns of a request may be called.

    `columns` of the model; `aside` is not used by it; `keys` of features that are looked up;
    `given` are those of uploads, `made` by steps, `read` by steps, `reshaped` by them, `also` told
    for a row.
    """

    def __init__(self, signature: Signature) -> None:
        recipe = signature.recipe
        self.columns = {column.name: column for column in signature.columns}
        self.keys = {name for each in signature.lookups for name in (each.entity, each.at) if name}
        self.given: Mapping[str, Any] = recipe.fields if recipe else {}
        self.made: Mapping[str, Any] = recipe.made if recipe else {}
        self.read = recipe.read if recipe else {}
        self.reshaped = recipe.reshaped if recipe else frozenset()
        self.also = frozenset(recipe.also if recipe else ())
        self.trimmed = recipe is not None and not recipe.after
        self.aside = {*dict(signature.ignored), signature.target, *self.given}

    @property
    def described(self) -> frozenset[str]:
        """Those that may be told of a picture or a recording."""
        return frozenset({*self.columns, *self.read} - {*self.made})

    @property
    def all(self) -> list[str]:
        final = filter(self.is_final, self.columns)
        return list(dict.fromkeys([*final, *self.aside, *self.keys, *self.made]))

    def is_uploaded(self, name: str) -> bool:
        """Whether values of this name are those of uploads, as far as that is told."""
        return self.trimmed and name in self.given

    def is_final(self, name: str) -> bool:
        """Whether a value by this name is that of the model's column."""
        return name in self.columns and name not in self.reshaped


class _Row:
    """A row as it is read; see PredictRequest."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.inputs: dict[str, Any] = {}
        self.aside: dict[str, Any] = {}
        self.notes: list[str] = []


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
    names = _Names(signature)
    read = [_row(row, f"rows[{i}]", names) for i, row in enumerate(given)]
    rows = tuple(row.values for row in read)
    return PredictRequest(
        rows=rows,
        encoded=encode(rows, signature),
        ids=_ids(plain.get("ids"), len(rows)),
        notes=tuple(tuple(row.notes) for row in read),
        aside=tuple(row.aside for row in read),
        inputs=tuple(row.inputs for row in read),
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
    seen: set[str] = set()
    for place, name in enumerate(given):
        field = f"ids[{place}]"
        if name in seen:
            raise RequestInvalidError(field, "occurs twice")
        if len(name) > LONGEST_ID:
            raise RequestInvalidError(field, f"is longer than {LONGEST_ID} characters")
        check_characters(name, field)
        seen.add(name)
    return tuple(given)


def _row(given: Any, path: str, names: _Names) -> _Row:
    if not isinstance(given, dict):
        raise RequestInvalidError(path, "a row is an object of columns and values")
    row = _Row()
    known = {**names.columns, **names.read}
    media = media_of(known)
    for name, value in _by_column(given, {**known, **names.given}, path).items():
        field = f"{path}.{name}"
        read = names.read.get(name)
        if read:
            typed = key_as(read.type, value) if name in names.keys else value
            row.inputs[name] = read_raw(read.type, typed, field)
        if names.is_final(name):
            _put(row, names.columns[name], value, field, uploaded=names.is_uploaded(name))
        elif name in names.keys or name in names.also or read:
            row.aside[name] = value
        elif name in media:
            _describe(row, name, value, field, names)
        elif name in names.aside or name in names.made:
            row.aside[name] = value
            row.notes.append(f"{name} is left aside: the model does not use it")
        else:
            near = get_close_matches(name[:MAXIMUM_SHOWN], names.all, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            raise RequestInvalidError(f"{path}.{_shown(name)}", f"is no column of the model{hint}")
    check_length(row.values, path)
    return row


def _put(row: _Row, column: Column, value: Any, field: str, *, uploaded: bool) -> None:
    """Take a value of a column of the model; what was `uploaded` for it was trimmed."""
    read = _VALUES[column.kind](value, field)
    if uploaded and isinstance(read, str):
        read = trimmed(read)
    row.notes += notes_on(column, read)
    if column.kind is Kind.TEXT and isinstance(read, str):
        read = read[:LONGEST_TEXT]
    row.values[column.name] = read


def check_length(values: Mapping[str, Any], path: str) -> None:
    """Refuse a row whose texts do not fit one capture message."""
    if sum(len(value) for value in values.values() if isinstance(value, str)) > MAXIMUM_TEXT:
        raise RequestInvalidError(path, f"its texts have more than {MAXIMUM_TEXT:,} characters")


def _by_column(given: Mapping[str, Any], columns: Mapping[str, Any], path: str) -> dict[str, Any]:
    """The values of a row; a column that stands there in two ways may mean either value."""
    values: dict[str, Any] = {}
    for name, value in _flat(given, columns):
        if name in values:
            raise RequestInvalidError(f"{path}.{_shown(name)}", "occurs twice")
        values[name] = value
    return values


def _flat(given: Mapping[str, Any], columns: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
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


def _describe(row: _Row, kind: str, value: Any, field: str, names: _Names) -> None:
    """Take the numbers of a picture or a recording that are used, and say what is odd there."""
    if value is None:
        return
    if not isinstance(value, str):
        wrong(value, field, "a file as base64 text")
    try:
        found = describe(kind, value)
    except MediaRefusedError as error:
        raise RequestInvalidError(field, f"the {kind} {error.problem}") from None
    used = _used(kind, found, field, names.described)
    row.inputs |= {name: number for name, number in used.items() if name in names.read}
    final = {name: number for name, number in used.items() if names.is_final(name)}
    row.values |= final
    outside = sum(_outside(names.columns[name], number) for name, number in final.items())
    if outside > MOST_OUTSIDE * len(final):
        said = f"{outside} of the {len(final)} numbers that are used of it"
        row.notes.append(f"{kind}: {said} are outside of the range seen in training")


def _used(
    kind: str, found: Mapping[str, Any], field: str, known: Collection[str]
) -> dict[str, Any]:
    """Of the numbers of a picture or a recording those that the model or its steps use."""
    used = {name: number for name, number in found.items() if name in known}
    if len(used) < sum(name.startswith(f"{kind}.") for name in known):
        # Their names say what numbers mean: the model learnt from others than are made now.
        raise RequestInvalidError(
            field, f"the model knows other numbers of an {kind} than are made now; train it anew"
        )
    return used


def asked_of_file(row: Mapping[str, Any], signature: Signature) -> dict[str, Any]:
    """The row of a picture or a recording as the model is asked: without numbers it does not use.

    Raises RequestInvalidError if it uses others than are made now.
    """
    known = _Names(signature).described
    numbers = {name: kind for name in row if (kind := name.partition(".")[0]) in KINDS}
    asked = {name: value for name, value in row.items() if name not in numbers}
    for kind in sorted(set(numbers.values())):
        found = {name: row[name] for name, its in numbers.items() if its == kind}
        asked |= _used(kind, found, kind, known)
    return asked


def _shown(name: str) -> str:
    """A name that a caller wrote, fit to be said back to them: short, and whole characters."""
    short = name if len(name) <= MAXIMUM_SHOWN else f"{name[:MAXIMUM_SHOWN]}…"
    return short.encode("utf-8", "backslashreplace").decode()


_VALUES = {
    Kind.NUMBER: number_of,
    Kind.CATEGORY: category_of,
    Kind.MOMENT: read_moment,
    Kind.TEXT: text_of,
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
