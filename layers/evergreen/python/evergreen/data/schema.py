"""What the columns of a dataset are: names, types, and how several files agree on them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal, get_args

ColumnType = Literal["number", "integer", "boolean", "text", "date", "timestamp"]

COLUMN_TYPES: tuple[ColumnType, ...] = get_args(ColumnType)

SQL_TYPES: Mapping[ColumnType, str] = {
    "number": "DOUBLE",
    "integer": "BIGINT",
    "boolean": "BOOLEAN",
    "text": "VARCHAR",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
}
"""How each type is stored."""

WIDER: Mapping[frozenset[str], ColumnType] = {
    frozenset({"integer", "number"}): "number",
    frozenset({"date", "timestamp"}): "timestamp",
}
"""The type that holds the values of two types without loss; other pairs have none."""


class SchemaConflictError(ValueError):
    """Two files disagree about a column: its type in one cannot hold its values in the other."""

    def __init__(self, column: str, types: Sequence[str]) -> None:
        self.column = column
        self.types = tuple(types)
        super().__init__(
            f"column '{column}' is {' in one part and '.join(self.types)} in another; "
            "upload one of the parts again with the other's type"
        )


@dataclass(frozen=True)
class ColumnSchema:
    """One column of a table.

    `format` is how its texts were read where that is not the usual way (`%d.%m.%Y`); `empty`
    says that no value was seen, so that any type may join.
    """

    name: str
    type: ColumnType
    nullable: bool = True
    format: str | None = None
    empty: bool = False

    def joined(self, other: ColumnSchema) -> ColumnSchema:
        """What holds the values of both; raises SchemaConflictError."""
        kept, added = (other, self) if self.empty else (self, other)
        if self.empty and other.empty:
            kept, added = sorted((self, other), key=lambda each: COLUMN_TYPES.index(each.type))
        nullable = self.nullable or other.nullable
        if added.empty or kept.type == added.type:
            same = kept.format or added.format
            return ColumnSchema(kept.name, kept.type, nullable, same, kept.empty and added.empty)
        wider = WIDER.get(frozenset({kept.type, added.type}))
        if wider is None:
            raise SchemaConflictError(self.name, sorted({kept.type, added.type}))
        return ColumnSchema(kept.name, wider, nullable, kept.format or added.format)


@dataclass(frozen=True)
class Schema:
    """The columns of a dataset or of one part of it, in order; names are unique in any case."""

    columns: tuple[ColumnSchema, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names, in order."""
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> ColumnSchema | None:
        """The column of that name, upper and lower case being the same."""
        return self._by_name.get(name.casefold())

    @cached_property
    def _by_name(self) -> dict[str, ColumnSchema]:
        return {each.name.casefold(): each for each in reversed(self.columns)}

    def to_plain(self) -> list[dict[str, Any]]:
        """As JSON values, always the same for equal schemas: fit for a digest."""
        return [asdict(column) for column in self.columns]

    @staticmethod
    def from_plain(plain: Iterable[Mapping[str, Any]]) -> Schema:
        """Read what `to_plain` gave."""
        return Schema(tuple(ColumnSchema(**column) for column in plain))


def unify(schemas: Iterable[Schema]) -> Schema:
    """The schema that holds the rows of all; raises SchemaConflictError.

    Integers and numbers are numbers, dates and timestamps are timestamps, a column without
    values joins any type, and a column that one schema lacks is null there.

    >>> whole = Schema((ColumnSchema("a", "integer", nullable=False),))
    >>> real = Schema((ColumnSchema("a", "number"), ColumnSchema("b", "text")))
    >>> [(column.name, column.type, column.nullable) for column in unify([whole, real]).columns]
    [('a', 'number', True), ('b', 'text', True)]
    """
    joined: dict[str, ColumnSchema] = {}
    seen: dict[str, int] = {}
    total = 0
    for schema in schemas:
        total += 1
        for column in schema.columns:
            key = column.name.casefold()
            seen[key] = seen.get(key, 0) + 1
            joined[key] = joined[key].joined(column) if key in joined else column
    return Schema(
        tuple(
            ColumnSchema(
                column.name,
                column.type,
                column.nullable or seen[key] < total,
                column.format,
                column.empty,
            )
            for key, column in joined.items()
        )
    )
