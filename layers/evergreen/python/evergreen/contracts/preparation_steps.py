"""The preparation steps that a project file may declare, one model for each kind."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from evergreen.contracts.duration import Duration
from evergreen.contracts.section import STRICT, ColumnName, Name

Keys = list[ColumnName] | dict[ColumnName, ColumnName]
"""Columns of both sides, or column of the rows → column of the reference dataset."""

Statistic = Literal["count", "sum", "mean", "min", "max", "first", "last", "distinct"]

DatePart = Literal[
    "year",
    "quarter",
    "month",
    "week",
    "day",
    "day_of_year",
    "day_of_week",
    "weekend",
    "hour",
    "minute",
    "month_cyclic",
    "day_of_week_cyclic",
    "hour_cyclic",
]
"""`day_of_week` is 0 on Mondays; a cyclic part is two columns, `…_sin` and `…_cos`."""


class Section(BaseModel):
    """A part of a step."""

    model_config = STRICT


def _or_short(*short: dict[str, Any]) -> ConfigDict:
    """A part that may be written shorter, in the JSON Schema for editors too."""

    def either(schema: dict[str, Any]) -> None:
        whole = dict(schema)
        schema.clear()
        schema["anyOf"] = [*short, whole]

    return ConfigDict(**STRICT, json_schema_extra=either)


def _pairs(keys: Keys) -> dict[str, str]:
    return keys if isinstance(keys, dict) else {name: name for name in keys}


class AsOf(Section):
    """Only what had happened, and was known, at the row's own time; the newest of it counts.

    `time` is a column of the rows; `event` (when it happened) and `known` (when that became
    known, which is the same if it is left out) are columns of the reference dataset. `within`:
    what happened longer ago does not count.
    """

    time: ColumnName
    event: ColumnName
    known: ColumnName | None = None
    within: Duration | None = None


class Join(Section):
    """Columns of a reference dataset, added to the rows by equal keys; rows are never multiplied.

    `on` names the key columns, or maps a column of the rows to one of the reference.
    """

    dataset: Name
    on: Keys
    columns: list[ColumnName] | None = None
    prefix: str = ""
    as_of: AsOf | None = None

    @property
    def keys(self) -> dict[str, str]:
        """Column of the rows → column of the reference."""
        return _pairs(self.on)

    @model_validator(mode="after")
    def _has_keys(self) -> Join:
        if not self.on and self.as_of is None:
            raise ValueError("a join has at least one column in 'on', or an 'as_of'")
        return self


class Aggregate(Section):
    """One statistic of a column: `count`, or `{sum: amount}`. Missing values do not count."""

    model_config = _or_short(
        {"const": "count"},
        {
            "type": "object",
            "propertyNames": {"enum": list(get_args(Statistic))},
            "additionalProperties": {"type": "string"},
            "minProperties": 1,
            "maxProperties": 1,
        },
    )

    statistic: Statistic
    column: ColumnName | None = None

    @model_validator(mode="before")
    @classmethod
    def _short(cls, given: Any) -> Any:
        if isinstance(given, str):
            return {"statistic": given}
        if isinstance(given, dict) and len(given) == 1 and "statistic" not in given:
            ((statistic, column),) = given.items()
            return {"statistic": statistic, "column": column}
        return given

    @model_validator(mode="after")
    def _has_column(self) -> Aggregate:
        if self.column is None and self.statistic != "count":
            raise ValueError(f"{self.statistic} of what? write {{{self.statistic}: <column>}}")
        return self


class GroupAggregate(Section):
    """Statistics per group: of a reference dataset as further columns, or of the rows themselves.

    Without `dataset` the rows become one per group. `order` says which is first and which last.
    """

    by: Keys
    columns: Annotated[dict[ColumnName, Aggregate], Field(min_length=1)]
    dataset: Name | None = None
    order: ColumnName | None = None
    as_of: AsOf | None = None

    @property
    def keys(self) -> dict[str, str]:
        """Column of the rows → column of the reference."""
        return _pairs(self.by)

    @model_validator(mode="after")
    def _fits(self) -> GroupAggregate:
        if not self.by:
            raise ValueError("an aggregate has at least one column in 'by'")
        if self.dataset is None and self.as_of is not None:
            raise ValueError("'as_of' needs a 'dataset'; over the rows themselves use a window")
        if self.dataset is None and isinstance(self.by, dict):
            raise ValueError("without a 'dataset', 'by' is a list of columns")
        if self.as_of is not None and self.order is not None:
            raise ValueError("'as_of' gives the order already; leave 'order' out")
        return self


class Window(Section):
    """Statistics of what happened before a row's own time, as further columns.

    Of the rows themselves, or of a `dataset` with its `event` time; of equal `by`; of the last
    duration (`within`), of the last few `rows`, or of all. What happened at the row's own time
    or later never counts, nor what was `known` only later.
    """

    time: ColumnName
    columns: Annotated[dict[ColumnName, Aggregate], Field(min_length=1)]
    by: Keys = []
    dataset: Name | None = None
    event: ColumnName | None = None
    known: ColumnName | None = None
    within: Duration | None = None
    rows: Annotated[int, Field(ge=1, le=1_000)] | None = None

    @property
    def keys(self) -> dict[str, str]:
        """Column of the rows → column of the reference."""
        return _pairs(self.by)

    @model_validator(mode="after")
    def _fits(self) -> Window:
        if (self.dataset is None) != (self.event is None):
            raise ValueError("'dataset' and its 'event' time go together; the rows use 'time'")
        if self.dataset is None and isinstance(self.by, dict):
            raise ValueError("without a 'dataset', 'by' is a list of columns")
        return self


class Fill(Section):
    """What stands for a missing value: a constant, or the value before in order of a column.

    `by`: only of rows that are equal in these; `within`: only if it is not older.
    """

    model_config = _or_short({"type": ["boolean", "number", "string"]})

    value: bool | int | float | str | None = None
    previous_in: ColumnName | None = None
    by: list[ColumnName] = []
    within: Duration | None = None

    @model_validator(mode="before")
    @classmethod
    def _short(cls, given: Any) -> Any:
        plain = given.isoformat() if isinstance(given, date) else given
        return plain if isinstance(plain, dict) else {"value": plain}

    @model_validator(mode="after")
    def _one_of_two(self) -> Fill:
        if (self.value is None) == (self.previous_in is None):
            raise ValueError("a fill is a constant, or {previous_in: <column of time>}")
        if self.previous_in is None and (self.by or self.within):
            raise ValueError("'by' and 'within' belong to 'previous_in'")
        return self


class Bounds(Section):
    """Least and greatest value that a column keeps; what is beyond becomes the bound."""

    min: float | None = None
    max: float | None = None

    @model_validator(mode="after")
    def _has_one(self) -> Bounds:
        if self.min is None and self.max is None:
            raise ValueError("give a 'min', a 'max' or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"'min' {self.min:g} is above 'max' {self.max:g}")
        return self


class Deduplicate(Section):
    """Keep one of the rows that are equal in `by` (in all columns if left out) but for `ignore`.

    The first or the last in `order` of a column; in order of the dataset without, and for ties.
    """

    model_config = _or_short(
        {"const": "rows"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}
    )

    by: list[ColumnName] | None = None
    ignore: list[ColumnName] = []
    keep: Literal["first", "last"] = "first"
    order: ColumnName | None = None

    @model_validator(mode="before")
    @classmethod
    def _short(cls, given: Any) -> Any:
        if given == "rows":
            return {}
        return {"by": given} if isinstance(given, list) else given

    @model_validator(mode="after")
    def _fits(self) -> Deduplicate:
        if self.by == []:
            raise ValueError("'by' names no column; write 'rows' for all columns")
        if self.by is not None and self.ignore:
            raise ValueError("'ignore' leaves columns out of all; with 'by' it has no meaning")
        return self


class Sql(Section):
    """One SELECT over `rows` and the named reference `datasets`."""

    model_config = _or_short({"type": "string"})

    query: Annotated[str, Field(min_length=1, max_length=20_000)]
    datasets: list[Name] = []

    @model_validator(mode="before")
    @classmethod
    def _short(cls, given: Any) -> Any:
        return {"query": given} if isinstance(given, str) else given


class Step(Section):
    """One declared preparation step: exactly one of the keys is set.

    `filter` and the values of `derive` are DuckDB SQL expressions over the columns so far.
    """

    join: Join | None = None
    derive: dict[ColumnName, str] | None = None
    filter: str | None = None
    drop: list[ColumnName] | None = None
    keep: list[ColumnName] | None = None
    deduplicate: Deduplicate | None = None
    fill: dict[ColumnName, Fill] | None = None
    clip: dict[ColumnName, Bounds] | None = None
    aggregate: GroupAggregate | None = None
    window: Window | None = None
    dates: dict[ColumnName, Annotated[list[DatePart], Field(min_length=1)]] | None = None
    sql: Sql | None = None
    features: Annotated[list[Name], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Step:
        if len(self._given()) != 1:
            raise ValueError("a step is exactly one of: " + ", ".join(type(self).model_fields))
        return self

    @property
    def kind(self) -> str:
        """The name of the step's key."""
        return self._given()[0]

    @property
    def datasets(self) -> tuple[str, ...]:
        """The reference datasets that the step reads."""
        if self.sql is not None:
            return tuple(self.sql.datasets)
        one = self.join or self.aggregate or self.window
        return (one.dataset,) if one is not None and one.dataset is not None else ()

    def may_make(self, column: str) -> bool:
        """Whether a column may come from this step, so that uploads need not carry it."""
        if self.sql is not None:
            return True
        if self.join is not None:
            return self.join.columns is None or column.removeprefix(self.join.prefix) in (
                self.join.columns
            )
        computed = self.aggregate or self.window
        named = computed.columns if computed else self.derive or ()
        return column in named or any(column.startswith(f"{name}_") for name in self.dates or ())

    def _given(self) -> list[str]:
        return [name for name in type(self).model_fields if getattr(self, name) is not None]
