"""Whatever stands in the rows that are held out: what is fitted, and kinds of columns, stay."""

from __future__ import annotations

import numpy as np
import pytest

from evergreen.features.preparation import Prepared
from evergreen.features.signature import Kind
from tests.unit.features.workshop import Workshop

LEARNED, HELD = 160, 40

COLUMNS = {
    "word": "'c' || (i % 4)",
    "few": "'the ' || (i % 30) || ' was seen'",
    "prose": "'it was ' || (i % 9) || ' o clock when ' || (i % 7) || ' of us saw number ' || i",
    "name": "'n' || i",
    "path": "'a/' || i || '.png'",
    "list": "'[\"a\", \"b' || (i % 5) || '\"]'",
    "number": "i % 13 / 4",
    "whole": "i % 17",
    "flag": "i % 3 = 0",
    "day": "DATE '2020-01-01' + CAST(i % 50 AS INTEGER)",
}
"""Columns of every kind, and near where one kind becomes another."""

WORDS = ("word", "few", "prose", "name", "path", "list")

OTHERS = {
    "one and the same": "'c0'",
    "missing": "NULL",
    "all different": "'x' || (i * 7919)",
    "prose": "'then number ' || i || ' of ' || (i % 8) || ' people came home and went to bed'",
    "names of files": "'b/' || i || '.jpg'",
    "lists": "'[\"z' || i || '\"]'",
}
"""What words of held-out rows may be instead."""


def prepared(workshop: Workshop, words: str | None, numbers: str | None) -> Prepared:
    columns = []
    for name, value in COLUMNS.items():
        if name in WORDS:
            other = value if words is None else words
        elif name == "day":
            other = value if numbers is None else f"{value} + 9000"
        elif name == "flag":
            other = value
        else:
            other = value if numbers is None else numbers
        columns.append(f"CASE WHEN i < {LEARNED} THEN {value} ELSE {other} END AS {name}")
    query = f"SELECT i AS t, {', '.join(columns)}, i % 2 = 0 AS y FROM range({LEARNED + HELD}) r(i)"
    return workshop.prepare(query, time="t")


@pytest.mark.parametrize("words", OTHERS)
@pytest.mark.parametrize("numbers", ["NULL", "i * 1e6", "0"])
def test_held_out_rows_change_nothing_that_is_fitted(
    workshop: Workshop, words: str, numbers: str
) -> None:
    as_it_is = prepared(workshop, None, None)
    changed = prepared(workshop, OTHERS[words], numbers)
    before, after = as_it_is.training_set, changed.training_set
    assert after.signature.to_json() == before.signature.to_json()
    one, other = before.part(holdout=False), after.part(holdout=False)
    assert len(other) == LEARNED
    np.testing.assert_array_equal(one.rows.numbers, other.rows.numbers)
    np.testing.assert_array_equal(one.rows.categories, other.rows.categories)


def test_the_columns_of_this_law_are_of_all_kinds(workshop: Workshop) -> None:
    signature = prepared(workshop, None, None).training_set.signature
    assert {column.kind for column in signature.columns} == set(Kind)
    assert {name for name, _ in signature.ignored} == {"name", "path"}
