"""Rows that are copies of each other, exactly or nearly, are never learned from and judged by."""

import random
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import hypergeom

from evergreen.features import row_likeness, text_likeness
from evergreen.features.components import components
from evergreen.features.preparation import Prepared
from evergreen.features.split import ROOM, drawn, mixed
from evergreen.training.folds import split
from tests.unit.features.workshop import Workshop

WORDS = [
    f"{first}{middle}{last}" for first in "bdfklmnprst" for middle in "aeiou" for last in "lnrst"
]


def text(chance: random.Random, words: int) -> list[str]:
    return [chance.choice(WORDS) for _ in range(words)]


def edited(chance: random.Random, words: list[str]) -> list[str]:
    """A copy with one word changed, left out or put in."""
    place = chance.randrange(len(words))
    new = [chance.choice(WORDS)] if chance.random() < 0.7 else []
    return words[:place] + new + words[place + chance.choice([0, 1]) :]


def query(columns: dict[str, list[object]]) -> str:
    """SQL for rows that are given column by column."""
    listed = ", ".join(f"unnest({values!r}) AS {name}" for name, values in columns.items())
    return f"SELECT {listed}"


def straddling(made: Prepared, pairs: list[tuple[int, int]], column: int = 0) -> int:
    """Pairs of rows, told by a whole number in their first column, that a split divides.

    Divided by the holdout, or by a fold of a search.
    """
    place = {int(n): row for row, n in enumerate(made.training_set.rows.numbers[:, column])}
    held = made.training_set.holdout
    divided = sum(held[place[a]] != held[place[b]] for a, b in pairs)
    learned = made.training_set.part(holdout=False)
    known = {int(n): row for row, n in enumerate(learned.rows.numbers[:, column])}
    for fold in split(learned, 4, seed=1):
        judged = np.isin(np.arange(len(learned)), fold.judge)
        divided += sum(
            judged[known[a]] != judged[known[b]] for a, b in pairs if a in known and b in known
        )
    return divided


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**6), length=st.integers(20, 120))
def test_edited_copies_of_a_text_are_found_and_no_others(seed: int, length: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    texts = [text(chance, length) for _ in range(60)]
    texts += [edited(chance, each) for each in texts[:30]]
    found = text_likeness.pairs_of_alike([(0, [" ".join(each) for each in texts])], len(texts))
    assert set(map(tuple, found.tolist())) == {(place, 60 + place) for place in range(30)}


def test_short_phrases_are_no_copies() -> None:
    found = text_likeness.pairs_of_alike([(0, ["good product, thanks", None, ""] * 5)], 15)
    assert len(found) == 0


def test_texts_come_in_blocks_and_in_any_order() -> None:
    chance = random.Random(1)  # noqa: S311
    texts = [" ".join(text(chance, 30)) for _ in range(10)] * 2
    whole = text_likeness.pairs_of_alike([(0, list(texts))], 20)
    blocks = [(0, list(texts[:7])), (7, list(texts[7:]))]
    assert (text_likeness.pairs_of_alike(blocks, 20) == whole).all()
    assert len(np.unique(components(20, whole))) == 10


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6), columns=st.integers(6, 12))
def test_rows_that_differ_in_one_column_or_by_rounding_are_found(seed: int, columns: int) -> None:
    chance = np.random.default_rng(seed)
    numbers = chance.normal(size=(300, columns)) * 10.0 ** chance.integers(-3, 4, columns)
    other = numbers[:100].copy()
    other[np.arange(100), chance.integers(0, columns, 100)] = np.nan
    nearly = numbers[100:200] * (1 + 1e-7)
    texts = np.zeros((500, 1), dtype=np.uint64)
    whole = np.concatenate([numbers, other, nearly]).astype(np.float32)
    unit = components(500, row_likeness.pairs_of_alike(whole, texts))
    assert (unit[300:] == np.arange(200)).all()
    assert (unit[:300] == np.arange(300)).all()


def test_people_who_share_common_values_are_no_copies() -> None:
    chance = np.random.default_rng(1)
    numbers = chance.integers(0, 5, size=(5_000, 7)).astype(np.float32)
    texts = chance.integers(0, 3, size=(5_000, 3)).astype(np.uint64)
    assert len(row_likeness.pairs_of_alike(numbers, texts)) == 0


