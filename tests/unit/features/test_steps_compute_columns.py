"""Fills, clips, date parts, groups, windows and SQL give what their declaration says."""

from __future__ import annotations

from math import cos, pi, sin
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from evergreen.contracts.preparation_steps import Step
from evergreen.contracts.project_file import ProjectFile
from evergreen.data.engine import connect, identifier
from evergreen.features.preparation import Prepared
from evergreen.features.steps import run_steps
from evergreen.features.workbench import ROW, Table, Workbench
from tests.unit.features.workshop import Workshop, hundred, names

READINGS = """
    SELECT s, "at"::TIMESTAMP AS "at", v, k, i % 2 = 0 AS y, i FROM (VALUES
        ('a', '2024-01-01 00:00', 1, 0), ('a', '2024-01-01 06:00', NULL, 1),
        ('a', '2024-01-03 00:00', NULL, 2), ('b', '2024-01-01 00:00', NULL, 3),
        ('b', '2024-01-02 00:00', 7, 4), ('b', '2024-01-02 00:00', NULL, 5),
        ('b', '2024-01-02 00:00', 8, 6), ('b', '2024-01-04 00:00', NULL, 7),
        (NULL, '2024-01-05 00:00', NULL, 8), ('a', NULL, NULL, 9)) t(s, "at", v, k), range(4) r(i)
    ORDER BY i, k
"""


def values(workshop: Workshop, made: Prepared, column: str, key: str = "k") -> list[Any]:
    """What a column holds, in order of `key`, of the first copy of each row."""
    assert made.rows
    return [value for _, value in sorted(dict(workshop.written(f"{key}, {column}")).items())]


def one_each(workshop: Workshop, *steps: dict[str, Any], target: str = "y") -> Prepared:
    return workshop.prepare(READINGS, *steps, time=False, target=target)


def test_a_constant_fills_what_is_missing(workshop: Workshop) -> None:
    made = one_each(workshop, {"fill": {"v": -1, "s": "none"}})
    assert values(workshop, made, "v") == [1, -1, -1, -1, 7, -1, 8, -1, -1, -1]
    assert values(workshop, made, "s")[8] == "none"
    assert "step 1 (fill): 28 missing values of 'v' are filled" in made.notes


def test_the_value_before_fills_but_none_of_the_same_moment_or_another_group(
    workshop: Workshop,
) -> None:
    made = one_each(workshop, {"fill": {"v": {"previous_in": "at", "by": ["s"]}}})
    assert values(workshop, made, "v") == [1, 1, 1, None, 7, None, 8, 8, None, None]
    assert (
        "step 1 (fill): 12 missing values of 'v' are filled; 16 have no value before them and stay "
        "missing" in made.notes
    )


def test_a_value_that_is_too_old_does_not_fill(workshop: Workshop) -> None:
    made = one_each(
        workshop, {"fill": {"v": {"previous_in": "at", "by": ["s"], "within": "1 day"}}}
    )
    assert values(workshop, made, "v") == [1, 1, None, None, 7, None, 8, None, None, None]


@pytest.mark.parametrize("constant", ["median", "1.5", "many", True])
def test_a_constant_that_is_no_value_of_the_column_is_refused(
    workshop: Workshop, constant: object
) -> None:
    error = workshop.refused(READINGS, {"fill": {"v": constant}})
    assert (error.step, error.column, error.value) == (1, "v", str(constant).lower())
    learned = "statistics are learned from training rows only, and the model does that by itself"
    assert (learned in error.problem) == (constant == "median")


def test_numbers_are_clipped_and_counted(workshop: Workshop) -> None:
    made = workshop.prepare(
        hundred("i AS n, CASE WHEN i % 10 > 0 THEN i / 10 ELSE 'nan'::DOUBLE END AS x"),
        {"clip": {"n": {"min": 10, "max": 89}, "x": {"max": 5.5}}},
    )
    assert "step 1 (clip): 20 values of 'n' are clipped" in made.notes
    assert workshop.written("min(n), max(n), typeof(any_value(n))") == [(10, 89, "BIGINT")]
    found = workshop.written("max(x) FILTER (NOT isnan(x)), count(*) FILTER (isnan(x))")
    assert found == [(5.5, 10)]


