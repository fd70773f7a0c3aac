"""A request as it was sent becomes the columns that its model takes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Any

from evergreen.data.schema import SQL_TYPES, WIDER
from evergreen.features.encoding import encode
from evergreen.features.online_values import LARGEST_NUMBER
from evergreen.features.recipe import Ask, Field, Matched, Query, Recipe
from evergreen.features.signature import Column, Kind, Signature
from evergreen.features.text import LONGEST_TEXT
from evergreen.serving.lookups import Asking, Lookups
from evergreen.serving.raw_values import is_wider
from evergreen.serving.requests import (
    PredictRequest,
    RequestInvalidError,
    check_length,
    notes_on,
)

if TYPE_CHECKING:
    from evergreen.serving.step_engine import StepEngine


@dataclass
class _Row:
    """A row as it is completed: `state` holds the columns so far as steps see them."""

    place: int
    values: dict[str, Any]
    state: dict[str, Any]
    aside: dict[str, Any]
    notes: list[str]
    features: dict[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """Where it stands in the request."""
        return f"rows[{self.place}]"


def recipe_of(signature: Signature) -> Recipe:
    """How a model's columns are made; of a model from before recipes only what is looked up."""
    recipe = signature.recipe or Recipe.of_lookups(signature.lookups)
    return recipe if signature.recipe else recipe.for_columns([c.name for c in signature.columns])


def complete(
    request: PredictRequest,
    signature: Signature,
    lookups: Lookups | None = None,
    engine: Callable[[], StepEngine] | None = None,
) -> PredictRequest:
    """The request with the columns that steps make, and that features tell, of what was sent.

    What a row carries itself, null too, is left as it is. `engine` gives that of the model, and is
    called only if a row needs it. Raises RequestInvalidError.
    """
    recipe = recipe_of(signature)
    if not recipe.actions:
        return request
    rows = [
        _Row(place, dict(values), dict(state), dict(aside), list(notes))
        for place, (values, state, aside, notes) in enumerate(
            zip(request.rows, request.inputs, request.aside, request.notes, strict=True)
        )
    ]
    columns = {column.name: column for column in signature.columns}
    alike: dict[tuple[frozenset[str], frozenset[str]], list[_Row]] = defaultdict(list)
    for row in rows:
        carried = {*row.values, *row.state, *row.aside}
        sent = frozenset(name for name in recipe.made if name in carried)
        wider = frozenset(
            name for name, each in recipe.read.items() if is_wider(each.type, row.state.get(name))
        )
        alike[sent, wider].append(row)
    for (sent, wider), some in alike.items():
        _Completion(recipe, signature, columns, lookups, engine).run(some, sent, wider)
    for row in rows:
        check_length(row.values, row.path)
    completed = tuple(row.values for row in rows)
    return replace(
        request,
        rows=completed,
        encoded=encode(completed, signature),
        notes=tuple(tuple(row.notes) for row in rows),
        aside=tuple(row.aside for row in rows),
        features=tuple(row.features for row in rows) if signature.lookups else (),
    )


