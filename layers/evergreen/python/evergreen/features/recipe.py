"""What preparation did to the columns of one row, so that serving can do the same.

A step is row-wise if its result for a row depends on that row alone (and on a reference table
that can travel). A recipe holds the SQL of these steps as it ran over the training rows, and the
names of the columns that no row can tell by itself. Plain Python: `predict` reads recipes, and
starts no engine before a request needs one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from evergreen.contracts.feature_definition import Definition

if TYPE_CHECKING:
    from evergreen.contracts.data_section import ColumnType


@dataclass(frozen=True)
class Field:
    """A column and the type that it had in training; None for one that no upload can hold."""

    name: str
    type: ColumnType | None


@dataclass(frozen=True)
class Made:
    """What one declared step does; `step` counts them from 1, `makes` are its columns."""

    step: int = 0
    kind: str = ""
    makes: tuple[Field, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that it makes."""
        return tuple(each.name for each in self.makes)

    @property
    def reads(self) -> tuple[str, ...]:
        """The columns before it that it needs."""
        return ()


@dataclass(frozen=True)
class Assigned(Made):
    """A column as an SQL expression over the columns before it, of the same row."""

    expression: str = ""
    columns: tuple[str, ...] = ()

    @property
    def reads(self) -> tuple[str, ...]:
        """The columns that the expression reads."""
        return self.columns


@dataclass(frozen=True)
class Matched(Made):
    """Columns of the row of a reference dataset that has equal keys.

    `keys`: column of the rows → column of the reference. `sources`: column that is made → column
    of the reference. `table` names the reference in the engine, `snapshot` is the digest of what
    travels of it.
    """

    dataset: str = ""
    table: str = ""
    keys: tuple[tuple[str, str], ...] = ()
    sources: tuple[tuple[str, str], ...] = ()
    snapshot: str = ""

    @property
    def reads(self) -> tuple[str, ...]:
        """The key columns of the rows."""
        return tuple(left for left, _ in self.keys)


@dataclass(frozen=True)
class LookedUp(Made):
    """Aggregates of an online feature, for an entity as of the row's time."""

    feature: str = ""
    entity: str = ""
    at: str | None = None

    @property
    def reads(self) -> tuple[str, ...]:
        """Entity and time of the row."""
        return (self.entity, *([self.at] if self.at else ()))


@dataclass(frozen=True)
class Elsewhere(Made):
    """Columns that a row alone cannot tell: whoever asks sends them, or they are missing."""

    reason: str = ""


@dataclass(frozen=True)
class Anew(Made):
    """A step after which all columns are new ones: rows are asked with the columns it gives."""


Action = Assigned | Matched | LookedUp | Elsewhere

Some = TypeVar("Some", bound=Made)

ACTIONS: Mapping[str, type[Assigned] | type[Matched] | type[LookedUp] | type[Elsewhere]] = {
    "assigned": Assigned,
    "matched": Matched,
    "looked_up": LookedUp,
    "elsewhere": Elsewhere,
}


@dataclass(frozen=True)
class Query:
    """Actions that the engine does in one go: `reads` go in, `carried` and `finished` come out.

    `finished` are columns of the model with their last value, `carried` what later stages read.
    """

    actions: tuple[Assigned | Matched, ...]
    reads: tuple[str, ...]
    carried: tuple[str, ...]
    finished: tuple[str, ...]


@dataclass(frozen=True)
class Ask:
    """Features that are looked up at the same time; `finished` as in Query."""

    actions: tuple[LookedUp, ...]
    finished: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """How the columns that a row does not carry are made of those that it does.

    `reads`: columns of the row that the engine needs. `lost`: columns that cannot be made → the
    column that would be needed for it.
    """

    stages: tuple[Query | Ask, ...]
    reads: tuple[str, ...]
    lost: Mapping[str, str]


