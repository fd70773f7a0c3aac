from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from evergreen.features.encoding import Encoded, encode
from evergreen.features.signature import Column, Kind, Signature, Task
from evergreen.monitoring.drift import DriftReport, Finding, check
from tests.unit.monitoring.builders import population

REFERENCE, SIGNATURE, ANSWERS = population(4000, seed=1)
WINDOW, _, WINDOW_ANSWERS = population(1000, seed=2)


def checked(
    window: Encoded = WINDOW, answers: NDArray[Any] | None = WINDOW_ANSWERS, **options: Any
) -> DriftReport:
    arguments = {"false_alarm_rate": 0.01, "seed": 1} | options
    return check(REFERENCE, window, SIGNATURE, ANSWERS, answers, **arguments)


def finding(report: DriftReport, name: str) -> Finding:
    return next(each for each in report.findings if each.name == name)


def with_numbers(column: int, values: NDArray[Any]) -> Encoded:
    numbers = WINDOW.numbers.copy()
    numbers[:, column] = values
    return replace(WINDOW, numbers=numbers)


def test_an_unchanged_world_is_calm() -> None:
    report = checked()
    assert not report.drifted
    assert report.sentence.startswith("No drift in 1,000 rows: 5 columns")
    assert "at most 1.00% of windows without drift raise an alarm" in report.sentence
    assert {each.name for each in report.columns} == {"income", "spent", "visits", "city", "plan"}


def test_a_shifted_number_is_named_with_its_median() -> None:
    report = checked(with_numbers(0, WINDOW.numbers[:, 0] * 2))
    first = report.columns[0]
    assert (first.name, first.drifted, first.test) == ("income", True, "kolmogorov_smirnov")
    assert first.statistic > first.threshold
    assert first.said.startswith("median 19.94 → 39.")
    assert "income (median" in report.sentence


def test_values_that_go_missing_are_drift() -> None:
    gone = np.where(np.arange(1000) % 5 == 0, np.nan, WINDOW.numbers[:, 1])
    spent = finding(checked(with_numbers(1, gone)), "spent")
    assert (spent.drifted, spent.test) == (True, "missing_share")
    assert "missing 0% → 20%" in spent.said


def test_a_new_category_is_drift() -> None:
    categories = WINDOW.categories.copy()
    categories[::10, 0] = "Lima"
    city = finding(checked(replace(WINDOW, categories=categories)), "city")
    assert city.drifted
    assert city.said == "'Lima' is new: 10%"


def test_columns_that_stop_agreeing_are_drift_although_each_is_as_before() -> None:
    shuffled = np.random.default_rng(3).permutation(WINDOW.numbers[:, 1])
    report = checked(with_numbers(1, shuffled))
    assert not any(each.drifted for each in report.columns)
    assert report.joint is not None
    assert report.joint.drifted
    assert "correlation of 'income' and 'spent'" in report.sentence


def test_other_predictions_of_the_same_rows_are_drift() -> None:
    report = checked(answers=1 - WINDOW_ANSWERS)
    assert [each.drifted for each in report.predictions] == [True]
    assert "the predictions: prediction (median" in report.sentence


def test_a_difference_beyond_chance_but_too_small_to_matter_is_said_and_no_alarm() -> None:
    reference, signature, answers = population(20_000, seed=3)
    window, _, _ = population(20_000, seed=4)
    shifted = replace(window, numbers=window.numbers * np.array([1.08, 1.08, 1], np.float32))
    report = check(reference, shifted, signature, None, answers, false_alarm_rate=0.01, seed=1)
    income = finding(report, "income")
    assert (income.significant, income.drifted, report.drifted) == (True, False, False)
    assert "Beyond chance but below the size that alarms: " in report.sentence
    assert "income" in report.sentence.split("below the size")[1]


def test_a_column_that_is_left_out_cannot_drift_nor_can_the_parts_of_a_moment() -> None:
    moment = Signature("y", Task.REGRESSION, (Column("a.b", Kind.NUMBER), Column("t", Kind.MOMENT)))
    draw = np.random.default_rng(5)
    rows = [
        Encoded(draw.normal(at, 1, (300, 5)).astype(np.float32), np.empty((300, 0), object))
        for at in (0, 5)
    ]
    report = check(*rows, moment, None, None, false_alarm_rate=0.01, seed=1, leave_out=["t"])
    assert [each.name for each in report.columns] == ["a.b"]
    assert checked(with_numbers(0, WINDOW.numbers[:, 0] * 2), leave_out=["income"]).drifted is False


def test_what_stretches_of_an_ordered_reference_show_of_themselves_is_no_drift() -> None:
    draw = np.random.default_rng(6)
    days = np.repeat(draw.normal(0, 1, 20), 200)  # every day has its own weather
    weather = Signature("y", Task.REGRESSION, (Column("warmth", Kind.NUMBER),))

    def rows(values: NDArray[Any]) -> Encoded:
        noisy = values + draw.normal(0, 0.3, len(values))
        return Encoded(noisy[:, np.newaxis].astype(np.float32), np.empty((len(values), 0), object))

    reference = rows(days)
    for ordered, warmth, drifted in ((False, 1, True), (True, 1, False), (True, 4, True)):
        report = check(
            reference,
            rows(np.full(200, warmth)),
            weather,
            None,
            None,
            false_alarm_rate=0.01,
            seed=1,
            ordered=ordered,
        )
        assert report.drifted is drifted


