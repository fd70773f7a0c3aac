"""How rows are divided where the project does not say: by time if they have one, else by entity.

Time order wins: a model is asked about what comes after what it learned from, and a holdout drawn
at random lets it look ahead. `docs/decisions/022-which-time.md` has the rule and its reasons.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import duckdb
import numpy as np

from evergreen.contracts.project_file import ProjectFile
from evergreen.data.engine import identifier, one_value
from evergreen.data.parquet_columns import column_type
from evergreen.features.columnar import fetch_column
from evergreen.features.split import newest
from evergreen.features.workbench import ROW, Table, family, moment

PRESENT = 0.99
"""An event time stands in at least this share of the rows."""

FEWEST_TIMES = 5

LONGEST_YEARS = 30
"""Times of rows that are not in their order span less; dates of birth span more."""

ATTRIBUTE = re.compile(
    r"(?i)birth|born|\bdob\b|(^|_)dob(_|$)|expir|due|deadline|until|valid|founded|hired|built|since"
)
"""Names of dates that describe what a row is about and not when the row happened."""

PERIOD = re.compile(
    r"(?i)(^|[\W_])(date|day|week|month|year|time|timestamp|epoch|period|tick|hour|minute)s?([\W_]|$)"
)
"""Names of numbers that may count time."""

FEWEST_PERIODS = 20
"""Numbers that count time have at least so many values."""

ENTITY = re.compile(r"(?i:(^|[\W_])(id|uid|uuid|guid|key)s?$)|[a-z](Id|ID|Key)$")
"""Names of columns that say who or what a row is about."""

ROWS_PER_ENTITY = (1.1, 50)
"""Below, a name of rows; above, a category, of which new rows will be too."""

MOST_OF_ONE_ENTITY = 0.2
"""An entity with a larger share of the rows leaves no choice."""

TOLD = 3
"""So many columns that were not taken are said with the reason."""


@dataclass(frozen=True)
class _Time:
    """A column that may say when rows happened; `against` says why it is not taken for that.

    Of several the one that steps use as time comes first, then one that the rows are in order of,
    then the latest: what happens last to a row is nearest to when the row was made.
    """

    column: str
    used: bool
    follows: bool
    latest: float
    against: str | None = None

    @property
    def rank(self) -> tuple[bool, bool, float]:
        return (self.used, self.follows, self.latest)


def choose_split(
    connection: duckdb.DuckDBPyConnection, rows: Table, project: ProjectFile, parts: int
) -> tuple[ProjectFile, list[str]]:
    """The project with `preparation.time` or `group` chosen where none is declared, and why.

    `rows`: after all steps, from so many files. What is declared stays as it is.
    """
    declared = project.preparation
    notes: list[str] = []
    chosen: dict[str, str] = {}
    if declared.time is None:
        found = sorted(
            _times(connection, rows, project, parts), key=lambda each: each.rank, reverse=True
        )
        taken = next((each for each in found if each.against is None), None)
        if taken is not None:
            chosen["time"] = taken.column
            notes.append(_said_of_time(taken))
        else:
            notes += [
                f"'{each.column}' is a time, but not taken for that of the rows: {each.against}; "
                f"if the model is to answer for later times, declare preparation.time"
                for each in found[:TOLD]
            ]
    if declared.group is None and not declared.time and "time" not in chosen:
        group, said = _group(connection, rows, project)
        notes += said
        chosen |= {"group": group} if group else {}
    if not chosen:
        return project, notes
    preparation = declared.model_copy(update=chosen)
    return project.model_copy(update={"preparation": preparation}), notes


def _said_of_time(taken: _Time) -> str:
    why = "stands in every row and is no date of birth or the like"
    if taken.follows:
        why = "stands in every row, and the rows are in its order"
    if taken.used:
        why = "is what steps look back from"
    return (
        f"the newest rows are held out, by '{taken.column}', which {why}; "
        f"declare 'time: {taken.column}' to keep it so, or 'time: false' to divide otherwise"
    )


def _times(
    connection: duckdb.DuckDBPyConnection, rows: Table, project: ProjectFile, parts: int
) -> Iterator[_Time]:
    """Every column that could be the time of the rows."""
    used = _used_as_time(project)
    for column, sql_type in rows.columns.items():
        kind = column_type(sql_type)
        is_time = family(sql_type) == "a time"
        counts = kind == "integer" and bool(PERIOD.search(column))
        if column == project.target or not (
            is_time or counts or (column in used and kind in {"integer", "number"})
        ):
            continue
        judged = _judged(connection, rows, project, parts, column, column in used)
        if judged.follows or is_time or column in used:
            yield judged


def _used_as_time(project: ProjectFile) -> set[str]:
    """Columns of the rows that steps look back from."""
    used = set()
    for step in project.preparation.steps:
        for one in (step.join, step.aggregate):
            if one is not None and one.as_of is not None:
                used.add(one.as_of.time)
        if step.window is not None:
            used.add(step.window.time)
    return used


def _judged(
    connection: duckdb.DuckDBPyConnection,
    rows: Table,
    project: ProjectFile,
    parts: int,
    column: str,
    used: bool,  # noqa: FBT001
) -> _Time:
    """What speaks for and against a column."""
    is_time = family(rows.columns[column]) == "a time"
    value = moment(rows, column, "there")
    number = f"epoch_us({value})" if is_time else value
    all_times = fetch_column(connection, rows.name, number)
    times = np.sort(all_times[np.isfinite(all_times)])
    if not times.size:
        return _Time(column, used, follows=False, latest=-np.inf, against="it has no values")
    falls = one_value(
        connection,
        f"SELECT count(*) FROM (SELECT {value} < lag({value}) OVER (ORDER BY {identifier(ROW)}) "
        f"AS fell FROM {identifier(rows.name)} WHERE {value} IS NOT NULL) WHERE fell",
    )
    distinct = np.unique(times).size
    follows = falls < parts and distinct >= (FEWEST_TIMES if is_time else FEWEST_PERIODS)
    years = (times[-1] - times[0]) / (365.25 * 86_400e6) if is_time else 0
    share = project.preparation.holdout
    against = None
    if distinct < FEWEST_TIMES:
        against = f"it has {distinct} different values only"
    elif times.size < PRESENT * len(all_times):
        against = f"it is missing in {1 - times.size / len(all_times):.0%} of the rows"
    elif not used and ATTRIBUTE.search(column):
        against = "it is named like a date that describes what a row is about"
    elif not used and not follows and years > LONGEST_YEARS:
        against = f"it spans {years:.0f} years, as dates of birth do"
    else:
        held = newest(times, share)
        if held is None or not share / 2 <= held.mean() <= 2 * share:
            against = f"no change of it is near the newest {share:.0%} of the rows"
        elif not _both_sides_vary(connection, rows, project, number, times[np.argmax(held)]):
            against = f"before or after the cut there is one value of '{project.target}' only"
    return _Time(column, used, follows, float(times.mean()), against)


def _both_sides_vary(
    connection: duckdb.DuckDBPyConnection,
    rows: Table,
    project: ProjectFile,
    number: str,
    first: float,
) -> bool:
    target, cut = identifier(project.target), float(first)
    row = connection.execute(
        f"SELECT count(DISTINCT {target}) FILTER ({number} < {cut!r}), "
        f"count(DISTINCT {target}) FILTER ({number} >= {cut!r}) FROM {identifier(rows.name)}"
    ).fetchone()
    return row is not None and min(row) > 1


def _group(
    connection: duckdb.DuckDBPyConnection, rows: Table, project: ProjectFile
) -> tuple[str | None, list[str]]:
    """The column that says who or what a row is about, where rows repeat it; else a suggestion."""
    suggested = []
    for column, sql_type in rows.columns.items():
        if column == project.target or not ENTITY.search(column):
            continue
        if column_type(sql_type) not in {"integer", "text"}:
            continue
        value = identifier(column)
        found = connection.execute(
            f"SELECT sum(n), count(*), max(n) FROM (SELECT count(*) AS n "
            f"FROM {identifier(rows.name)} WHERE {value} IS NOT NULL GROUP BY {value})"
        ).fetchone()
        there, distinct, largest = (int(each or 0) for each in found or (0, 0, 0))
        each = there / max(distinct, 1)
        if each < ROWS_PER_ENTITY[0] or largest == there:
            continue
        if each <= ROWS_PER_ENTITY[1] and largest <= MOST_OF_ONE_ENTITY * there:
            said = (
                f"rows of one '{column}' stay on one side: its {distinct:,} values have {each:.1f} "
                f"rows each; declare 'group: false' to divide rows by themselves"
            )
            return column, [said]
        suggested.append(
            f"'{column}' may say what a row is about, with {each:,.0f} rows for each of "
            f"{distinct:,}: if the model is to answer for new ones, declare preparation.group"
        )
    return None, suggested[:TOLD]