def test_dates_are_taken_apart(workshop: Workshop) -> None:
    moment = "TIMESTAMP '2024-02-29 18:30:00' + to_days(CAST(i AS INTEGER)) AS seen"
    parts = ["year", "quarter", "month", "week", "day", "day_of_year", "day_of_week", "weekend"]
    cyclic = ["hour_cyclic", "month_cyclic"]
    workshop.prepare(
        hundred(f"{moment}, i AS n"), {"dates": {"seen": [*parts, "hour", "minute", *cyclic]}}
    )
    found = {row[0]: row[1:] for row in workshop.written("n, * EXCLUDE (seen, n, y, holdout)")}[0]
    turn, year = 2 * pi * 18.5 / 24, 2 * pi / 12
    assert found == (
        *(2024, 1, 2, 9, 29, 60, 3, False, 18, 30),
        *(pytest.approx(each, abs=1e-8) for each in (sin(turn), cos(turn), sin(year), cos(year))),
    )


def test_a_part_whose_name_is_taken_is_refused(workshop: Workshop) -> None:
    rows = hundred("DATE '2024-01-01' + i::INT AS d, i AS D_year")
    error = workshop.refused(rows, {"dates": {"d": ["year"]}})
    assert error.problem == "there is a column 'd_year' already; choose another name"


def test_the_last_of_equal_rows_in_a_declared_order_is_kept(workshop: Workshop) -> None:
    rows = hundred("i % 50 AS k, CASE WHEN i < 90 THEN 100 - i END AS seen, i AS v")
    for keep, kept in (("last", range(40)), ("first", range(50, 90))):
        chosen = {"by": ["k"], "keep": keep, "order": "seen"}
        assert workshop.prepare(rows, {"deduplicate": chosen}).rows == 50
        # A row without a place in the order never wins, whichever end is kept.
        both = {*kept, *range(40, 50)}
        assert {v for (v,) in workshop.written("v")} == both


def test_columns_can_be_ignored_when_rows_are_compared(workshop: Workshop) -> None:
    rows = hundred("i % 50 AS v, i AS id, i // 50 AS version")
    made = workshop.prepare(
        rows, {"deduplicate": {"ignore": ["id"], "keep": "last", "order": "version"}}
    )
    assert made.rows == 50
    assert {version for (version,) in workshop.written("version")} == {1}


def test_a_dataset_is_aggregated_beside_the_rows(workshop: Workshop) -> None:
    made = workshop.prepare(
        hundred("CASE WHEN i % 4 < 3 THEN i % 4 END AS k, i AS n"),
        {
            "aggregate": {
                "dataset": "shop",
                "by": {"k": "id"},
                "order": "day",
                "columns": {"sold": {"sum": "n"}, "times": "count", "newest": {"last": "n"}},
            }
        },
        references={
            "shop": "SELECT * FROM (VALUES (0, 3, 5), (0, 2, 6), (1, 1, 7), (0, NULL, 9)) "
            "t(id, day, n)"
        },
    )
    assert set(workshop.written("k, sold, times, newest")) == {
        (0, 20.0, 3, 5),
        (1, 7.0, 1, 7),
        (2, None, 0, None),
        (None, None, None, None),
    }
    assert (made.joins[0].matched, made.joins[0].without_key) == (50, 25)


@pytest.mark.parametrize("as_of", [None, {"time": "seen", "event": "day"}])
def test_an_aggregate_that_sees_the_future_says_so(workshop: Workshop, as_of: Any) -> None:
    made = workshop.prepare(
        hundred("i % 3 AS k, DATE '2024-01-01' + i::INT AS seen"),
        {"aggregate": {"dataset": "shop", "by": ["k"], "columns": ONE, "as_of": as_of}},
        references={"shop": "SELECT 1 AS k, DATE '2024-02-01' AS day"},
    )
    said = "step 1 (aggregate): dataset 'shop' has times ('day'): without 'as_of', what happened"
    assert any(note.startswith(said) for note in made.notes) == (as_of is None)


def test_rows_become_one_for_each_group(workshop: Workshop) -> None:
    made = workshop.prepare(
        "SELECT i // 4 AS order_no, i % 4 AS line, i AS price, (i // 4) % 2 = 0 AS y "
        "FROM range(400) r(i)",
        {
            "aggregate": {
                "by": ["order_no"],
                "order": "line",
                "columns": {"y": {"last": "y"}, "total": {"sum": "price"}, "lines": "count"},
            }
        },
    )
    assert made.rows == 100
    assert "step 1 (aggregate): 400 rows become 100, one for each 'order_no'" in made.notes
    assert not any("left out" in note for note in made.notes)
    assert workshop.written("order_no, total, lines")[:2] == [(0, 6.0, 4), (1, 22.0, 4)]