@dataclass(frozen=True)
class Recipe:
    """The columns that rows are asked with (`given`), and what is done to them, in order.

    `columns` are those of the model, `also` others that are told for a row, such as its time.
    `after`: the step whose columns `given` are; 0 if they are those of the dataset as uploaded.
    A name in `given` always means that column, also where a step makes another of the same name,
    in whatever case.
    """

    given: tuple[Field, ...] = ()
    actions: tuple[Action, ...] = ()
    columns: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    after: int = 0

    @staticmethod
    def of_lookups(definitions: Iterable[Definition]) -> Recipe:
        """That of a model from before recipes: features are looked up, all else is sent."""
        actions = tuple(
            LookedUp(
                kind="features",
                makes=tuple(Field(made.name, None) for made in each.aggregates),
                feature=each.name,
                entity=each.entity,
                at=each.at,
            )
            for each in definitions
        )
        return Recipe((), actions)

    @cached_property
    def fields(self) -> Mapping[str, Field]:
        """The given columns by name."""
        return {each.name: each for each in self.given}

    @cached_property
    def made(self) -> Mapping[str, Field]:
        """The columns that steps make and that a row may carry itself, by name."""
        made = (each for action in self.actions for each in action.makes)
        return {each.name: each for each in made if each.name not in self.reshaped}

    @cached_property
    def reshaped(self) -> frozenset[str]:
        """Names that steps make and that mean a given column in what is sent."""
        given = {name.casefold() for name in self.fields}
        names = (name for action in self.actions for name in action.names)
        return frozenset(name for name in names if name.casefold() in given)

    @cached_property
    def read(self) -> Mapping[str, Field]:
        """The columns that the engine reads, given or made, by name."""
        engine = (each for each in self.actions if isinstance(each, Assigned | Matched))
        names = (name for action in engine for name in action.reads)
        known = {**self.made, **self.fields}
        return {name: known[name] for name in names if name in known}

    @property
    def wanted(self) -> tuple[str, ...]:
        """All that it is for."""
        return (*self.columns, *self.also)

    @property
    def snapshots(self) -> tuple[str, ...]:
        """Digests of the reference tables that travel with it."""
        matched = (each for each in self.actions if isinstance(each, Matched))
        return tuple(dict.fromkeys(each.snapshot for each in matched))

    def for_columns(self, names: Sequence[str]) -> Recipe:
        """Only what it takes to make some columns."""
        needed = {*names, *self.also}
        kept: list[Action] = []
        for action in reversed(self.actions):
            if needed.isdisjoint(action.names):
                continue
            mine = _only(action, needed)
            kept.append(mine)
            needed -= {*mine.names}
            needed |= {*mine.reads}
        return replace(self, actions=tuple(reversed(kept)), columns=tuple(names))

    def plan(self, carried: frozenset[str]) -> Plan:
        """How rows are completed that carry some of the made columns themselves."""
        lost = self._lost(carried)
        needed = {each for each in self.wanted if each not in carried and each not in lost}
        kept: list[Assigned | Matched | LookedUp] = []
        last: dict[str, int] = {}
        for action in reversed(self.actions):
            here = needed & {*action.names} - carried
            if not here or isinstance(action, Elsewhere):
                continue
            mine = _only(action, here)
            kept.append(mine)
            for name in here:
                last.setdefault(name, len(kept))
            needed -= here
            needed |= {*mine.reads}
        finished = {
            name: len(kept) - last[name]
            for name in self.wanted
            if name in last and name not in lost
        }
        engine = (each for each in kept if isinstance(each, Assigned | Matched))
        read = {name for each in engine for name in each.reads}
        return Plan(tuple(_stages(kept[::-1], finished)), tuple(sorted(needed & read)), lost)

    def _lost(self, carried: frozenset[str]) -> dict[str, str]:
        """Columns that stay missing after all steps → the column that was not sent for them."""
        lost = {each.name: each.name for each in self.given if each.type is None}
        for action in self.actions:
            culprit = next((lost[name] for name in action.reads if name in lost), None)
            for name in action.names:
                if name in carried:
                    continue
                if isinstance(action, Elsewhere):
                    lost[name] = name
                elif culprit is not None:
                    lost[name] = culprit
                else:
                    lost.pop(name, None)
        return lost

    def to_plain(self) -> dict[str, Any]:
        """As JSON values, without `columns`: small, because uploads may have thousands."""
        names = {kind: name for name, kind in ACTIONS.items()}
        given: dict[str, list[str]] = {}
        for each in self.given:
            given.setdefault(each.type or "", []).append(each.name)
        return {
            "given": given,
            "actions": [{"does": names[type(each)], **asdict(each)} for each in self.actions],
            "also": list(self.also),
            "after": self.after,
        }

    @staticmethod
    def from_plain(plain: Mapping[str, Any], columns: Iterable[str]) -> Recipe:
        """Read what `to_plain` gave of a recipe for `columns`."""
        return Recipe(
            given=in_order(
                Field(name, kind or None)
                for kind, names in plain["given"].items()
                for name in names
            ),
            actions=tuple(_action(each) for each in plain["actions"]),
            columns=tuple(columns),
            also=tuple(plain["also"]),
            after=plain["after"],
        )


def in_order(fields: Iterable[Field]) -> tuple[Field, ...]:
    """Columns by type and name, as a recipe holds those that rows are asked with."""
    return tuple(sorted(fields, key=lambda each: (each.type or "", each.name)))


def _only(action: Some, names: set[str]) -> Some:
    """An action with only some of what it makes."""
    return replace(action, makes=tuple(each for each in action.makes if each.name in names))


def _stages(
    actions: Sequence[Assigned | Matched | LookedUp], finished: Mapping[str, int]
) -> Iterable[Query | Ask]:
    """Actions in as few goes as their order allows; `finished`: column → its last action."""
    start = 0
    while start < len(actions):
        asks = isinstance(actions[start], LookedUp)
        end = start
        while end < len(actions) and isinstance(actions[end], LookedUp) == asks:
            end += 1
        some = actions[start:end]
        last = tuple(name for name, place in finished.items() if start <= place < end)
        if asks:
            yield Ask(tuple(each for each in some if isinstance(each, LookedUp)), last)
        else:
            reads: dict[str, None] = {}
            made: set[str] = set()
            for each in some:
                reads |= dict.fromkeys(name for name in each.reads if name not in made)
                made |= {*each.names}
            later = {name for each in actions[end:] for name in each.reads}
            yield Query(
                tuple(each for each in some if isinstance(each, Assigned | Matched)),
                tuple(reads),
                tuple(sorted(made & later)),
                last,
            )
        start = end


def _action(plain: Mapping[str, Any]) -> Action:
    values = {name: _tuples(value) for name, value in plain.items() if name != "does"}
    makes = tuple(Field(**each) for each in plain["makes"])
    return ACTIONS[plain["does"]](**{**values, "makes": makes})


def _tuples(value: Any) -> Any:
    """Lists as tuples: what is equal before JSON is equal after it."""
    return tuple(_tuples(each) for each in value) if isinstance(value, list | tuple) else value
