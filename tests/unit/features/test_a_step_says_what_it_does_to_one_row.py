"""Every kind of step says what serving does with it, and what must be sent is told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from evergreen.features.recipe import (
    Ask,
    Assigned,
    Elsewhere,
    LookedUp,
    Matched,
    Query,
    Recipe,
)
from evergreen.features.signature import Signature
from evergreen.features.steps import STEPS
from tests.unit.features.workshop import Workshop, hundred

ROWS = hundred(
    "i AS n, i % 5 AS k, i * 1.5 AS price, 'c' || (i % 3) AS word, "
    "TIMESTAMP '2024-01-01' + to_hours(CAST(i AS BIGINT)) AS \"at\""
)
SHOP = {"shop": "SELECT i AS id, i * 2.5 AS size, 'x' || (i % 2) AS label FROM range(4) r(i)"}
EVENTS = {
    "visits": "SELECT i AS id, i AS event_id, TIMESTAMP '2024-01-01' AS seen FROM range(4) r(i)"
}
FEATURE = {
    "name": "seen",
    "dataset": "visits",
    "entity": "k",
    "time": "seen",
    "aggregates": {"seen_1d": {"count": True, "over": "1 day"}},
}

AGGREGATE = {"dataset": "shop", "by": {"k": "id"}, "columns": {"some": "count"}}
WINDOW = {"time": "at", "by": ["k"], "columns": {"before": {"mean": "price"}}}
AS_OF = {"dataset": "shop", "on": {"k": "id"}, "as_of": {"time": "n", "event": "size"}}

KINDS: list[tuple[str, Any, list[type]]] = [
    ("derive", {"a": "price * n"}, [Assigned]),
    ("derive", {"a": "price - avg(price) OVER ()"}, [Elsewhere]),
    ("derive", {"a": "rowid"}, [Elsewhere]),
    ("derive", {"a": "list_sum([*COLUMNS('price')])"}, [Elsewhere]),
    ("fill", {"price": 0}, [Assigned]),
    ("fill", {"price": {"previous_in": "at"}}, []),
    ("clip", {"price": {"max": 9}}, [Assigned]),
    ("dates", {"at": ["hour", "hour_cyclic"]}, [Assigned] * 3),
    ("join", {"dataset": "shop", "on": {"k": "id"}}, [Matched]),
    ("join", AS_OF, [Elsewhere]),
    ("aggregate", AGGREGATE, [Elsewhere]),
    ("aggregate", {"by": ["n", "y"], "columns": {"price": {"mean": "price"}}}, []),
    ("window", WINDOW, [Elsewhere]),
    ("sql", "SELECT *, n + 1 AS more FROM rows", []),
    ("drop", ["price"], []),
    ("keep", ["n", "price"], []),
    ("filter", "n > 3", []),
    ("deduplicate", "rows", []),
    ("features", ["seen"], [LookedUp]),
]


def recipe(made: Any) -> Recipe:
    signature: Signature = made.training_set.signature
    assert Signature.from_json(signature.to_json()) == signature
    assert signature.recipe
    return signature.recipe


def prepare(workshop: Workshop, *steps: Any, **more: Any) -> Any:
    if any("features" in step for step in steps):
        renamed = EVENTS["visits"].replace("i AS id", "i AS k")
        more |= {"references": {"visits": renamed}, "features": [FEATURE], "time": "at"}
    return workshop.prepare(ROWS, *steps, **{"references": SHOP, **more})


@pytest.mark.parametrize(("kind", "declared", "expected"), KINDS)
def test_a_kind_of_step_says_whether_a_row_alone_decides(
    workshop: Workshop, kind: str, declared: Any, expected: list[type]
) -> None:
    made = prepare(workshop, {kind: declared})
    assert {type(each) for each in recipe(made).actions} == set(expected)
    anew = kind == "sql" or (kind == "aggregate" and "dataset" not in declared)
    assert recipe(made).after == (1 if anew else 0)


def test_every_kind_is_tried_here() -> None:
    assert {kind for kind, *_ in KINDS} == set(STEPS)


def test_only_what_the_model_needs_travels(workshop: Workshop) -> None:
    made = prepare(
        workshop,
        {"derive": {"late": "price > 60", "half": "price / 2", "quarter": "half / 2"}},
        {"join": {"dataset": "shop", "on": {"k": "id"}}},
        {"drop": ["late", "half", "label", "price"]},
    )
    names = [name for action in recipe(made).actions for name in action.names]
    assert names == ["half", "quarter", "size"]
    smaller = made.training_set.signature.without({"size": "it is weak"}).recipe
    assert smaller
    assert smaller.snapshots == ()
    assert [name for action in smaller.actions for name in action.names] == ["half", "quarter"]


def test_steps_are_done_in_one_go_up_to_a_lookup(workshop: Workshop) -> None:
    made = prepare(
        workshop,
        {"derive": {"twice": "price * 2"}},
        {"features": ["seen"]},
        {"derive": {"rate": "seen_1d / (1 + twice)"}},
        {"clip": {"rate": {"max": 1}}},
        {"drop": ["seen_1d"]},
    )
    stages = recipe(made).plan(frozenset()).stages
    assert [type(stage) for stage in stages] == [Query, Ask, Query]
    assert isinstance(stages[0], Query)
    assert (stages[0].carried, stages[0].finished) == (("twice",), ("twice",))


def test_what_a_row_carries_is_not_made(workshop: Workshop) -> None:
    made = prepare(workshop, {"derive": {"half": "price / 2", "quarter": "half / 2"}})
    (stage,) = recipe(made).plan(frozenset({"half"})).stages
    assert isinstance(stage, Query)
    assert (stage.reads, stage.finished) == (("half",), ("quarter",))
    assert recipe(made).plan(frozenset({"half", "quarter"})).stages == ()


def test_what_depends_on_other_rows_must_be_sent_and_that_is_said(workshop: Workshop) -> None:
    made = prepare(workshop, {"window": WINDOW}, {"derive": {"rel": "price / before"}})
    assert recipe(made).plan(frozenset()).lost == {"before": "before", "rel": "before"}
    assert recipe(made).plan(frozenset({"before"})).lost == {}
    said = (
        "step 1 (window): when the model is asked, 'before', 'rel' are not computed: other rows "
        "decide it; send 'before', or what is not computed is missing"
    )
    assert said in made.notes


def test_what_is_computed_is_said_too(workshop: Workshop) -> None:
    made = prepare(workshop, {"derive": {"half": "price / 2"}}, {"clip": {"price": {"max": 9}}})
    assert "when the model is asked, 'price', 'half' are computed as here" in made.notes


def test_a_name_of_the_upload_that_a_window_takes_cannot_be_sent(workshop: Workshop) -> None:
    made = prepare(workshop, {"derive": {"price": "price - avg(price) OVER ()"}})
    (note,) = [note for note in made.notes if "cannot be sent" in note]
    assert "choose a new one" in note
    assert recipe(made).plan(frozenset()).lost == {"price": "price"}


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        ({"reference_rows": 3}, "has 4 different keys, and at most 3 travel"),
        ({"reference_bytes": 100}, "and at most 100 travel"),
    ],
)
def test_a_reference_that_is_too_large_stays_behind_and_that_is_said(
    workshop: Workshop, limit: dict[str, int], said: str
) -> None:
    made = prepare(workshop, {"join": {"dataset": "shop", "on": {"k": "id"}}}, serving=limit)
    assert made.snapshots == {}
    assert any(said in note and "send 'size', 'label'" in note for note in made.notes)


def test_snapshots_are_named_by_their_content(workshop: Workshop) -> None:
    steps = [{"join": {"dataset": "shop", "on": {"k": "id"}, "prefix": p}} for p in ("a_", "b_")]
    made = prepare(workshop, *steps)
    again = prepare(workshop, *steps)
    assert tuple(made.snapshots) == tuple(again.snapshots) == recipe(made).snapshots
    assert len(made.snapshots) == 1


def test_a_model_from_before_recipes_is_read(workshop: Workshop) -> None:
    made = prepare(workshop, {"clip": {"price": {"max": 9}}})
    plain = json.loads(made.training_set.signature.to_json())
    del plain["recipe"]
    assert Signature.from_json(json.dumps(plain)).recipe is None
