"""What the project declares about reading a dataset, laid over what its parts have shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from evergreen.contracts.data_section import (
    MISSING,
    NOTHING_DECLARED,
    DatasetDeclaration,
    DeclaredColumn,
)
from evergreen.data.engine import literal
from evergreen.data.readings import Reading
from evergreen.data.schema import ColumnSchema, ColumnType, Schema


@dataclass(frozen=True)
class DeclaredSchema(Schema):
    """The columns of a dataset so far, with the declared types in place of those seen."""

    declaration: DatasetDeclaration = NOTHING_DECLARED


def with_declared(known: Schema | None, declaration: DatasetDeclaration) -> Schema | None:
    """What a new part is read by; `known` itself where nothing is declared."""
    if declaration == NOTHING_DECLARED:
        return known
    columns = list(known.columns if known else ())
    for name, column in declaration.columns.items():
        if column.type is None:
            continue
        said = ColumnSchema(name, column.type, format=column.format)
        place = next((n for n, c in enumerate(columns) if c.name.casefold() == name.casefold()), -1)
        if place < 0:
            columns.append(said)
        else:
            seen = columns[place]
            written = column.format or (seen.format if seen.type == column.type else None)
            columns[place] = replace(seen, type=column.type, format=written, empty=False)
    return DeclaredSchema(tuple(columns), declaration)


def read_as_declared(schema: Schema, declaration: DatasetDeclaration) -> Schema:
    """The columns of a part, as they would be if it were read by what is declared now."""
    columns = []
    for column in schema.columns:
        declared = declaration.column(column.name)
        kind = (declared and declared.type) or column.type
        written = column.format if kind == column.type else None
        columns.append(replace(column, type=kind, format=written))
    return Schema(tuple(columns))


def declared_column(known: Schema | None, name: str) -> DeclaredColumn:
    """What is declared of a column."""
    if not isinstance(known, DeclaredSchema):
        return DeclaredColumn()
    return known.declaration.column(name) or DeclaredColumn()


def markers_of(known: Schema | None, name: str) -> tuple[str, ...]:
    """The texts that say that a value of a column is missing."""
    return known.declaration.markers(name) if isinstance(known, DeclaredSchema) else MISSING


def has_own_markers(known: Schema | None) -> bool:
    """Whether any column declares what counts as missing."""
    if not isinstance(known, DeclaredSchema):
        return False
    declaration = known.declaration
    declared = [declaration.missing, *(each.missing for each in declaration.columns.values())]
    return any(each is not None and tuple(each) != MISSING for each in declared)


def declared_readings(
    known: Schema | None, name: str, readings: Sequence[Reading]
) -> Sequence[Reading]:
    """The readings that a column may be tried with: of a declared type only its own."""
    declared = declared_column(known, name)
    if declared.type is None:
        return readings
    usable = [each for each in readings if each.type == declared.type]
    if declared.format is None:
        return usable
    same = [each for each in usable if each.format == declared.format]
    return same or [_written_as(declared.format, declared.type)]


def _written_as(format: str, kind: ColumnType) -> Reading:  # noqa: A002
    value = f"try_strptime({{v}}, {literal(format)})"
    looks = f"{value} IS NOT NULL"
    return Reading(kind, looks, f"CAST({value} AS DATE)" if kind == "date" else value, format)