def test_a_window_counts_what_came_before_in_the_last_days(workshop: Workshop) -> None:
    workshop.prepare(
        hundred("DATE '2024-01-01' + (i // 2)::INT AS day, i % 2 AS k, i AS v"),
        {
            "window": {
                "by": ["k"],
                "time": "day",
                "within": "3 days",
                "columns": {"n": "count", "s": {"sum": "v"}, "l": {"last": "v"}},
            }
        },
    )
    assert workshop.written("v, n, s, l")[:3] == [
        (0, 0, None, None),
        (1, 0, None, None),
        (2, 1, 0.0, 0),
    ]
    assert workshop.written("v, n, s, l")[20] == (20, 3, 48.0, 18)


def test_sql_reads_rows_and_declared_datasets(workshop: Workshop) -> None:
    made = workshop.prepare(
        hundred("i % 5 AS k, i AS n", 300),
        {
            "sql": {
                "query": "WITH few AS (SELECT * FROM shop WHERE size > 1) SELECT rows.*, few.size "
                "FROM rows JOIN few ON few.id = rows.k WHERE n % 3 = 0",
                "datasets": ["shop"],
            }
        },
        references={"shop": "SELECT i AS id, i AS size FROM range(4) r(i)"},
    )
    assert names(made) == ("k", "n", "size")
    assert set(workshop.written("k, size")) == {(2, 2), (3, 3)}
    assert [n for (n,) in workshop.written("n")] == [n for n in range(0, 300, 3) if n % 5 in (2, 3)]


def test_rows_that_sql_multiplies_are_said(workshop: Workshop) -> None:
    made = workshop.prepare(hundred("i AS n"), {"sql": "SELECT * FROM rows, range(2) t(twice)"})
    assert "step 1 (sql): 100 rows become 200" in made.notes


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("DELETE FROM rows", "is not one SELECT"),
        ("SELECT 1; SELECT 2", "there are 2 statements"),
        ("COPY rows TO 'x.csv'", "is not one SELECT"),
        ("ATTACH 'x.db'", "is not one SELECT"),
        ("PRAGMA version", "is not one SELECT"),
        ("SELECT * FROM 'secret.csv'", "there is no table 'secret.csv' here"),
        ("SELECT * FROM read_text('/etc/passwd')", "read_text() reads what is not declared"),
        ("SELECT * FROM duckdb_settings()", "duckdb_settings() reads what is not declared"),
        ("SELECT * FROM glob('*')", "glob() reads what is not declared"),
        ("SELECT * FROM information_schema.tables", "there is no table 'tables' here"),
        ("SELECT * FROM main.rows", "there is no table 'rows' here"),
        ("SELECT (SELECT max(id) FROM shop) AS m FROM rows", "dataset 'shop' is not declared"),
        ("SELECT * FROM row", "there is no table 'row' here; did you mean 'rows'?"),
        ("FROM (DESCRIBE rows)", "is no SELECT of rows"),
        ("FROM (SHOW TABLES)", "is no SELECT of rows"),
        ("SELECT *, random() AS r FROM rows", "random() answers differently each time"),
        ("SELECT *, age(TIMESTAMP '2020-01-01') AS r FROM rows", "answers differently each time"),
        ("SELECT *, current_date AS r FROM rows", "answers differently each time"),
        ("SELECT * FROM rows USING SAMPLE 10", "draws a sample"),
        ("SELECT $1 FROM rows", "has a parameter"),
        ("SELECT nope FROM rows", "there is no column 'nope' here"),
        ("SELECT n FROM rows) UNION ALL (SELECT 1", "is not one SELECT"),
        ("SELECT", "is not one SELECT"),
    ],
)
def test_sql_is_one_select_that_reads_nothing_else(
    workshop: Workshop, query: str, said: str
) -> None:
    error = workshop.refused(
        hundred("i AS n"),
        {"join": {"dataset": "shop", "on": {"n": "id"}}},
        {"sql": query},
        references={"shop": "SELECT 1 AS id"},
    )
    assert said in error.problem
    assert (error.step, error.kind) == (2, "sql")