def test_an_ordered_reference_shorter_than_two_windows_has_no_stretches_to_compare_with() -> None:
    report = check(
        WINDOW, REFERENCE, SIGNATURE, WINDOW_ANSWERS, ANSWERS, 0.01, seed=1, ordered=True
    )
    assert {each.minimum_effect for each in report.findings} == {0.1}


def test_predictions_of_several_classes_are_compared_by_class_and_confidence() -> None:
    draw = np.random.default_rng(7)
    several = replace(SIGNATURE, task=Task.MULTICLASS, classes=("a", "b", "c"))
    before, after = draw.dirichlet([5, 3, 1], 4000), draw.dirichlet([1, 3, 5], 1000)
    report = check(REFERENCE, WINDOW, several, before, after, false_alarm_rate=0.01, seed=1)
    names = {each.name: each.drifted for each in report.predictions}
    assert names == {"prediction": True, "prediction.confidence": False}
    assert "'a'" in finding(report, "prediction").said


def test_the_same_seed_gives_the_same_report_and_inputs_stay_as_they_are() -> None:
    before = WINDOW.numbers.copy()
    assert checked(seed=5) == checked(seed=5)
    np.testing.assert_array_equal(WINDOW.numbers, before)


@pytest.mark.parametrize("rows", [0, 1])
def test_too_few_rows_are_not_judged(rows: int) -> None:
    report = checked(WINDOW.take(np.arange(rows)), WINDOW_ANSWERS[:rows])
    assert not report.drifted
    assert report.sentence.startswith(f"Not checked for drift: {rows} rows")


def test_columns_that_are_empty_or_constant_are_survived() -> None:
    empty = Encoded(np.full((50, 3), np.nan, np.float32), np.full((50, 2), "", object))
    same = check(empty, empty, SIGNATURE, None, None, false_alarm_rate=0.01, seed=1)
    assert not same.drifted
    assert checked(empty, np.full((50, 2), np.nan)).drifted
    json.dumps(same.to_plain(), allow_nan=False)


def test_twenty_columns_take_less_than_three_seconds_of_one_core() -> None:
    draw = np.random.default_rng(8)
    columns = tuple(Column(f"n{i}", Kind.NUMBER) for i in range(12))
    columns += tuple(Column(f"c{i}", Kind.CATEGORY) for i in range(8))
    wide = Signature("y", Task.REGRESSION, columns)
    sides = [
        Encoded(
            draw.normal(size=(rows, 12)).astype(np.float32),
            draw.choice(list("abcdefghij"), (rows, 8)).astype(object),
        )
        for rows in (20_000, 2_000)
    ]
    answers = [draw.normal(size=len(side)) for side in sides]
    started = time.process_time()
    check(*sides, wide, *answers, false_alarm_rate=0.01, seed=1)
    assert time.process_time() - started <= 3


def test_importing_the_check_takes_neither_scipy_nor_long() -> None:
    script = (
        "import sys, time, numpy; started = time.process_time();"
        "import evergreen.monitoring.drift, evergreen.monitoring.report;"
        "spent = time.process_time() - started;"
        "heavy = {'scipy', 'sklearn', 'pandas', 'pyarrow', 'duckdb', 'pygal'} & set(sys.modules);"
        "print(spent, sorted(heavy - {'duckdb'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    spent, heavy = done.stdout.split(maxsplit=1)
    assert heavy.strip() == "[]"
    assert float(spent) <= 0.3


TEXT = Column("said", Kind.TEXT, terms=tuple(f"w{i}" for i in range(40)), idf=(1.0,) * 40)


def texts(rows: int, seed: int, first: int = 0) -> Encoded:
    """Rows that say eight of thirty words, beginning with word number `first`."""
    draw = np.random.default_rng(seed)
    said = [
        {"said": " ".join(f"w{first + i}" for i in draw.integers(0, 30, 8))} for _ in range(rows)
    ]
    return encode(said, Signature("y", Task.REGRESSION, (TEXT,)))


@pytest.mark.parametrize(("first", "drifted"), [(0, False), (10, True)])
def test_a_text_drifts_when_its_words_change(first: int, drifted: bool) -> None:  # noqa: FBT001
    report = check(
        texts(400, 1),
        texts(300, 2, first),
        Signature("y", Task.REGRESSION, (TEXT,)),
        None,
        None,
        false_alarm_rate=0.01,
        seed=1,
    )
    assert report.drifted is drifted
    assert {finding.name for finding in report.columns} == {
        "said (known terms)",
        "said (usual words)",
    }
