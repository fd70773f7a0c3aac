"""Rows of a file are asked in chunks that the serving code takes, whatever they weigh."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evergreen.data.rows import read_rows
from evergreen.features.recipe import Field, Recipe
from evergreen.features.signature import Signature, Task
from evergreen.serving.requests import MAXIMUM_BYTES, MAXIMUM_ROWS, RequestInvalidError
from functions.score_batch.app import chunks, id_of, types_of


@given(lengths=st.lists(st.sampled_from([1, 500_000, 2_500_000]), max_size=20))
def test_no_chunk_is_too_large_and_no_row_is_lost(lengths: list[int]) -> None:
    rows: list[dict[str, Any]] = [{"text": "é" * (length // 6)} for length in lengths]
    found = list(chunks(rows))
    assert [row for chunk in found for row in chunk] == rows
    for chunk in found:
        ids = [f"{place:09}" for place in range(len(chunk))]
        assert len(json.dumps({"rows": chunk, "ids": ids})) <= MAXIMUM_BYTES


def test_no_chunk_has_too_many_rows() -> None:
    assert [len(chunk) for chunk in chunks([{"x": 1}] * (2 * MAXIMUM_ROWS + 1))] == [
        *(MAXIMUM_ROWS, MAXIMUM_ROWS, 1),
    ]


def test_a_row_is_called_by_its_id_a_file_by_its_path_and_all_others_by_their_place() -> None:
    plain: dict[str, Any] = {"id": 7, "file": "a.csv", "label": "x"}
    assert id_of(plain, 3) == "7"
    assert plain == {"file": "a.csv", "label": "x"}
    assert id_of({"file": "a.csv"}, 3) == "3"
    for name in ("image.brightness", "audio.seconds"):
        picture: dict[str, Any] = {"file": "cat/1.png", "label": "cat", name: 0.5}
        assert id_of(picture, 3) == "cat/1.png"
        assert picture == {name: 0.5}
        assert id_of({"file": "x" * 201, name: 0.5}, 3) == "3"


def test_a_row_whose_id_is_missing_is_refused_by_its_place() -> None:
    with pytest.raises(RequestInvalidError, match=r"id: is missing in row 1700 \(from 0\)"):
        id_of({"id": None, "x": 1}, 1700)


def test_codes_of_digits_are_read_as_the_text_that_they_are_in_uploads() -> None:
    given = (Field("seats", "integer"), Field("code", "text"), Field("made of it", None))
    model = Signature("y", Task.REGRESSION, (), recipe=Recipe(given))
    assert types_of(model) == {"id": "text", "code": "text"}
    assert types_of(model.prepared) == {"id": "text"}


@pytest.mark.parametrize(
    "ids", [["1.10", "1.1"], ["1e3", "2e3"], ["007", "7"], ["true"], ["2024-01-01T10:00"]]
)
def test_ids_are_said_back_as_they_were_written(tmp_path: Path, ids: list[str]) -> None:
    file = tmp_path / "new.csv"
    file.write_text("id,x\n" + "".join(f"{name},1\n" for name in ids))
    model = Signature("y", Task.REGRESSION, ())
    assert [id_of(row, 0) for row in read_rows(file, "new.csv", types_of(model))] == ids
