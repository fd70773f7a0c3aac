"""A request is answered as it was meant, or refused with the name of the field that is wrong."""

from __future__ import annotations

import json
import math
from datetime import datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from evergreen.features.online_values import LARGEST_NUMBER
from evergreen.serving.cells import MAXIMUM_TEXT
from evergreen.serving.requests import (
    MAXIMUM_BYTES,
    MAXIMUM_ROWS,
    PredictRequest,
    RequestInvalidError,
    read_request,
)
from tests.unit.serving.asking import ROW, ask, signature


def refused(body: Any) -> RequestInvalidError:
    content = body if isinstance(body, str | bytes) else json.dumps(body)
    with pytest.raises(RequestInvalidError) as raised:
        read_request(content, signature())
    return raised.value


def test_a_row_is_read_as_the_model_was_trained() -> None:
    request = ask(ROW)
    assert request.rows[0] == {**ROW, "age": 30.0, "opened": datetime.fromisoformat(ROW["opened"])}
    # The parts of a moment: month, day, weekday (a Friday), hour.
    assert request.encoded.numbers.tolist() == [[30.0, 1234.5, 5.0, 31.0, 4.0, 14.0]]
    assert request.encoded.categories.tolist() == [["north"]]
    assert request.ids is None
    assert request.notes == ((),)


@pytest.mark.parametrize("row", [{}, dict.fromkeys(ROW)])
def test_values_may_be_missing_or_null(row: dict[str, Any]) -> None:
    request = ask(row)
    assert np.isnan(request.encoded.numbers).all()
    assert request.encoded.categories.tolist() == [[""]]
    assert request.notes == ((),)


def test_true_is_a_number_where_numbers_are_and_a_text_where_texts_are() -> None:
    request = ask({"income": True, "region": True})
    assert request.encoded.numbers[0, 1] == 1.0
    assert request.encoded.categories[0, 0] == "true"


def test_a_time_with_an_offset_is_taken_as_utc() -> None:
    assert ask({"opened": "2024-01-01T00:30:00+02:00"}).rows[0]["opened"] == datetime.fromisoformat(
        "2023-12-31T22:30:00"
    )


def test_ids_are_kept_in_order() -> None:
    assert ask(ROW, ROW, ids=["b", "a"]).ids == ("b", "a")


@pytest.mark.parametrize(
    ("row", "note"),
    [
        ({"region": "east"}, "region: this category was never seen in training"),
        ({"age": 120}, "age: outside of 18 to 90, the range seen in training"),
        ({"comment": ["anything"]}, "comment is left aside: the model does not use it"),
        ({"repaid": True}, "repaid is left aside: the model does not use it"),
    ],
)
def test_what_is_valid_but_new_is_answered_with_a_note(row: dict[str, Any], note: str) -> None:
    assert ask(ROW | row).notes == ((note,),)


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("age", "30", "a number is needed, not text"),
        ("age", [30], "a number is needed, not a list"),
        ("age", {"value": 30}, "a number is needed, not an object"),
        ("age", 1e39, "beyond"),
        ("age", 10**400, "beyond"),
        ("age", math.nan, "NaN and Infinity are no numbers"),
        ("age", -math.inf, "NaN and Infinity are no numbers"),
        ("region", 5, "text is needed, not a number"),
        ("region", ["north"], "text is needed, not a list"),
        ("region", "\ud800", "half a character"),
        ("region", "x" * (MAXIMUM_TEXT + 1), "longer than 16,000 characters"),
        ("opened", 20240531, "a date or time as ISO 8601 text is needed"),
        ("opened", "31.05.2024", "a date or time as ISO 8601 text is needed"),
        ("opened", "2024-02-30", "a date or time as ISO 8601 text is needed"),
        ("opened", "0001-01-01T00:00:00+14:00", "a date or time as ISO 8601 text is needed"),
    ],
)
def test_a_wrong_value_is_refused_at_its_place(column: str, value: Any, said: str) -> None:
    error = refused({"rows": [ROW, ROW, ROW, {**ROW, column: value}]})
    assert error.field == f"rows[3].{column}"
    assert said in error.problem