def test_sql_reads_no_file_even_if_its_tree_hid_it(workshop: Workshop, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    error = workshop.refused(hundred("i AS n"), {"sql": f'SELECT * FROM "{secret}"'})
    assert "there is no table" in error.problem


def test_a_name_of_the_with_clause_hides_no_dataset(workshop: Workshop) -> None:
    made = workshop.prepare(
        hundred("i AS n"), {"sql": "WITH rows AS (SELECT * FROM rows WHERE n < 50) FROM rows"}
    )
    assert made.rows == 50


CLOCK_CHANGE = """
    SELECT * FROM (VALUES
        ('EWR', TIMESTAMP '2013-11-03 00:00', 51.98), ('EWR', TIMESTAMP '2013-11-03 01:00', 50.0),
        ('EWR', TIMESTAMP '2013-11-03 01:00', 50.0), ('JFK', TIMESTAMP '2013-11-03 01:00', 53.96),
        ('JFK', TIMESTAMP '2013-11-03 01:00', 53.06)) t(origin, time_hour, temp)
"""
"""Weather of New York (nycflights13, CC0) in the night in which clocks are put back."""


def test_keys_that_a_clock_change_repeats_are_counted_and_rows_stay(workshop: Workshop) -> None:
    flights = hundred(
        "CASE WHEN i % 2 = 0 THEN 'EWR' ELSE 'JFK' END AS origin, "
        "TIMESTAMP '2013-11-03 01:00' AS time_hour, i AS n"
    )
    weather = {"weather": CLOCK_CHANGE}
    equal = {"join": {"dataset": "weather", "on": ["origin", "time_hour"]}}
    made = workshop.prepare(flights, equal, references=weather)
    assert (made.rows, made.joins[0].duplicate_keys) == (100, 2)
    assert set(workshop.written("origin, temp")) == {("EWR", 50.0), ("JFK", 53.96)}
    as_of = {"time": "time_hour", "event": "time_hour"}
    newest = {"join": {"dataset": "weather", "on": ["origin"], "columns": ["temp"], "as_of": as_of}}
    made = workshop.prepare(flights, newest, references=weather)
    assert (made.rows, made.joins[0].duplicate_keys) == (100, 2)
    assert set(workshop.written("origin, temp")) == {("EWR", 50.0), ("JFK", 53.06)}
    assert any("2 rows of dataset 'weather' have key and times of another" in n for n in made.notes)


AS_OF = {"time": "t", "event": "e"}
ONE = {"a": "count"}


@pytest.mark.parametrize(
    "step",
    [
        {"fill": {"a": {"by": ["b"]}}},
        {"fill": {"a": {"value": 1, "within": "1 day"}}},
        {"clip": {"a": {}}},
        {"clip": {"a": {"min": 2, "max": 1}}},
        {"clip": {"a": {"max": float("inf")}}},
        {"join": {"dataset": "d", "on": []}},
        {"aggregate": {"by": [], "columns": {"n": "count"}}},
        {"aggregate": {"by": ["k"], "columns": {}}},
        {"aggregate": {"by": ["k"], "columns": {"n": "sum"}}},
        {"aggregate": {"by": ["k"], "columns": {"n": {"median": "v"}}}},
        {"aggregate": {"by": {"k": "id"}, "columns": {"n": "count"}}},
        {
            "aggregate": {
                "by": ["k"],
                "columns": {"n": "count"},
                "as_of": {"time": "t", "event": "e"},
            }
        },
        {"window": {"time": "t", "dataset": "d", "columns": {"n": "count"}}},
        {"window": {"time": "t", "event": "e", "columns": {"n": "count"}}},
        {"window": {"time": "t", "columns": {"n": "count"}, "rows": 0}},
        {"dates": {"d": []}},
        {"dates": {"d": ["moon"]}},
        {"deduplicate": {"by": []}},
        {"deduplicate": {"by": ["a"], "ignore": ["b"]}},
        {"sql": ""},
    ],
)
def test_a_step_that_means_nothing_is_refused_with_the_project_file(step: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Step.model_validate(step)


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (
            {"window": {"time": "n", "within": "1 day", "columns": {"a": "count"}}},
            "'n' holds numbers",
        ),
        ({"window": {"time": "n", "columns": {"n": "count"}}}, "there is a column 'n' already"),
        (
            {"window": {"time": "w", "columns": {"a": "count"}}},
            "cannot say when something happened",
        ),
        ({"clip": {"y": {"min": 0}}}, "column 'y' is BOOLEAN"),
        (
            {"join": {"dataset": "s", "on": ["n"], "as_of": {"time": "n", "event": "at"}}},
            "column 'n' is a number and 'at' of dataset 's' is a time",
        ),
        ({"sql": {"query": "FROM rows", "datasets": ["rows"]}}, "cannot be read beside them"),
    ],
)
def test_what_cannot_be_computed_says_why(
    workshop: Workshop, step: dict[str, Any], said: str
) -> None:
    references = {"s": "SELECT 1 AS n, DATE '2024-01-01' AS at"}
    joined = {"join": {"dataset": "s", "on": ["n"], "prefix": "s_"}}
    error = workshop.refused(hundred("i AS n, 'a' AS w"), joined, step, references=references)
    assert said in error.problem
    assert error.step == 2


