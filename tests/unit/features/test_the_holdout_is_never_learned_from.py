"""The split is by time, by group or a stratified draw; equal rows never straddle it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evergreen.features.split import drawn, mixed, newest, row_hashes, strata_of
from tests.unit.features.workshop import Workshop, hundred

UNITS = st.lists(st.integers(0, 30), min_size=2, max_size=200)


@given(units=UNITS, share=st.floats(0.05, 0.5), seed=st.integers(0, 2**70), data=st.data())
def test_a_draw_keeps_units_together_and_both_sides_filled(
    units: list[int], share: float, seed: int, data: st.DataObject
) -> None:
    strata = np.array(
        data.draw(st.lists(st.integers(0, 3), min_size=len(units), max_size=len(units)))
    )
    hashes = mixed(np.array(units, dtype=np.uint64))
    held = drawn(hashes, strata, share, seed)
    assert (drawn(hashes, strata, share, seed) == held).all()
    for unit in set(units):
        assert len(set(held[np.array(units) == unit].tolist())) == 1
    if len(set(units)) > 1:
        assert 0 < held.sum() < len(units)


@given(share=st.floats(0.05, 0.5), seed=st.integers(0, 1000))
def test_a_draw_has_its_share_of_every_stratum(share: float, seed: int) -> None:
    strata = np.repeat([0, 1], [2_000, 200])
    held = drawn(mixed(np.arange(2_200, dtype=np.uint64)), strata, share, seed)
    assert held[:2_000].sum() == round(share * 2_000)
    assert held[2_000:].sum() == round(share * 200)


def test_rows_that_were_held_out_stay_so_as_data_grows() -> None:
    units = mixed(np.arange(6_000, dtype=np.uint64))
    before = drawn(units[:5_000], np.zeros(5_000, dtype=int), 0.2, 1)
    after = drawn(units, np.zeros(6_000, dtype=int), 0.2, 1)
    assert (before & ~after[:5_000]).sum() + (after[:5_000] & ~before).sum() < 60


@given(times=st.lists(st.integers(0, 20), min_size=2, max_size=60).map(sorted))
def test_the_newest_rows_are_newer_than_all_others(times: list[int]) -> None:
    held = newest(np.array(times, dtype=float), 0.2)
    if len(set(times)) == 1:
        assert held is None
    else:
        assert held is not None
        assert min(t for t, out in zip(times, held, strict=True) if out) > max(
            t for t, out in zip(times, held, strict=True) if not out
        )


def test_hashes_tell_rows_apart_and_know_equal_ones() -> None:
    numbers = np.array([[0.0, np.nan], [-0.0, np.nan], [0.0, 1.0], [1.0, 0.0]], dtype=np.float32)
    texts = np.array([[5], [5], [5], [5]], dtype=np.uint64)
    hashes = row_hashes(numbers, texts)
    assert hashes[0] == hashes[1]
    assert len(set(hashes.tolist())) == 3


def test_numbers_are_divided_into_tenths() -> None:
    strata = strata_of(np.arange(1_000, dtype=np.float64))
    assert np.bincount(strata).tolist() == [100] * 10


def test_a_declared_time_holds_out_the_newest_and_orders_the_rows(workshop: Workshop) -> None:
    made = workshop.prepare(
        hundred("(i * 37) % 100 AS x, DATE '2020-01-01' + (99 - i)::INTEGER AS day"), time="day"
    )
    assert made.training_set.ordered
    assert made.training_set.holdout.tolist() == [False] * 80 + [True] * 20
    days = [day for (day,) in workshop.written("day")]
    assert days == sorted(days)
    assert made.split == (
        "by time: the newest 20 of 100 rows (20%), from 'day' 2020-03-21 00:00:00 on, are held out"
    )


def test_rows_without_a_time_are_learned_from(workshop: Workshop) -> None:
    made = workshop.prepare(
        hundred("i % 7 AS x, CASE WHEN i > 89 THEN NULL ELSE i END AS t"), time="t"
    )
    assert workshop.written("t")[:10] == [(None,)] * 10
    assert not made.training_set.holdout[:10].any()


def test_one_time_for_all_rows_falls_back_to_a_draw_and_says_so(workshop: Workshop) -> None:
    made = workshop.prepare(hundred("i AS x, DATE '2020-01-01' AS day"), time="day")
    assert not made.training_set.ordered
    assert any("same 'day'" in note for note in made.notes)


@pytest.mark.parametrize(
    ("time", "said"),
    [("tt", "did you mean 't'?"), ("w", "the time 'w' is VARCHAR; derive a date")],
)
def test_a_time_that_is_none_is_refused(workshop: Workshop, time: str, said: str) -> None:
    assert said in str(workshop.refused(hundred("i AS x, i AS t, 'a' || i AS w"), time=time))


def test_groups_stay_on_one_side(workshop: Workshop) -> None:
    made = workshop.prepare(hundred("(i * 37) % 100 AS x, 'g' || (i % 11) AS who"), group="who")
    held, groups = made.training_set.holdout, made.training_set.groups
    assert len(set(groups.tolist())) == 11
    assert set(groups[held].tolist()).isdisjoint(groups[~held].tolist())
    assert 0.05 < held.mean() < 0.3
    assert made.split.startswith("by group: ")


def test_equal_rows_never_straddle_the_split(workshop: Workshop) -> None:
    made = workshop.prepare(
        "SELECT i % 40 AS x, 'c' || (i % 8) AS c, i % 3 > 0 AS y FROM range(400) r(i)"
    )
    rows = [
        (number, text, bool(out))
        for (number,), (text,), out in zip(
            made.training_set.rows.numbers.tolist(),
            made.training_set.rows.categories.tolist(),
            made.training_set.holdout,
            strict=True,
        )
    ]
    assert len(set(rows)) == len({(number, text) for number, text, _ in rows}) == 40


def test_a_draw_is_stratified(workshop: Workshop) -> None:
    made = workshop.prepare("SELECT i AS x, i % 10 = 0 AS y FROM range(1000) r(i)")
    target, held = made.training_set.target, made.training_set.holdout
    assert target[held].sum() == 20
    assert held.sum() == 200


def test_the_seed_decides_the_draw(workshop: Workshop) -> None:
    first, again, other = (
        workshop.prepare(hundred("i AS x"), seed=seed).training_set.holdout for seed in (1, 1, 2)
    )
    assert (first == again).all()
    assert (first != other).any()


def test_the_written_table_says_which_rows_are_held_out(workshop: Workshop) -> None:
    made = workshop.prepare(hundred("i AS x"))
    assert [out for (out,) in workshop.written("holdout")] == made.training_set.holdout.tolist()


def test_a_class_that_only_the_future_knows_is_left_out_and_said(workshop: Workshop) -> None:
    made = workshop.prepare(
        "SELECT i AS t, i % 9 AS x, CASE WHEN i > 95 THEN 'new' ELSE 'c' || (i % 2) END AS y "
        "FROM range(100) r(i)",
        time="t",
    )
    assert made.training_set.signature.classes == ("c0", "c1")
    assert len(made.training_set) == 96
    assert "class 'new' occurs only in rows that are held out: they are left out" in made.notes


def test_a_past_with_one_class_is_refused(workshop: Workshop) -> None:
    error = workshop.refused(
        "SELECT i AS t, i % 9 AS x, i > 85 AS y FROM range(100) r(i)", time="t"
    )
    assert "all rows to learn from are 'false'" in str(error)
