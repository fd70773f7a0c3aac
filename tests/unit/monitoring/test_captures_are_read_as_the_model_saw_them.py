from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evergreen.features.encoding import encode
from evergreen.features.signature import Column, Kind, Task
from evergreen.monitoring.captures import (
    CaptureInvalidError,
    check_message,
    read_captures,
    write_captures,
)
from tests.unit.monitoring.builders import asked, message, signature

MOMENTS = st.datetimes(min_value=datetime(1700, 1, 1), max_value=datetime(2200, 1, 1))  # noqa: DTZ001
ROWS = st.fixed_dictionaries(
    {},
    optional={
        "age": st.none()
        | st.floats(width=32, allow_nan=False, allow_infinity=False)
        | st.booleans(),
        "city": st.none() | st.text(st.characters(codec="utf-8")),
        "seen": st.none() | MOMENTS,
        "said": st.none() | st.sampled_from(["", "Good!", "not good", "é\n"]),
    },
)


def read_all(*files: Path, task: Task = Task.BINARY) -> Any:
    return read_captures(files, signature(task))


@settings(
    deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=st.lists(ROWS, min_size=1, max_size=8))
def test_what_is_read_back_is_what_serving_encoded(
    tmp_path: Path, rows: list[dict[str, Any]]
) -> None:
    plain = [{**row, "seen": row["seen"].isoformat()} if row.get("seen") else row for row in rows]
    write_captures(
        [message(*(asked(f"{i:02}", **row) for i, row in enumerate(plain)))], tmp_path / "a.parquet"
    )
    found = read_all(tmp_path / "a.parquet").encoded
    expected = encode(rows, signature())
    np.testing.assert_array_equal(found.numbers, expected.numbers)
    assert found.categories.tolist() == expected.categories.tolist()


def test_the_summary_tells_event_times_in_utc(tmp_path: Path) -> None:
    summary = write_captures(
        [
            message(asked("a", happened_at="2013-04-01T01:00:00+02:00")),
            message(asked("b"), asked_at="2013-04-01T12:00:00Z", model="m2"),
        ],
        tmp_path / "a.parquet",
    )
    assert summary.rows == 2
    assert summary.models == ("m1", "m2")
    assert summary.earliest == datetime(2013, 3, 31, 23, tzinfo=UTC)
    assert summary.latest == datetime(2013, 4, 1, 12, tzinfo=UTC)
    assert [path.name for path in tmp_path.iterdir()] == ["a.parquet"]


def test_no_rows_write_no_file(tmp_path: Path) -> None:
    assert write_captures([message()], tmp_path / "a.parquet").rows == 0
    assert list(tmp_path.iterdir()) == []


def test_repeated_deliveries_count_once_and_the_newest_answer_wins(tmp_path: Path) -> None:
    old = message(asked("a", age=1), asked("b", age=2))
    new = message(asked("a", age=3), asked_at="2013-04-01T13:00:00Z")
    write_captures([new, old], tmp_path / "1.parquet")
    write_captures([old], tmp_path / "2.parquet")
    found = read_all(tmp_path / "2.parquet", tmp_path / "1.parquet")
    assert dict(zip(found.ids, found.encoded.numbers[:, 0], strict=True)) == {"a": 3, "b": 2}


def test_a_window_is_half_open_and_of_one_model(tmp_path: Path) -> None:
    moments = ["2013-04-01T00:00:00Z", "2013-04-01T23:59:59Z", "2013-04-02T00:00:00Z"]
    rows = [asked(str(i), happened_at=moment) for i, moment in enumerate(moments)]
    write_captures(
        [message(*rows), message(asked("x", happened_at=moments[0]), model="m2")],
        tmp_path / "a.parquet",
    )
    found = read_captures(
        [tmp_path / "a.parquet"],
        signature(),
        "m1",
        datetime(2013, 4, 1, tzinfo=UTC),
        datetime(2013, 4, 2, tzinfo=UTC),
    )
    assert found.ids.tolist() == ["0", "1"]
    again = read_captures([tmp_path / "a.parquet"], signature(), "m1").between(
        datetime(2013, 4, 1, tzinfo=UTC), datetime(2013, 4, 2, tzinfo=UTC)
    )
    assert again.ids.tolist() == ["0", "1"]
    assert found.happened_at.dtype == np.dtype("datetime64[us]")


