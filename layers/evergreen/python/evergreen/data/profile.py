"""What the values of a dataset look like, column by column and together."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb
from pydantic import TypeAdapter

from evergreen.data.described_rows import DescribedRows, Field, take_rows
from evergreen.data.distributions import (
    Distribution,
    Histogram,
    Lengths,
    describe,
    told,
    with_texts,
)
from evergreen.data.engine import connect, identifier
from evergreen.data.join_keys import (
    MOST_SAMPLED,
    Keys,
    KeySample,
    can_be_key,
    gather_keys,
    sample_key,
)
from evergreen.data.likeness import Likeness, find_likeness
from evergreen.data.missingness import Gaps, find_gaps
from evergreen.data.observations import Observed
from evergreen.data.parts import rows_of, schema_of_all
from evergreen.data.relations import Relation, Target, relate
from evergreen.data.runs import code, runs_of
from evergreen.data.schema import Schema
from evergreen.data.totals import Totals, count_all, totals_of

TOP_VALUES = 10


@dataclass(frozen=True)
class ColumnProfile:
    """One column: how much of it is there, and how its values are distributed.

    Over all rows: `count`, `nulls`, `minimum` and `maximum` (numbers, or ISO texts of dates and
    timestamps), `mean`, `std`, and `distinct` (estimated where the profile does not describe
    all rows, standard error 3 %). Over the described rows: `quantiles` by share, `histogram`
    and `hundredths` (numbers and times; the value in the middle of each hundredth), `skewness`,
    `top` (most frequent values with their rows), `lengths` (characters of texts) and `relation`
    to the target.
    """

    name: str
    type: str
    count: int
    nulls: int
    distinct: int
    minimum: float | str | None = None
    maximum: float | str | None = None
    mean: float | None = None
    std: float | None = None
    skewness: float | None = None
    quantiles: dict[str, float | str] | None = None
    histogram: Histogram | None = None
    top: tuple[tuple[str, int], ...] = ()
    lengths: Lengths | None = None
    relation: Relation | None = None
    hundredths: tuple[float | str, ...] = ()


@dataclass(frozen=True)
class Profile:
    """A dataset's rows, its columns one by one, and what holds between them.

    `described_rows` are those that quantiles, histograms and most frequent values are of: all,
    or every n-th of a large dataset.
    """

    rows: int
    described_rows: int
    columns: tuple[ColumnProfile, ...]
    gaps: Gaps
    likeness: Likeness
    target: Target | None = None

    def to_plain(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)

    @staticmethod
    def from_plain(plain: Mapping[str, Any]) -> Profile:
        """Read what `to_plain` gave; raises ValueError for anything else."""
        return TypeAdapter(Profile).validate_python(plain)


def profile(
    parts: Sequence[Path],
    schema: Schema | None = None,
    *,
    target: str | None = None,
    observed: Observed | None = None,
) -> Profile:
    """Profile the rows of all parts together; `target` is the column that others are held against.

    `observed` is what was seen of the only part, and need not be counted again.

    The passes over the data are three at most, whatever the number of columns: one that takes the
    rows to describe, and, if these are not all, one that counts and one that adds up.
    """
    return profile_with_keys(parts, schema, target=target, observed=observed)[0]


def profile_with_keys(
    parts: Sequence[Path],
    schema: Schema | None = None,
    *,
    target: str | None = None,
    observed: Observed | None = None,
) -> tuple[Profile, Keys]:
    """The profile, and samples of what the dataset can be joined by, from the same passes."""
    with tempfile.TemporaryDirectory() as directory, connect(Path(directory)) as connection:
        return profile_within(connection, parts, schema, target=target, observed=observed)


def profile_within(
    connection: duckdb.DuckDBPyConnection,
    parts: Sequence[Path],
    schema: Schema | None = None,
    *,
    target: str | None = None,
    observed: Observed | None = None,
) -> tuple[Profile, Keys]:
    """The same over a connection that is there."""
    whole = schema or schema_of_all(connection, parts)
    described = take_rows(connection, parts, whole)
    counted: list[Totals] = []
    if not described.is_all:
        columns = [(each, identifier(each.field.column.name)) for each in described.columns]
        source = f"({rows_of(connection, parts, whole)})"
        counted = count_all(connection, source, columns, observed)
    totals: list[Totals] = []
    distributions: list[Distribution] = []
    samples: list[KeySample] = []
    for place, each in enumerate(described.columns):
        runs = runs_of(each)
        totals.append(counted[place] if counted else totals_of(each.field, runs))
        distributions.append(describe(each, runs, totals[-1]))
        if len(samples) < MOST_SAMPLED and can_be_key(each.field, distributions[-1]):
            samples.append(sample_key(each.field, runs, whole=described.is_all))
    distributions = with_texts(connection, described, distributions)
    compared = [code(each) for each in described.compared()]
    related = relate(compared, distributions, target)
    made = Profile(
        described.total,
        described.rows,
        tuple(
            _column(described, field, known, distribution, relation)
            for field, known, distribution, relation in zip(
                described.fields, totals, distributions, related.relations, strict=True
            )
        ),
        find_gaps(described.columns),
        find_likeness(compared),
        related.target,
    )
    return made, gather_keys(described, samples)


def _column(
    described: DescribedRows,
    field: Field,
    known: Totals,
    distribution: Distribution,
    relation: Relation | None,
) -> ColumnProfile:
    ends = (None if end is None else told(field, end) for end in (known.least, known.greatest))
    minimum, maximum = ends
    return ColumnProfile(
        name=field.column.name,
        type=field.column.type,
        count=known.count,
        nulls=described.total - known.count,
        distinct=known.distinct,
        minimum=minimum,
        maximum=maximum,
        mean=known.mean,
        std=known.std,
        skewness=distribution.skewness,
        quantiles=dict(distribution.quantiles) if distribution.quantiles else None,
        histogram=distribution.histogram,
        top=tuple((each.shown, each.rows) for each in distribution.levels[:TOP_VALUES]),
        lengths=distribution.lengths,
        relation=relation,
        hundredths=distribution.hundredths,
    )