def test_a_dense_cloud_of_rows_is_no_set_of_copies(workshop: Workshop) -> None:
    # A reading that changes in one column from row to row.
    readings = "CAST(1000 * sin(i // {n} * {n} + {n}) AS INTEGER) AS s{n}"
    columns = ", ".join(readings.format(n=n) for n in range(3, 12))
    made = workshop.prepare(f"SELECT {columns}, i % 3 = 0 AS y FROM range(600) r(i)")
    assert made.holdout.together.largest < 30
    assert 0.1 < made.training_set.holdout.mean() < 0.3


@pytest.mark.parametrize("time", [False, "day"])
def test_texts_that_a_program_filled_in_are_no_copies(workshop: Workshop, time: str | bool) -> None:  # noqa: FBT001
    """All rows would be one set, of which nothing can be held out; copies beside them are found."""
    chance = random.Random(13)  # noqa: S311
    texts = [
        f"the order with number {chance.randrange(10**6)} was shipped to the customer in good time"
        for _ in range(260)
    ]
    texts += [" ".join(text(chance, 30)) for _ in range(40)]
    texts[299] = texts[260]
    rows = query({"day": list(range(300)), "message": list(texts)})
    made = workshop.prepare(f"SELECT *, day % 2 = 0 AS y FROM ({rows})", time=time)
    assert 0.19 < made.holdout.held.mean() < 0.21
    assert (made.holdout.together.rows, made.holdout.together.units) == (2, 1)
    assert any(note.startswith("260 texts are alike one by one, too many") for note in made.notes)


def test_no_copy_of_a_text_straddles_the_holdout_or_a_fold(workshop: Workshop) -> None:
    chance = random.Random(5)  # noqa: S311
    texts = [text(chance, 40) for _ in range(200)]
    texts += [edited(chance, each) for each in texts[:100]]
    pairs = [(place, 200 + place) for place in range(100)]
    rows = {
        "n": list(range(300)),
        "review": [" ".join(each) for each in texts],
        "y": [place % 3 == 0 for place in range(300)],
    }
    made = workshop.prepare(query(rows).replace("True", "true").replace("False", "false"))
    assert straddling(made, pairs) == 0
    assert (made.holdout.together.rows, made.holdout.together.units) == (200, 100)
    assert any("200 rows are equal to another or nearly a copy" in note for note in made.notes)


def test_no_copy_of_a_row_straddles_the_holdout_or_a_fold(workshop: Workshop) -> None:
    chance = np.random.default_rng(3)
    numbers = chance.normal(size=(300, 6))
    numbers[200:] = numbers[:100]
    numbers[200:, 2] += 1
    columns: dict[str, list[object]] = {"n": list(range(300))}
    columns |= {f"x{j}": numbers[:, j].tolist() for j in range(6)}
    rows = f"SELECT *, n % 3 = 0 AS y FROM ({query(columns)})"
    # The number of the row is a second column that differs: copies are those of the others.
    made = workshop.prepare(rows, {"derive": {"n": "n // 1"}}, {"drop": ["n"]})
    assert made.holdout.together.units == 100
    held = made.training_set.holdout
    assert (held[:100] == held[200:]).all()
    learned = made.training_set.part(holdout=False)
    for fold in split(learned, 4, seed=1):
        assert set(learned.groups[fold.learn]).isdisjoint(learned.groups[fold.judge])


def test_a_held_out_copy_of_an_older_row_is_left_out(workshop: Workshop) -> None:
    chance = random.Random(7)  # noqa: S311
    texts = [" ".join(text(chance, 30)) for _ in range(100)]
    texts[95] = texts[3]
    rows = query({"day": list(range(100)), "review": list(texts)})
    made = workshop.prepare(f"SELECT *, day % 2 = 0 AS y FROM ({rows})", time="day")
    assert made.holdout.together.left_out == 1
    assert len(made.training_set) == 99
    assert made.training_set.holdout.sum() == 19
    assert any("1 that are held out repeat an older row and are left out" in n for n in made.notes)


def test_rows_that_are_equal_by_chance_are_what_the_future_repeats(workshop: Workshop) -> None:
    made = workshop.prepare(
        "SELECT i AS t, i % 4 AS x, i % 3 = 0 AS y FROM range(100) r(i)",
        {"derive": {"day": "DATE '2024-01-01' + CAST(t AS INTEGER)"}},
        {"drop": ["t"]},
        time="day",
    )
    assert made.holdout.together.left_out == 0
    assert made.training_set.holdout.sum() == 20