def test_columns_that_a_file_lacks_are_missing_values(tmp_path: Path) -> None:
    write_captures([message(asked("a", age=1), kinds={"age": "number"})], tmp_path / "old.parquet")
    write_captures([message(asked("b", age=2, city="Oslo"))], tmp_path / "new.parquet")
    found = read_all(tmp_path / "old.parquet", tmp_path / "new.parquet").encoded
    assert found.categories.tolist() == [[""], ["Oslo"]]
    alone = read_all(tmp_path / "old.parquet").encoded
    assert np.isnan(alone.numbers[:, 1:5]).all()
    assert not alone.numbers[:, 5:].any()


def test_a_column_whose_kind_changed_between_models_is_read_as_each_model_saw_it(
    tmp_path: Path,
) -> None:
    as_number = message(asked("a", city=3), kinds={"city": "number"}, model="m1")
    as_text = message(asked("b", city="3"), kinds={"city": "category"}, model="m2")
    write_captures([as_number], tmp_path / "1.parquet")
    write_captures([as_text], tmp_path / "2.parquet")
    write_captures([as_number, as_text], tmp_path / "both.parquet")
    number = replace(signature(), columns=(Column("city", Kind.NUMBER),))
    for names in (["1.parquet", "2.parquet"], ["both.parquet"]):
        files = [tmp_path / name for name in names]
        assert read_captures(files, number, "m1").encoded.numbers.tolist() == [[3]]
        of_m2 = read_captures(files, signature(), "m2").encoded
        assert of_m2.categories.tolist() == [["3"]]


def test_probabilities_stand_in_the_order_of_the_classes_and_none_is_not_a_number(
    tmp_path: Path,
) -> None:
    silent = {**asked("b"), "probabilities": None}
    write_captures([message(asked("a"), silent)], tmp_path / "a.parquet")
    found = read_all(tmp_path / "a.parquet").predictions
    np.testing.assert_array_equal(found, [[0.25, 0.75], [np.nan, np.nan]])


def test_a_predicted_number_comes_back_exactly(tmp_path: Path) -> None:
    row = {**asked("a"), "prediction": 0.1 + 0.2, "probabilities": None}
    write_captures([message(row)], tmp_path / "a.parquet")
    assert read_all(tmp_path / "a.parquet", task=Task.REGRESSION).predictions.tolist() == [
        0.1 + 0.2
    ]


def test_no_files_are_no_captures() -> None:
    found = read_captures([], signature())
    assert len(found) == 0
    assert found.encoded.numbers.shape == (0, 7)
    assert found.predictions.shape == (0, 2)


def test_hostile_text_is_stored(tmp_path: Path) -> None:
    write_captures(
        [message(asked("a", city="x\x00'\"\n"), asked("b", city="\ud800"))], tmp_path / "a.parquet"
    )
    assert read_all(tmp_path / "a.parquet").encoded.categories[:, 0].tolist() == ["x\x00'\"\n", "?"]


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {**message(), "kinds": {"age": "colour"}},
        {**message(), "asked_at": "yesterday"},
        message({"id": "a"}),
        message(asked("a", age="secret")),
        message(asked("a", seen="secret")),
    ],
)
def test_a_message_that_cannot_be_stored_is_refused_without_quoting_it(
    broken: dict[str, Any],
) -> None:
    with pytest.raises(CaptureInvalidError) as refused:
        check_message(broken)
    assert "secret" not in str(refused.value)
