"""The model card: one file, without scripts or links, that escapes what came with the data."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from evergreen.evaluation.card import render_card
from evergreen.evaluation.card_charts import roc_points
from evergreen.evaluation.evaluation import evaluate
from evergreen.features.signature import Task
from evergreen.features.training_set import TrainingSet
from tests.unit.training.sets import training_set, with_text

MODEL = {"model": "ab" * 32, "family": "boosting", "parameters": {"leaves": 31}, "calibrated": True}
RECORD = {"split": "the newest rows are held out", "notes": ["12 rows have no target"]}
VOID = {"meta", "br", "hr", "img", "input", "link"}


class Outline(HTMLParser):
    """Tags that are opened and not closed, and every address."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        if tag not in VOID:
            self.open.append(tag)
        self.addresses += [
            value for name, value in attrs if name in {"href", "src", "xlink:href"} and value
        ]

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1] == tag
        self.open.pop()


def predictions_for(rows: TrainingSet) -> np.ndarray:
    chance = np.random.default_rng(1)
    held = rows.target[rows.holdout]
    if not rows.is_classification:
        return np.asarray(held + chance.normal(0, 300, len(held)))
    classes = len(rows.signature.classes)
    return np.asarray(
        0.5 * np.eye(classes)[held] + 0.5 * chance.dirichlet(np.ones(classes), len(held))
    )


def card(rows: TrainingSet, predictions: np.ndarray, **more: Any) -> str:
    measured = evaluate(rows, predictions, predictions, 50_000, seed=1)
    given = {"project": "credit", "model": MODEL, "record": RECORD} | more
    return render_card(
        given["project"],
        given["model"],
        rows.signature,
        given["record"],
        measured,
        rows.part(holdout=True),
        predictions,
    )


def outline(page: str) -> Outline:
    found = Outline()
    found.feed(page)
    found.close()
    assert found.open == []
    return found


@pytest.mark.parametrize("task", list(Task))
def test_the_card_is_one_page_without_scripts_or_links(task: Task) -> None:
    rows = training_set(task)
    page = card(rows, predictions_for(rows))
    found = outline(page)
    assert not found.seen & {"script", "link", "iframe", "img", "object"}
    assert found.addresses == []
    assert not re.search(r"\son\w+=", page)
    assert "svg" in found.seen
    assert "12 rows have no target" in page
    assert "abababababab" in page


@pytest.mark.parametrize("task", list(Task))
def test_the_same_model_has_the_same_card(task: Task) -> None:
    rows = training_set(task)
    assert card(rows, predictions_for(rows)) == card(rows, predictions_for(rows))


def test_what_came_with_the_data_is_shown_and_does_nothing() -> None:
    rows = training_set(Task.BINARY)
    evil = "<script>alert(1)</script>"
    rows.rows.categories[:, 0] = evil
    rows.rows.categories[::2, 0] = "harmless"
    signature = replace(
        rows.signature,
        target=evil,
        classes=(evil, "yes"),
        ignored=((evil, evil),),
        columns=tuple(
            replace(column, name=f"{evil}{place}", categories=(evil,))
            for place, column in enumerate(rows.signature.columns)
        ),
    )
    rows = replace(rows, signature=signature)
    record = {"split": evil, "notes": [evil]}
    model = {**MODEL, "family": evil, "model": evil, "parameters": {evil: evil}}
    page = card(rows, predictions_for(rows), project=evil, record=record, model=model)
    assert "script" not in outline(page).seen
    assert "&lt;script&gt;" in page


def test_a_card_can_be_drawn_of_a_model_of_which_little_is_known() -> None:
    rows = training_set(Task.REGRESSION, rows=30)
    rows.target[:] = 5.0
    page = card(rows, np.full(int(rows.holdout.sum()), 5.0), model={}, record={})
    outline(page)


def test_a_model_that_may_know_nothing_looks_doubtful() -> None:
    rows = training_set(Task.BINARY)
    page = card(rows, np.full((int(rows.holdout.sum()), 2), 0.5))
    assert '<header class="doubtful">' in page
    assert "not surely better" in page


def test_the_curve_goes_from_corner_to_corner_and_never_back() -> None:
    chance = np.random.default_rng(1)
    points = roc_points(chance.random(1_000) < 0.3, chance.random(1_000).round(2))
    assert (points[0], points[-1]) == ((0.0, 0.0), (1.0, 1.0))
    assert points == sorted(points)
    assert roc_points(np.zeros(5, dtype=bool), np.zeros(5)) == []


def test_the_words_that_a_model_reads_are_shown() -> None:
    rows = with_text(training_set(Task.BINARY))
    page = card(rows, predictions_for(rows))
    assert "6 words and pairs of words, the rarest of them &#x27;a&#x27;, &#x27;b&#x27;" in page
    assert "review &#x27;a&#x27; from" not in page
