"""A label of an entity belongs to its last prediction before it; what is unclear is not guessed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from evergreen.monitoring.captures import write_captures
from evergreen.monitoring.label_matching import DISAGREE, SAME_TIME
from evergreen.monitoring.labels import Keys, LabelsRefusedError, LabelsSummary, join_labels
from tests.unit.monitoring.builders import asked, message

KEYS = Keys(("customer",), "at", timedelta(days=2))
NOW = datetime(2026, 2, 1, tzinfo=UTC)


def of(customer: Any, day: int, key: str | None = None, **inputs: Any) -> dict[str, Any]:
    """A prediction of a customer on a day of January."""
    row = asked(key or f"{customer}-{day}", happened_at=f"2026-01-{day:02}T00:00:00", **inputs)
    return {**row, "keys": {"customer": customer}}


def label(customer: Any, day: int, said: str = "yes", **more: Any) -> dict[str, Any]:
    return {"customer": customer, "at": f"2026-01-{day:02}T12:00:00", "label": said, **more}


def join(
    directory: Path, predictions: list[dict[str, Any]], *labels: dict[str, Any], keys: Keys = KEYS
) -> tuple[LabelsSummary, dict[str, str]]:
    """The summary, and the labels by prediction."""
    captures, joined = directory / "captures.parquet", directory / "joined.parquet"
    write_captures([message(*predictions)], captures)
    summary = join_labels(labels, [captures], joined, "churned", labelled_at=NOW, keys=keys)
    if not joined.exists():
        return summary, {}
    with duckdb.connect() as connection:
        found = connection.execute(f"SELECT prediction_id, label FROM '{joined}'").fetchall()
    return summary, dict(found)


def test_the_last_prediction_before_the_label_gets_it(tmp_path: Path) -> None:
    _, found = join(tmp_path, [of("a", 1), of("a", 2), of("a", 4), of("b", 2)], label("a", 3))
    assert found == {"a-2": "yes"}


def test_a_prediction_after_the_label_or_long_before_it_does_not(tmp_path: Path) -> None:
    predictions = [of("a", 1), of("a", 9)]
    summary, found = join(tmp_path, predictions, label("a", 5), label("a", 3), label("zz", 1))
    assert (found, summary.matched) == ({}, 0)
    assert [(each.row, each.reason) for each in summary.unmatched] == [
        (row, "no prediction of this entity was captured at that time or 2 days, 0:00:00 before it")
        for row in (1, 2, 3)
    ]


def test_a_label_at_the_very_time_of_a_prediction_belongs_to_it(tmp_path: Path) -> None:
    exact = {"customer": "a", "at": datetime(2026, 1, 3, tzinfo=UTC), "churned": "no"}
    latest = {"customer": "b", "at": "2026-01-05T01:00:00+01:00", "churned": "no"}
    _, found = join(tmp_path, [of("a", 3), of("b", 3)], exact, latest)
    assert found == {"a-3": "no", "b-3": "no"}


def test_two_predictions_at_one_time_are_not_told_apart(tmp_path: Path) -> None:
    summary, found = join(tmp_path, [of("a", 2, "x"), of("a", 2, "y")], label("a", 2))
    assert found == {}
    assert [(each.row, each.reason) for each in summary.unmatched] == [(1, SAME_TIME)]


def test_the_same_prediction_captured_twice_is_one(tmp_path: Path) -> None:
    assert join(tmp_path, [of("a", 2), of("a", 2)], label("a", 2))[1] == {"a-2": "yes"}


def test_labels_that_disagree_about_a_prediction_are_all_set_aside(tmp_path: Path) -> None:
    summary, found = join(tmp_path, [of("a", 1)], label("a", 1), label("a", 2, "no"))
    assert (found, summary.conflicts) == ({}, 1)
    assert [(each.row, each.reason) for each in summary.unmatched] == [(1, DISAGREE), (2, DISAGREE)]


def test_the_newest_statement_counts_where_it_is_said(tmp_path: Path) -> None:
    old, new = ({"labelled_at": f"2026-01-1{day}"} for day in (1, 2))
    summary, found = join(tmp_path, [of("a", 1)], label("a", 1, **new), label("a", 1, "no", **old))
    assert found == {"a-1": "yes"}
    assert (summary.conflicts, summary.repeated, summary.unmatched) == (1, 1, ())


def test_labels_that_say_the_same_twice_are_one(tmp_path: Path) -> None:
    summary, found = join(tmp_path, [of("a", 1)], label("a", 1), label("a", 2))
    assert (found, summary.repeated, summary.conflicts) == ({"a-1": "yes"}, 1, 0)


@pytest.mark.parametrize(("asked_with", "labelled_with"), [(5, "5"), ("5", 5.0), (5.0, 5)])
def test_a_key_is_the_same_as_number_and_as_text(
    tmp_path: Path, asked_with: Any, labelled_with: Any
) -> None:
    assert len(join(tmp_path, [of(asked_with, 1)], label(labelled_with, 1))[1]) == 1


def test_a_key_may_be_a_column_that_the_model_uses(tmp_path: Path) -> None:
    keys = Keys(("city", "age"), "at", timedelta(days=1))
    prediction = asked("x", happened_at="2026-01-01T00:00:00", city="Oslo", age=40)
    labels = {"city": "Oslo", "age": 40, "at": "2026-01-01T09:00:00", "label": "yes"}
    assert join(tmp_path, [prediction], labels, keys=keys)[1] == {"x": "yes"}


def test_rows_without_key_or_time_are_told(tmp_path: Path) -> None:
    summary, _ = join(tmp_path, [of("a", 1)], label("", 1), {**label("a", 1), "at": "noon"})
    assert [each.reason for each in summary.invalid] == [
        "customer is empty",
        "at is no date or time",
    ]


def test_a_file_that_names_predictions_needs_no_keys(tmp_path: Path) -> None:
    row = {"prediction_id": "a-1", "label": "yes"}
    assert join(tmp_path, [of("a", 1)], row)[1] == {"a-1": "yes"}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"customer": 1, "label": "x"}, "lacks `at`"),
        ({"customer": 1, "at": "2026-01-01"}, "lacks `label` or `churned`"),
        ({"other": 1, "label": "x"}, "lacks `prediction_id`"),
    ],
)
def test_a_file_without_the_columns_is_refused_and_told_both_forms(
    tmp_path: Path, row: dict[str, Any], said: str
) -> None:
    with pytest.raises(LabelsRefusedError, match=said) as refused:
        join(tmp_path, [of("a", 1)], row)
    assert "`prediction_id` and `label` or `churned`, or `customer`, `at` and" in str(refused.value)