KEY, MOMENT, VALUE = (st.none() | st.integers(0, most) for most in (1, 5, 9))


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.tuples(KEY, MOMENT, VALUE), min_size=1, max_size=12))
def test_fills_and_the_rows_that_are_kept_are_those_of_a_plain_loop(
    rows: list[tuple[int | None, int | None, int | None]],
) -> None:
    filled, kept = [], {}
    for place, (key, moment, value) in enumerate(rows):
        before = [
            (at, other, v)
            for other, (k, at, v) in enumerate(rows)
            if k == key is not None and at is not None and moment is not None
            if at < moment and v is not None
        ]
        filled.append(value if value is not None or not before else max(before)[2])
        # The last in order of the moment, rows without one first, and of equals the last.
        rank = (moment is not None, moment or 0, place)
        if key not in kept or rank > kept[key]:
            kept[key] = rank
    fill = {"fill": {"v": {"previous_in": "m", "by": ["k"]}}}
    last = {"deduplicate": {"by": ["k"], "keep": "last", "order": "m"}}
    assert after(rows, fill) == [(k, m, v) for (k, m, _), v in zip(rows, filled, strict=True)]
    assert after(rows, last) == [rows[place] for place in sorted(r[2] for r in kept.values())]


def after(rows: list[tuple[Any, ...]], step: dict[str, Any]) -> list[tuple[Any, ...]]:
    """The rows after a step, in their order."""
    project = ProjectFile.model_validate(
        {"project": "p", "dataset": "d", "target": "y", "preparation": {"steps": [step]}}
    )
    with TemporaryDirectory() as directory, connect(Path(directory)) as connection:
        connection.execute(f'CREATE TABLE own (k BIGINT, m BIGINT, v BIGINT, "{ROW}" BIGINT)')
        placed = [(*row, place) for place, row in enumerate(rows)]
        connection.executemany("INSERT INTO own VALUES (?, ?, ?, ?)", placed)
        done = run_steps(Workbench(connection, project, {}), Table.of(connection, "own"))
        return connection.execute(
            f'SELECT k, m, v FROM {identifier(done.table.name)} ORDER BY "{ROW}"'
        ).fetchall()


@pytest.mark.parametrize(
    "step",
    [
        {"derive": {"r": "i / (i % 4)", "l": "ln(i - 8)"}},
        {"sql": "SELECT *, i / (i % 4) AS r, ln(i - 8) AS l FROM rows"},
    ],
)
def test_what_is_no_finite_number_becomes_missing_and_is_counted(
    workshop: Workshop, step: dict[str, Any]
) -> None:
    made = workshop.prepare(hundred("i"), step, time=False)
    written = {i: rest for i, *rest in workshop.written("i, r, l")}
    assert [written[i] for i in (4, 5, 8)] == [[None, None], [5, None], [None, None]]
    assert written[9] == [9, 0]
    kind = next(iter(step))
    assert f"step 1 ({kind}): 25 values of 'r' are no finite numbers and count as missing" in (
        made.notes
    )
    assert f"step 1 ({kind}): 9 values of 'l' are no finite numbers and count as missing" in (
        made.notes
    )
    assert np.isnan(made.training_set.rows.numbers).sum() == 25 + 9


def test_numbers_that_are_finite_are_left_as_they_are(workshop: Workshop) -> None:
    made = workshop.prepare(hundred("i"), {"derive": {"r": "i / 7"}}, time=False)
    assert dict(workshop.written("i, r"))[5] == 5 / 7
    assert not [note for note in made.notes if "finite" in note]