def test_copies_join_the_groups_that_they_connect(workshop: Workshop) -> None:
    chance = random.Random(9)  # noqa: S311
    texts = [" ".join(text(chance, 30)) for _ in range(100)]
    texts[1] = texts[0]
    rows = query({"who": [place // 2 * 2 + place % 2 for place in range(100)], "review": texts})
    made = workshop.prepare(f"SELECT *, who % 2 = 0 AS y FROM ({rows})", group="who")
    held, groups = made.training_set.holdout, made.training_set.groups
    assert groups[0] == groups[1]
    assert held[0] == held[1]
    assert len(np.unique(groups)) == 99


RARELY = 1e-9
"""Chance of each of the two events that `most_let_go` takes for impossible."""


@cache
def most_let_go(rows: int, copies: int, share: float) -> int:
    """How many held-out rows may be let go when copies of some rows arrive.

    Lots are as good as drawn, so that how many rows of a kind are among those with the least lots
    is hypergeometric. Take the `least` lots of all, no more than are drawn. Each takes with it at
    most one other row, and only where it has a copy or is one: while few enough of them do, all of
    that fits into the room, and all of them are held. Of the rows that were there before so many
    are among them, and these were held before: the others of those are the most that are let go.
    """
    total, drawn_now = rows + copies, round(share * (rows + copies))
    least = np.arange(drawn_now + 1)
    too_many = hypergeom(total, 2 * copies, least).sf(int(ROOM * drawn_now) - least)
    fits = least[too_many <= RARELY].max()
    return round(share * rows) - int(hypergeom(total, rows, fits).ppf(RARELY))


@given(seed=st.integers(0, 1000), copies=st.sampled_from([50, 1_000]))
def test_what_was_held_out_stays_so_when_copies_of_it_arrive(seed: int, copies: int) -> None:
    """Of 1,000 rows 19 may be let go for 50 copies, and 184 for 1,000.

    Sets that are drawn as such, or given no room, let go 212 for 1,000 copies on average; lots
    that depend on where a row stands, 773. That any of the 2,002 cases of this test fails by
    chance happens 4 times in a million.
    """
    names = mixed(np.arange(5_000 + copies, dtype=np.uint64))
    units = np.arange(5_000 + copies)
    units[5_000:] = np.random.default_rng(seed).choice(5_000, copies, replace=False)
    none = np.zeros(5_000 + copies, dtype=np.int64)
    before = drawn(units[:5_000], none[:5_000], 0.2, seed, names[:5_000])
    after = drawn(units, none, 0.2, seed, names)
    assert (before & ~after[:5_000]).sum() <= most_let_go(5_000, copies, 0.2)
    assert (after[5_000:] == after[units[5_000:]]).all()
    assert 0.2 <= after.mean() <= ROOM * 0.2


@given(
    pairs=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=40),
    seed=st.randoms(use_true_random=False),
)
def test_components_are_those_of_a_plain_search(
    pairs: list[tuple[int, int]], seed: random.Random
) -> None:
    def reached(row: int) -> int:
        seen, waiting = {row}, [row]
        while waiting:
            here = waiting.pop()
            for a, b in pairs:
                for one, other in ((a, b), (b, a)):
                    if one == here and other not in seen:
                        seen.add(other)
                        waiting.append(other)
        return min(seen)

    shuffled = seed.sample(pairs, len(pairs))
    found = components(31, np.array(shuffled, dtype=np.int64).reshape(-1, 2))
    assert found.tolist() == [reached(row) for row in range(31)]


@pytest.mark.parametrize("rows", [0, 1])
def test_too_few_rows_have_no_copies(rows: int) -> None:
    numbers, texts = np.zeros((rows, 2), np.float32), np.zeros((rows, 0), np.uint64)
    assert len(row_likeness.pairs_of_alike(numbers, texts)) == 0


def test_rows_and_copies_that_arrive_move_no_held_out_row_into_training(
    workshop: Workshop,
) -> None:
    chance = random.Random(11)  # noqa: S311
    texts = [text(chance, 30) for _ in range(1_200)]
    texts += [edited(chance, each) for each in texts[:200]]

    def prepared(rows: int) -> dict[int, bool]:
        columns: dict[str, list[object]] = {
            "n": list(range(rows)),
            "review": [" ".join(each) for each in texts[:rows]],
        }
        made = workshop.prepare(f"SELECT *, n % 3 = 0 AS y FROM ({query(columns)})")
        numbers = made.training_set.rows.numbers[:, 0]
        return dict(zip(map(int, numbers), made.training_set.holdout.tolist(), strict=True))

    before, after = prepared(1_000), prepared(1_400)
    held = [n for n, out in before.items() if out]
    assert sum(not after[n] for n in held) <= len(held) * 0.06
