"""How a new part differs from the dataset so far, each difference by its name."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from statistics import NormalDist
from typing import Any

import duckdb

from evergreen.contracts.data_section import Severity
from evergreen.data.engine import identifier, literal, one_value, parquet
from evergreen.data.observations import Observed, ObservedColumn, Value
from evergreen.data.refusal import shortened
from evergreen.data.schema import SQL_TYPES

FALSE_ALARM_RATE = 0.001
"""A part like the ones before it gets a statistical anomaly at most so often, all columns
together."""

SLIGHT = 0.02
"""A null rate that moved by less is no anomaly, however many rows prove it."""

FIRST_MOMENT, LAST_MOMENT = "0001-01-01T00:00:00", "9999-12-31T23:59:59"
"""The ends of what a datetime holds."""

SHOWN = 3
"""New categories that a message repeats."""


@dataclass(frozen=True)
class Anomaly:
    """One thing about a part that was not expected.

    A stable code, a sentence, what was seen and what was expected; what it does (`severity`), and
    the label of the rule that it breaks, if there is one. `waiver` says who let it pass.
    """

    code: str
    column: str | None
    message: str
    seen: str
    expected: str
    severity: Severity = "warn"
    rule: str | None = None
    waiver: str | None = None

    @property
    def sentence(self) -> str:
        """The message, with the waiver if there is one."""
        return f"{self.message} ({self.waiver})" if self.waiver else self.message

    def to_plain(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


def compare(
    connection: duckdb.DuckDBPyConnection, part: Path, here: Observed, before: Observed
) -> tuple[Anomaly, ...]:
    """Every anomaly of the typed rows in `part`, seen as `here`, against all that was `before`."""
    shared = [
        (column, known)
        for column in here.columns
        if (known := before.column(column.name)) is not None
    ]
    rate = FALSE_ALARM_RATE / max(1, len(shared))
    return (
        *_appeared(here, before),
        *(found for column, known in shared for found in _changed(column, known)),
        *(found for column, known in shared for found in _missing_more(column, known, rate)),
        *_out_of_range(connection, part, shared, rate),
        *_new_categories(connection, part, shared),
        *_duplicate_keys(connection, part, here, [known for _, known in shared]),
    )


def _appeared(here: Observed, before: Observed) -> Iterator[Anomaly]:
    for known in before.columns:
        if here.column(known.name) is None:
            said = f"column '{known.name}' is not in this file: its values are missing"
            yield Anomaly("missing_column", known.name, said, "no column", known.type)
    yield from new_columns(here, before)


def new_columns(here: Observed, before: Observed) -> Iterator[Anomaly]:
    """Columns that the dataset does not have so far."""
    for column in here.columns:
        if before.column(column.name) is None:
            said = f"column '{column.name}' is new: it is missing in the dataset's other parts"
            yield Anomaly("new_column", column.name, said, column.type, "no column")


def _changed(column: ObservedColumn, known: ObservedColumn) -> Iterator[Anomaly]:
    if column.count and known.count and column.type != known.type:
        said = f"column '{column.name}' is {column.type} here and was {known.type} so far"
        yield Anomaly("type_change", column.name, said, column.type, known.type)


def _missing_more(column: ObservedColumn, known: ObservedColumn, rate: float) -> Iterator[Anomaly]:
    rows, rows_before = column.count + column.nulls, known.count + known.nulls
    if least_difference(column.nulls, rows, known.nulls, rows_before, rate) <= SLIGHT:
        return
    seen, expected = f"{column.nulls / rows:.1%}", f"{known.nulls / rows_before:.1%}"
    said = f"column '{column.name}' is missing in {seen} of the rows; so far in {expected}"
    yield Anomaly("null_rate", column.name, said, seen, expected)


def least_difference(hits: int, of: int, hits_before: int, of_before: int, rate: float) -> float:
    """The least difference of two proportions that their counts allow, at error rate `rate`.

    The near end of the interval of Agresti and Caffo (The American Statistician 54, 2000), which
    adds one hit and one miss to each sample; 0 where it holds no difference at all.

    >>> least_difference(50, 100, 5, 1000, 0.001) > 0.2
    True
    >>> least_difference(1, 3, 0, 3, 0.001)
    0.0
    """
    one, other = (hits + 1) / (of + 2), (hits_before + 1) / (of_before + 2)
    error = math.sqrt(one * (1 - one) / (of + 2) + other * (1 - other) / (of_before + 2))
    return max(0.0, abs(one - other) - NormalDist().inv_cdf(1 - rate / 2) * error)


def too_many_beyond(beyond: int, of: int, of_before: int, rate: float) -> bool:
    """Whether chance would put so many of the new values beyond the most extreme one so far.

    If old and new values come alike, all orders are equally probable: that the `beyond` greatest
    are all new has a probability of at most (of / (of + of_before)) ** beyond.
    """
    return beyond * math.log(of / (of + of_before)) < math.log(rate / 2)


def _out_of_range(
    connection: duckdb.DuckDBPyConnection,
    part: Path,
    shared: Sequence[tuple[ObservedColumn, ObservedColumn]],
    rate: float,
) -> Iterator[Anomaly]:
    """Values far beyond all so far, or more of them beyond than chance allows.

    Keys grow and time goes on: of keys nothing is said, of dates only what is far off.
    """
    asked, counted = [], []
    for column, known in shared:
        if known.surely_unique or not _leaves(column, known):
            continue
        name = identifier(column.name)
        least, greatest = widened(known)
        ends = [(known.minimum, "<"), (known.maximum, ">"), (least, "<"), (greatest, ">")]
        counted.append((column, known))
        asked += [
            f"count(*) FILTER (WHERE {name} {sign} {_sql(end, column)})" for end, sign in ends
        ]
    if not asked:
        return
    row = connection.execute(f"SELECT {', '.join(asked)} FROM {parquet([part])}").fetchone() or ()
    for place, (column, known) in enumerate(counted):
        below, above, far_below, far_above = row[4 * place : 4 * place + 4]
        timeless = not isinstance(known.minimum, str)
        unlikely = timeless and any(
            too_many_beyond(each, column.count, known.count, rate) for each in (below, above)
        )
        if far_below or far_above or unlikely:
            seen = f"{_said(column.minimum)} to {_said(column.maximum)}"
            expected = f"{_said(known.minimum)} to {_said(known.maximum)}"
            said = (
                f"column '{column.name}' has {below + above:,} value(s) out of range: "
                f"{seen} here, {expected} so far"
            )
            yield Anomaly("out_of_range", column.name, said, seen, expected)


def _leaves(column: ObservedColumn, known: ObservedColumn) -> bool:
    ends = (column.minimum, column.maximum, known.minimum, known.maximum)
    kinds = {isinstance(each, str) for each in ends}
    if None in ends or len(kinds) > 1:
        return False
    low, high, least, greatest = ends
    return bool(low < least or high > greatest)  # type: ignore[operator]


def widened(known: ObservedColumn) -> tuple[Value | None, Value | None]:
    """The range so far, widened by itself on both sides; of dates by a year more."""
    least, greatest = known.minimum, known.maximum
    if isinstance(least, str) and isinstance(greatest, str):
        first, last = datetime.fromisoformat(least), datetime.fromisoformat(greatest)
        width = last - first + timedelta(days=366)
        return _moved(first, -width), _moved(last, width)
    if isinstance(least, int | float) and isinstance(greatest, int | float):
        margin = greatest - least if greatest > least else abs(greatest)
        return least - margin, greatest + margin
    return least, greatest


def _moved(moment: datetime, by: timedelta) -> str:
    try:
        return (moment + by).isoformat()
    except OverflowError:
        return FIRST_MOMENT if by < timedelta(0) else LAST_MOMENT


def _sql(value: Value | None, column: ObservedColumn) -> str:
    if isinstance(value, str):
        return f"CAST({literal(value)} AS {SQL_TYPES[column.type]})"
    if isinstance(value, float) and not math.isfinite(value):
        value = math.copysign(1.7976931348623157e308, value)
    return f"CAST({value!r} AS DOUBLE)"


def _said(value: Value | None) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _new_categories(
    connection: duckdb.DuckDBPyConnection,
    part: Path,
    shared: Sequence[tuple[ObservedColumn, ObservedColumn]],
) -> Iterator[Anomaly]:
    for column, known in shared:
        if known.categories is None or not column.count or known.type != column.type:
            continue
        if column.categories is not None and set(column.categories) <= set(known.categories):
            continue
        text = f"CAST({identifier(column.name)} AS VARCHAR)"
        old = ", ".join(literal(each) for each in known.categories)
        found = connection.execute(
            f"SELECT {text}, count(*), count(*) OVER () FROM {parquet([part])} "
            f"WHERE {text} NOT IN ({old}) GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {SHOWN}"
        ).fetchall()
        if not found:
            continue
        names = ", ".join(f"'{shortened(str(value))}' ({count:,})" for value, count, _ in found)
        more = f" and {found[0][2] - len(found):,} more" if found[0][2] > len(found) else ""
        said = f"column '{column.name}' has new categories: {names}{more}"
        expected = ", ".join(f"'{shortened(each)}'" for each in known.categories[:SHOWN])
        rest = len(known.categories) - SHOWN
        expected += f" and {rest} more" if rest > 0 else ""
        yield Anomaly("new_category", column.name, said, names + more, expected)


def _duplicate_keys(
    connection: duckdb.DuckDBPyConnection,
    part: Path,
    here: Observed,
    shared: Sequence[ObservedColumn],
) -> Iterator[Anomaly]:
    for known in shared:
        repeated = repeated_rows(connection, part, [known.name], here) if known.surely_unique else 0
        if repeated:
            said = f"{repeated:,} row(s) repeat the key '{known.name}' of another row"
            seen = f"{repeated} repeated rows"
            yield Anomaly("duplicate_key", known.name, said, seen, "unique keys")


def repeated_rows(
    connection: duckdb.DuckDBPyConnection, part: Path, key: Sequence[str], here: Observed
) -> int:
    """How many rows of the part, seen as `here`, are there once more under an equal key."""
    columns = [column for name in key if (column := here.column(name))]
    if len(columns) < len(key) or not key or any(each.unique for each in columns):
        return 0
    names = ", ".join(identifier(column.name) for column in columns)
    present = " AND ".join(f"{identifier(column.name)} IS NOT NULL" for column in columns)
    return one_value(
        connection,
        f"SELECT sum(n - 1) FROM (SELECT count(*) AS n FROM {parquet([part])} "
        f"WHERE {present} GROUP BY {names} HAVING count(*) > 1)",
    )
