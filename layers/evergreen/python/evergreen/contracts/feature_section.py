"""The `features` section of the project file: aggregates of an entity's events."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, Field, model_validator

from evergreen.contracts.duration import Duration
from evergreen.contracts.feature_definition import (
    FUNCTIONS,
    Aggregate,
    Definition,
    Function,
    microseconds,
)
from evergreen.contracts.section import STRICT, ColumnName, Name

RESERVED = ("project", "dataset")
"""Keys of a message beside the event's columns."""

LONGEST = timedelta(days=3660)
MOST_AGGREGATES = 100


class AggregateSection(BaseModel):
    """One function of a column (`count: true` has none), over the last `over` or all that is kept.

    Missing values do not count. `last` is the newest value, `distinct` how many different ones.
    """

    model_config = STRICT

    sum: ColumnName | None = None
    mean: ColumnName | None = None
    min: ColumnName | None = None
    max: ColumnName | None = None
    last: ColumnName | None = None
    distinct: ColumnName | None = None
    count: Literal[True] | None = None
    over: Duration | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> AggregateSection:
        if len(self._given()) != 1:
            raise ValueError("an aggregate is exactly one of: " + ", ".join(FUNCTIONS))
        return self

    def _given(self) -> list[Function]:
        return [name for name in FUNCTIONS if getattr(self, name) is not None]

    @property
    def function(self) -> Function:
        """The name of its key."""
        return self._given()[0]

    @property
    def column(self) -> str | None:
        """What is aggregated; None for a count of events."""
        value = getattr(self, self.function)
        return None if value is True else str(value)


class Feature(BaseModel):
    """Aggregates of the events of an entity, for training and at serving.

    Events are rows of `dataset`, and messages of the feature queue. `id` makes an event count
    once; `keep` is how long events are kept for serving (the longest window if not declared).
    """

    model_config = STRICT

    name: Name
    dataset: Name
    entity: ColumnName
    time: ColumnName
    id: ColumnName = "event_id"
    aggregates: Annotated[
        dict[ColumnName, AggregateSection], Field(min_length=1, max_length=MOST_AGGREGATES)
    ]
    keep: Duration | None = None

    @model_validator(mode="after")
    def _fits(self) -> Feature:
        used = (self.entity, self.time, self.id, *(a.column for a in self.aggregates.values()))
        for name in RESERVED:
            if name in used:
                raise ValueError(
                    f"'{name}' says in a message where an event belongs; derive or rename the "
                    "column"
                )
        if len({self.entity, self.time, self.id}) < len(("entity", "time", "id")):
            raise ValueError("entity, time and id are three columns")
        if self.keep and self.keep > LONGEST:
            raise ValueError(f"'keep' is longer than {LONGEST.days:,} days")
        for name, aggregate in self.aggregates.items():
            if aggregate.over is None and self.keep is None:
                raise ValueError(f"'{name}' has no 'over', so that 'keep' must be declared")
            if aggregate.over and self.keep and aggregate.over > self.keep:
                raise ValueError(f"'{name}' looks back further than events are kept")
            if aggregate.over and aggregate.over > LONGEST:
                raise ValueError(f"'{name}' looks back further than {LONGEST.days:,} days")
        return self

    @property
    def kept(self) -> timedelta:
        """How long events are kept."""
        windows = [each.over for each in self.aggregates.values() if each.over]
        return self.keep or max(windows)

    def definition(self, at: str | None = None) -> Definition:
        """The same for both engines; `at` is the column of a row that says as of when."""
        return Definition(
            name=self.name,
            dataset=self.dataset,
            entity=self.entity,
            time=self.time,
            id=self.id,
            aggregates=tuple(
                Aggregate(name, each.function, each.column, microseconds(each.over or self.kept))
                for name, each in self.aggregates.items()
            ),
            at=at,
        )
