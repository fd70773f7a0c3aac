"""What a model is asked with and answers: its columns, their kinds, its target and classes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any

from evergreen.contracts.feature_definition import Definition

if TYPE_CHECKING:
    from evergreen.features.recipe import Recipe


class Kind(StrEnum):
    """How a column is read: a number, a category, a moment (date or time), or a text of words."""

    NUMBER = "number"
    CATEGORY = "category"
    MOMENT = "moment"
    TEXT = "text"


class Task(StrEnum):
    """What is predicted: one of two classes, one of several, or a number."""

    BINARY = "binary"
    MULTICLASS = "multiclass"
    REGRESSION = "regression"


MOMENT_PARTS = ("month", "day", "weekday", "hour")
"""The numbers that a moment is turned into, in order."""


@dataclass(frozen=True)
class Column:
    """One column that a model is asked with.

    `categories` are the ones seen in training rows (category columns only); `minimum` and
    `maximum` are the range seen there (number columns only); `terms` with their inverse document
    frequencies `idf` are the vocabulary fitted there (text columns only).
    """

    name: str
    kind: Kind
    categories: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    terms: tuple[str, ...] = ()
    idf: tuple[float, ...] = ()

    @cached_property
    def term_places(self) -> dict[str, int]:
        """Where each term stands among `terms`."""
        return {term: place for place, term in enumerate(self.terms)}


@dataclass(frozen=True)
class Signature:
    """The columns of a model, in order, what it predicts, and which columns it leaves aside.

    `classes` are the labels as text, in the order of the graph's probabilities; of a binary
    target the positive class stands last. Empty for regression. `ignored` are columns of the
    prepared rows that the model does not use, each with the reason. `lookups` are the features
    that preparation added: what a row does not carry of them is looked up when it is asked.
    `recipe`: how steps made the columns of those that were uploaded; None if that is not told.
    """

    target: str
    task: Task
    columns: tuple[Column, ...]
    classes: tuple[str, ...] = ()
    ignored: tuple[tuple[str, str], ...] = ()
    lookups: tuple[Definition, ...] = ()
    recipe: Recipe | None = None

    @property
    def prepared(self) -> Signature:
        """The same, asked with rows as preparation left them: nothing is made or looked up."""
        return replace(self, lookups=(), recipe=None)

    @property
    def number_names(self) -> tuple[str, ...]:
        """Names of the columns of `Encoded.numbers`: numbers, parts of moments, then terms."""
        numbers = [column.name for column in self.columns if column.kind is Kind.NUMBER]
        parts = [
            f"{column.name}.{part}"
            for column in self.columns
            if column.kind is Kind.MOMENT
            for part in MOMENT_PARTS
        ]
        return (*numbers, *parts, *self.term_names)

    @property
    def term_names(self) -> tuple[str, ...]:
        """Names of the last columns of `Encoded.numbers`, which hold the weights of terms."""
        return tuple(f"{column.name} '{term}'" for column in self.texts for term in column.terms)

    @property
    def texts(self) -> tuple[Column, ...]:
        """The text columns."""
        return tuple(column for column in self.columns if column.kind is Kind.TEXT)

    @property
    def category_names(self) -> tuple[str, ...]:
        """Names of the columns of `Encoded.categories`."""
        return tuple(column.name for column in self.columns if column.kind is Kind.CATEGORY)

    def aside(self, names: Sequence[str]) -> Signature:
        """The same signature with names that it does not know among the ignored ones."""
        known = {self.target, *(column.name for column in self.columns), *dict(self.ignored)}
        new = {name: "names what a prediction is about" for name in names if name not in known}
        return replace(self, ignored=(*self.ignored, *new.items())) if new else self

    def without(self, reasons: dict[str, str]) -> Signature:
        """The same signature with some columns ignored, each for the reason given."""
        columns = tuple(column for column in self.columns if column.name not in reasons)
        names = [column.name for column in columns]
        return replace(
            self,
            columns=columns,
            ignored=(*self.ignored, *reasons.items()),
            recipe=self.recipe and self.recipe.for_columns(names),
        )

    def to_json(self) -> str:
        """One JSON object; `from_json` reads it back equal."""
        recipe = self.recipe and self.recipe.to_plain()
        plain = {**asdict(replace(self, recipe=None)), "recipe": recipe}
        return json.dumps(plain, sort_keys=True, ensure_ascii=False)

    @staticmethod
    def from_json(text: str | bytes) -> Signature:
        """Read what `to_json` wrote."""
        plain: dict[str, Any] = json.loads(text)
        return Signature(
            target=plain["target"],
            task=Task(plain["task"]),
            columns=tuple(
                Column(
                    name=column["name"],
                    kind=Kind(column["kind"]),
                    categories=tuple(column["categories"]),
                    minimum=column["minimum"],
                    maximum=column["maximum"],
                    # Models from before text columns have none.
                    terms=tuple(column.get("terms", ())),
                    idf=tuple(column.get("idf", ())),
                )
                for column in plain["columns"]
            ),
            classes=tuple(plain["classes"]),
            ignored=tuple((name, reason) for name, reason in plain["ignored"]),
            lookups=tuple(Definition.from_plain(each) for each in plain.get("lookups", ())),
            # Models from before recipes have none.
            recipe=_recipe(plain["recipe"], plain["columns"]) if plain.get("recipe") else None,
        )


def _recipe(plain: dict[str, Any], columns: Sequence[dict[str, Any]]) -> Recipe:
    # Imported when the first one is read: `predict` starts without.
    from evergreen.features.recipe import Recipe

    return Recipe.from_plain(plain, [column["name"] for column in columns])