def test_the_largest_number_of_a_graph_is_still_taken() -> None:
    assert np.isfinite(ask({"income": LARGEST_NUMBER}).encoded.numbers[0, 1])


def test_an_unknown_column_is_refused_with_the_one_that_was_meant() -> None:
    error = refused({"rows": [{"agee": 3}]})
    assert (error.field, error.problem) == (
        "rows[0].agee",
        "is no column of the model; did you mean 'age'?",
    )


@pytest.mark.parametrize(
    ("body", "field", "said"),
    [
        ("", "", "not JSON"),
        ("{", "", "not JSON"),
        (b'{"rows": [{"region": "\xff"}]}', "", "not JSON"),
        ("[" * 200_000, "", "nested too deeply"),
        ("1" * 5_000, "", "not JSON"),
        (" " * (MAXIMUM_BYTES + 1), "", "larger than"),
        ([ROW], "", "the body is a JSON object"),
        ({"rows": [ROW], "id": ["a"]}, "id", "no part of a request"),
        ({}, "rows", "a list of at least one row"),
        ({"rows": []}, "rows", "a list of at least one row"),
        ({"rows": ROW}, "rows", "a list of at least one row"),
        ({"rows": [ROW] * (MAXIMUM_ROWS + 1)}, "rows", "at most 1,000"),
        ({"rows": [ROW, 5]}, "rows[1]", "a row is an object"),
        ({"rows": [ROW], "ids": "a"}, "ids", "a list of texts"),
        ({"rows": [ROW], "ids": [1]}, "ids", "a list of texts"),
        ({"rows": [ROW], "ids": [""]}, "ids", "a list of texts"),
        ({"rows": [ROW], "ids": ["a", "b"]}, "ids", "2 ids for 1 rows"),
        ({"rows": [ROW, ROW], "ids": ["a", "a"]}, "ids[1]", "occurs twice"),
        ({"rows": [ROW], "ids": ["x" * 201]}, "ids[0]", "longer than 200"),
        ({"rows": [ROW], "ids": ["\udfff"]}, "ids[0]", "half a character"),
        ('{"rows": [{"age": 1, "age": 2}]}', "age", "occurs twice"),
    ],
)
def test_a_malformed_request_is_refused_with_what_is_wrong(
    body: Any, field: str, said: str
) -> None:
    error = refused(body)
    assert error.field == field
    assert said in error.problem


def test_an_error_repeats_no_value_and_no_endless_name() -> None:
    assert "secret" not in str(refused({"rows": [{"age": "secret"}]}))
    assert len(str(refused({"rows": [{"a" * 100_000: 1}]}))) < 300
    str(refused({"rows": [{"\ud800": 1}]})).encode()


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["2024-05-31", "north", "NaN", "9999-12-31T23:59:59-14:00"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from([*ROW, "repaid", "rows", "ids", "x"]), inner, max_size=5)
    ),
    max_leaves=20,
)
ROWS = st.lists(st.dictionaries(st.sampled_from([*ROW, "comment"]), JSON, max_size=5), max_size=4)


@given(
    st.binary(max_size=60)
    | st.text(max_size=60)
    | JSON.map(json.dumps)
    | ROWS.map(lambda rows: json.dumps({"rows": rows}))
)
@example(b"\xef\xbb\xbf{}")
@example('{"rows": [{"opened": "2024-W53-7"}]}')
@settings(max_examples=400, deadline=None)
def test_whatever_is_sent_is_read_or_refused(body: str | bytes) -> None:
    try:
        request = read_request(body, signature())
    except RequestInvalidError as error:
        assert error.problem
        str(error).encode()
    else:
        assert isinstance(request, PredictRequest)
        assert not np.isinf(request.encoded.numbers).any()
        assert all(isinstance(text, str) for text in request.encoded.categories.ravel())
