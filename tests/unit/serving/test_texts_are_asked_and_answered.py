"""A text may be as long as a request; what the model makes of it is said."""

import json

import pytest

from evergreen.features.signature import Column, Kind, Signature, Task
from evergreen.features.text import LONGEST_TEXT
from evergreen.serving.requests import PredictRequest, RequestInvalidError, read_request

SIGNATURE = Signature(
    "score",
    Task.BINARY,
    (Column("review", Kind.TEXT, terms=("good", "not good"), idf=(1.0, 2.0)),),
    ("no", "yes"),
)


def ask(review: object) -> PredictRequest:
    return read_request(json.dumps({"rows": [{"review": review}]}), SIGNATURE)


def test_known_words_get_weights_and_no_note() -> None:
    request = ask("This is NOT good!")
    assert request.encoded.numbers.tolist() == [pytest.approx([0.2**0.5, 0.8**0.5])]
    assert request.notes == ((),)


def test_unknown_words_are_said() -> None:
    for review in ("un goût parfait", "!!", " "):
        assert ask(review).notes == (
            ("review: none of its words was seen often enough in training",),
        )
    for review in (None, ""):
        assert ask(review).notes == ((),)
        assert not ask(review).encoded.numbers.any()


def test_a_long_text_is_read_to_its_limit_and_that_is_said() -> None:
    request = ask("good " * LONGEST_TEXT)
    assert len(str(request.rows[0]["review"])) == LONGEST_TEXT
    assert request.notes == (("review: only the first 8,000 characters are read",),)


def test_what_is_no_text_is_refused() -> None:
    for review, said in ((True, "true or false"), (5, "a number"), ([["a"]], "a list")):
        try:
            ask(review)
        except RequestInvalidError as error:
            assert (error.field, error.problem) == ("rows[0].review", f"text is needed, not {said}")
        else:
            raise AssertionError(review)


def test_a_list_is_the_words_of_its_elements() -> None:
    assert ask(["Good", "x", 1]).encoded.numbers.tolist() == [[1, 0]]
    assert ask([]).rows[0]["review"] == "[]"
