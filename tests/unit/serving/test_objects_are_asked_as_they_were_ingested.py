"""Objects inside of a row are the columns `outer.inner` that ingestion made of them."""

import json
from typing import Any

import pytest

from evergreen.features.signature import Column, Kind, Signature, Task
from evergreen.serving.requests import PredictRequest, RequestInvalidError, read_request

SIGNATURE = Signature(
    "y",
    Task.REGRESSION,
    (Column("home.size", Kind.NUMBER), Column("home.place.city", Kind.CATEGORY)),
)


def ask(row: dict[str, Any]) -> PredictRequest:
    return read_request(json.dumps({"rows": [row]}), SIGNATURE)


def test_an_object_is_its_columns() -> None:
    nested = ask({"home": {"size": 3, "place": {"city": "Oslo"}}})
    assert nested.rows == ask({"home.size": 3, "home.place.city": "Oslo"}).rows


def test_what_is_no_column_is_refused_at_its_place() -> None:
    for row, said in (
        ({"home": {"sise": 3}}, "rows[0].home.sise: is no column of the model; did you mean"),
        ({"house": {"size": 3}}, "rows[0].house: is no column of the model"),
        ({"home": {"size": {"a": 3}}}, "rows[0].home.size: a number is needed, not an object"),
        ({"home": {"size": 3}, "home.size": 4}, "rows[0].home.size: occurs twice"),
    ):
        with pytest.raises(RequestInvalidError) as caught:
            ask(row)
        assert str(caught.value).startswith(said)