@dataclass(frozen=True)
class _Completion:
    """How rows are completed that carry the same made columns, in columns of the same types."""

    recipe: Recipe
    signature: Signature
    columns: Mapping[str, Column]
    lookups: Lookups | None
    engine: Callable[[], StepEngine] | None

    def run(self, rows: Sequence[_Row], sent: frozenset[str], wider: frozenset[str]) -> None:
        """Complete the rows in place."""
        plan = self.recipe.plan(sent)
        types = {}
        for name, each in self.recipe.read.items():
            if each.type:
                kind = each.type
                if name in wider:
                    kind = next(to for pair, to in WIDER.items() if kind in pair and to != kind)
                types[name] = SQL_TYPES[kind]
        for row in rows:
            self._say(row, plan.reads, plan.lost)
        for stage in plan.stages:
            if isinstance(stage, Ask):
                types |= self._look_up(rows, stage)
            else:
                types |= self._compute(rows, stage, types)

    def _say(self, row: _Row, reads: Sequence[str], lost: Mapping[str, str]) -> None:
        """What the answer has to do without."""
        absent = [name for name in reads if name not in row.state]
        if absent:
            row.notes.append(f"computed without what was not sent: {', '.join(absent)}")
        for name, culprit in lost.items():
            if name in self.columns:
                needed = "it" if culprit == name else f"{culprit}, which it is made of,"
                row.notes.append(f"{name} is missing: {needed} was not sent")

    def _compute(
        self, rows: Sequence[_Row], query: Query, types: Mapping[str, str]
    ) -> Mapping[str, str]:
        """Let the engine do some steps; the types of what is carried on."""
        from evergreen.serving.step_engine import StepFailedError

        if self.engine is None:
            raise RuntimeError("the model has steps, and no engine was given")
        try:
            made = self.engine().run(query, types, [row.state for row in rows], self.columns)
        except StepFailedError as error:
            row, (name,) = rows[error.row], error.action.names
            read = [each for each in error.action.reads if row.state.get(each) is not None]
            step = f"step {error.action.step} ({error.action.kind})"
            raise RequestInvalidError(
                f"{row.path}.{read[0] if len(read) == 1 else name}",
                f"{step} cannot compute '{name}' of it: {error.problem}",
            ) from error
        for place, row in enumerate(rows):
            row.state |= {name: values[place] for name, values in made.carried.items()}
            for name, values in made.finished.items():
                self._finish(row, name, values[place])
            row.notes += [
                _without_partner(action) for action, there in made.unmatched.items() if there[place]
            ]
        return made.types

    def _look_up(self, rows: Sequence[_Row], ask: Ask) -> Mapping[str, str]:
        """Let features be told; the types of what is told."""
        if self.lookups is None:
            raise RuntimeError("the model has features, and nowhere to look them up was given")
        definitions = {each.name: each for each in self.signature.lookups}
        computed = {name for action in self.recipe.actions for name in action.names}
        asking, wanted = [], []
        for row in rows:
            given = {**row.aside, **row.values}
            given |= {name: value for name, value in row.state.items() if name in computed}
            for action in ask.actions:
                entity, at = given.get(action.entity), given.get(action.at) if action.at else None
                asking.append(Asking(row.path, definitions[action.feature], entity, at))
                wanted.append((row, action))
        for (row, action), told in zip(wanted, self.lookups.tell(asking), strict=True):
            row.notes += told.notes
            row.features |= told.features
            for made in action.makes:
                if made.name not in told.values:
                    continue
                value, problem = _fit(made, self.columns.get(made.name), told.values[made.name])
                whole = made.type == "integer" and value is not None
                row.state[made.name] = int(value) if whole else value
                if made.name in ask.finished:
                    self._finish(row, made.name, value, problem)
                elif problem:
                    row.notes.append(problem)
        fields = (made for action in ask.actions for made in action.makes)
        return {made.name: SQL_TYPES[made.type] for made in fields if made.type}

    def _finish(self, row: _Row, name: str, value: Any, problem: str | None = None) -> None:
        """Put the last value of a column into the row."""
        column = self.columns.get(name)
        if column is None:  # one that is told for a row, such as its time
            row.aside[name] = value.isoformat() if isinstance(value, date) else value
            return
        is_text = isinstance(value, str) and column.kind is Kind.TEXT
        row.values[name] = value[:LONGEST_TEXT] if is_text else value
        row.notes += [problem] if problem else notes_on(column, value)


def _without_partner(action: Matched) -> str:
    keys = ", ".join(action.reads)
    return f"dataset '{action.dataset}', as of training, has no row for this {keys}"


def _fit(made: Field, column: Column | None, value: Any) -> tuple[Any, str | None]:
    """An aggregate as it was in training, or none and why; `column` tells where `made` does not."""
    if value is None:
        return None, None
    is_text = isinstance(value, str)
    of_text = column is not None and column.kind in {Kind.CATEGORY, Kind.TEXT}
    if is_text != (made.type == "text" if made.type else of_text):
        held = "text" if is_text else "a number"
        return None, f"{made.name}: left out, the events hold {held} where the model had none"
    if not is_text and abs(value) > LARGEST_NUMBER:
        return None, f"{made.name}: left out, the number is beyond ±{LARGEST_NUMBER:.4g}"
    return value, None
