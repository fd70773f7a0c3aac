from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import numpy as np
import pytest

from evergreen.features.signature import Task
from evergreen.monitoring.captures import write_captures
from evergreen.monitoring.label_matching import NOT_CAPTURED, Unmatched
from evergreen.monitoring.labels import (
    LabelsRefusedError,
    LabelsSummary,
    join_labels,
    read_labelled,
)
from tests.unit.monitoring.builders import asked, message, signature

TODAY = datetime(2013, 4, 2, tzinfo=UTC)


@pytest.fixture
def captures(tmp_path: Path) -> Path:
    path = tmp_path / "captures.parquet"
    write_captures([message(*(asked(key, age=i) for i, key in enumerate("abcd")))], path)
    return path


def join(
    rows: list[dict[str, object]], captures: Path, name: str = "labels.parquet", **at: datetime
) -> LabelsSummary:
    when = at.get("labelled_at", TODAY)
    return join_labels(rows, [captures], captures.with_name(name), "churned", labelled_at=when)


def test_labels_meet_their_predictions_and_the_rest_is_told(captures: Path) -> None:
    summary = join(
        [
            {"prediction_id": "a", "label": "no"},
            {"prediction_id": "zz", "label": "yes"},
            {"prediction_id": "", "label": "yes"},
            {"prediction_id": "b", "label": None},
            {"prediction_id": "c", "label": "yes"},
        ],
        captures,
    )
    assert (summary.matched, summary.unmatched) == (2, (Unmatched(2, NOT_CAPTURED),))
    assert summary.invalid == (
        Unmatched(3, "prediction_id is empty"),
        Unmatched(4, "label is empty"),
    )
    assert summary.earliest == summary.latest == datetime(2013, 4, 1, 12, tzinfo=UTC)
    found = read_labelled([captures.with_name("labels.parquet")], signature())
    assert dict(zip(found.captured.ids, found.target, strict=True)) == {"a": 0, "c": 1}
    np.testing.assert_array_equal(found.captured.encoded.numbers[:, 0], [0, 2])


def test_the_target_column_is_accepted_instead_of_label(captures: Path) -> None:
    assert join([{"prediction_id": "a", "churned": "no"}], captures).matched == 1


def test_the_last_label_of_an_id_wins_in_a_file_and_across_files(captures: Path) -> None:
    first = [{"prediction_id": "a", "label": "no"}, {"prediction_id": "a", "label": "yes"}]
    assert join(first, captures, "1.parquet").repeated == 1
    later = TODAY.replace(day=3)
    join([{"prediction_id": "a", "label": "no"}], captures, "0.parquet", labelled_at=later)
    files = [captures.with_name("0.parquet"), captures.with_name("1.parquet")]
    assert read_labelled(files[1:], signature()).target.tolist() == [1]
    assert read_labelled(files, signature()).target.tolist() == [0]


def test_whoever_labelled_later_wins_in_a_file_and_what_differs_is_counted(captures: Path) -> None:
    rows: list[dict[str, object]] = [
        {"prediction_id": "a", "label": "no", "labeller": "ann", "labelled_at": "2013-04-03"},
        {"prediction_id": "a", "label": "yes", "labeller": "bob", "labelled_at": "2013-04-02"},
        {"prediction_id": "b", "label": "yes", "labelled_at": "soon"},
        {"prediction_id": "c", "label": "yes", "labelled_at": date(2013, 4, 3)},
        {"prediction_id": "c", "label": "yes", "labelled_at": None},
    ]
    summary = join(rows, captures)
    assert (summary.matched, summary.conflicts, summary.repeated) == (2, 1, 2)
    assert summary.invalid == (Unmatched(3, "labelled_at is no date or time"),)
    path = captures.with_name("labels.parquet")
    assert read_labelled([path], signature()).target.tolist() == [0, 1]
    with duckdb.connect() as connection:
        query = f"SELECT labeller, labelled_at::DATE FROM '{path}' ORDER BY prediction_id"
        assert connection.execute(query).fetchall() == [
            ("ann", date(2013, 4, 3)),
            (None, date(2013, 4, 3)),
        ]


def test_numbers_and_booleans_name_the_class_that_they_mean(captures: Path) -> None:
    rows: list[dict[str, object]] = [
        {"prediction_id": "a", "label": 1.0},
        {"prediction_id": "b", "label": "0.0"},
        {"prediction_id": "c", "label": True},
    ]
    binary = signature(classes=("0", "1"))
    path = captures.with_name("labels.parquet")
    join_labels(rows, [captures], path)
    assert read_labelled([path], binary).target.tolist() == [1, 0, 1]


def test_a_label_that_is_no_class_of_the_model_is_kept_and_counted(captures: Path) -> None:
    rows: list[dict[str, object]] = [
        {"prediction_id": "a", "label": "perhaps"},
        {"prediction_id": "b", "label": "no"},
    ]
    assert join(rows, captures).matched == 2
    found = read_labelled([captures.with_name("labels.parquet")], signature())
    assert (found.unknown, found.captured.ids.tolist()) == (1, ["b"])


def test_a_regression_label_must_be_a_finite_number(captures: Path) -> None:
    rows: list[dict[str, object]] = [
        {"prediction_id": "a", "label": "12.5"},
        {"prediction_id": "b", "label": "much"},
        {"prediction_id": "c", "label": "inf"},
    ]
    path, regression = captures.with_name("labels.parquet"), signature(Task.REGRESSION)
    summary = join_labels(rows, [captures], path, task=Task.REGRESSION)
    assert [fault.row for fault in summary.invalid] == [2, 3]
    assert read_labelled([path], regression).target.tolist() == [12.5]


def test_labels_without_a_match_write_no_file(captures: Path) -> None:
    assert join([{"prediction_id": "zz", "label": "no"}], captures).matched == 0
    assert not captures.with_name("labels.parquet").exists()


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "no rows"),
        ([{"id": 1, "label": "no"}], "lacks `prediction_id`; its columns are `id`, `label`"),
        ([{"prediction_id": 1, "truth": "no"}], "lacks `label` or `churned`"),
    ],
)
def test_a_file_without_the_columns_is_refused_and_told_what_is_accepted(
    captures: Path, rows: list[dict[str, object]], said: str
) -> None:
    with pytest.raises(LabelsRefusedError, match=said) as refused:
        join(rows, captures)
    assert "accepted are the columns" in str(refused.value)
