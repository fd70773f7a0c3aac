"""A request may carry a picture or a recording; it is described as at ingestion."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from io import BytesIO
from typing import Any

import numpy as np
import pytest

from evergreen.features.signature import Column, Kind, Signature, Task
from evergreen.media.picture_numbers import describe_picture
from evergreen.media.sound_numbers import describe_sound
from evergreen.serving.requests import (
    PredictRequest,
    RequestInvalidError,
    asked_of_file,
    read_request,
)
from tests.unit.media.files import PIXELS, SECONDS, picture, recording

NUMBERS = {
    "image": ("image.brightness", "image.edges", "image.red_0"),
    "audio": ("audio.seconds", "audio.loudness_mean"),
}
CONTENT = {"image": picture(), "audio": recording()}
FOUND = {
    "image": describe_picture(BytesIO(CONTENT["image"]), PIXELS),
    "audio": describe_sound(BytesIO(CONTENT["audio"]), SECONDS),
}


def signature(kind: str, least: float | None = None, greatest: float | None = None) -> Signature:
    columns = (
        Column("age", Kind.NUMBER),
        *(Column(name, Kind.NUMBER, minimum=least, maximum=greatest) for name in NUMBERS[kind]),
    )
    return Signature("label", Task.BINARY, columns, ("no", "yes"), (("file", "names files"),))


def ask(row: dict[str, Any], signature: Signature) -> PredictRequest:
    return read_request(json.dumps({"rows": [row]}), signature)


def refused(row: dict[str, Any], signature: Signature) -> str:
    with pytest.raises(RequestInvalidError) as caught:
        ask(row, signature)
    return str(caught.value)


def as_text(content: bytes) -> str:
    return base64.b64encode(content).decode()


@pytest.mark.parametrize("kind", ["image", "audio"])
@pytest.mark.parametrize("prefix", ["", "data:image/png;base64,"])
def test_content_is_described_as_at_ingestion(kind: str, prefix: str) -> None:
    request = ask({"age": 7, kind: prefix + as_text(CONTENT[kind])}, signature(kind))
    expected = [7, *(FOUND[kind][name] for name in NUMBERS[kind])]
    np.testing.assert_array_equal(request.encoded.numbers[0], np.float32(expected))
    assert request.rows[0] == {"age": 7, **{name: FOUND[kind][name] for name in NUMBERS[kind]}}
    assert request.notes == ((),)


@pytest.mark.parametrize("kind", ["image", "audio"])
def test_content_may_be_missing_or_given_as_its_numbers(kind: str) -> None:
    request = ask({"age": 7, kind: None}, signature(kind))
    assert np.isnan(request.encoded.numbers[0, 1:]).all()
    described = {name: FOUND[kind][name] for name in NUMBERS[kind]}
    by_numbers = ask({"age": 7, **described, "file": "a.png"}, signature(kind))
    by_content = ask({"age": 7, kind: as_text(CONTENT[kind])}, signature(kind))
    np.testing.assert_array_equal(by_numbers.encoded.numbers, by_content.encoded.numbers)


def test_what_is_unlike_training_is_said_once() -> None:
    request = ask({"image": as_text(CONTENT["image"])}, signature("image", 5, 6))
    ((note,),) = request.notes
    assert note == (
        "image: 3 of the 3 numbers that are used of it are outside of the range seen in training"
    )


def test_what_is_damaged_is_refused_at_its_place() -> None:
    taken = signature("image")
    assert refused({"image": "é"}, taken) == "rows[0].image: the image is no base64 text of a file"
    assert refused({"image": as_text(b"text")}, taken) == (
        "rows[0].image: the image is no PNG or JPEG picture"
    )
    assert "the image is a damaged picture" in refused(
        {"image": as_text(CONTENT["image"][:100])}, taken
    )
    assert "a file as base64 text is needed" in refused({"image": [1, 2]}, taken)
    assert "the audio is no WAV" in refused({"audio": as_text(b"RIFF")}, signature("audio"))


def test_a_model_that_learnt_from_other_numbers_is_not_asked() -> None:
    old = signature("image")
    columns = (*old.columns, Column("image.glow", Kind.NUMBER))
    said = refused({"image": as_text(CONTENT["image"])}, replace(old, columns=columns))
    assert said == (
        "rows[0].image: the model knows other numbers of an image than are made now; train it anew"
    )


def test_a_model_of_tables_is_asked_with_no_picture() -> None:
    plain = Signature("y", Task.REGRESSION, (Column("age", Kind.NUMBER),))
    assert "is no column of the model" in refused({"image": "aaaa"}, plain)


@pytest.mark.parametrize("kind", ["image", "audio"])
def test_a_file_is_scored_with_the_numbers_that_its_model_knows(kind: str) -> None:
    """More are made of a file than a model uses, or knew when it was made."""
    row = {"age": 7, **FOUND[kind]}
    asked = asked_of_file(row, signature(kind))
    assert asked == {"age": 7, **{name: FOUND[kind][name] for name in NUMBERS[kind]}}
    assert ask(asked, signature(kind)).notes == ((),)
    del row[NUMBERS[kind][0]]
    with pytest.raises(RequestInvalidError, match=r"other numbers .* than are made now"):
        asked_of_file(row, signature(kind))
