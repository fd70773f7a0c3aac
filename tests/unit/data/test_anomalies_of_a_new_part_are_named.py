"""A new part is held against what was seen of the ones before; each difference has its name."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evergreen.data.anomalies import least_difference, too_many_beyond
from evergreen.data.ingestion import IngestedPart
from evergreen.data.observations import Observed, ObservedColumn, together
from tests.unit.data.uploads import Uploader, numbered

COLOURS = ("red", "green", "blue")


def table(rows: int, *, start: int = 0, line: str = "{i},{x},{c}") -> str:
    """`id` is a key, `x` goes from 0 to 99, `c` has three categories."""
    return "id,x,c\n" + "".join(
        line.format(i=i, x=i % 100, c=COLOURS[i % 3]) + "\n" for i in range(start, start + rows)
    )


def named(part: IngestedPart) -> dict[tuple[str, str | None], str]:
    return {(each.code, each.column): each.message for each in part.anomalies}


def test_a_part_like_the_ones_before_has_no_anomaly(uploader: Uploader) -> None:
    assert named(uploader.take_after(table(300), table(300, start=300))) == {}


def test_new_and_missing_columns(uploader: Uploader) -> None:
    part = uploader.take_after(table(50), "id,c,extra\n1,red,1\n2,red,2\n")
    assert set(named(part)) == {("missing_column", "x"), ("new_column", "extra")}


def test_a_wider_type(uploader: Uploader) -> None:
    part = uploader.take_after(table(50), "id,x,c\n51,1.5,red\n52,2.5,red\n")
    assert named(part) == {("type_change", "x"): "column 'x' is number here and was integer so far"}


def test_a_null_rate_that_chance_does_not_explain(uploader: Uploader) -> None:
    gaps = "".join(f"{i},{'' if i % 4 else i % 100},red\n" for i in range(300, 600))
    part = uploader.take_after(table(300), "id,x,c\n" + gaps)
    assert named(part) == {
        ("null_rate", "x"): "column 'x' is missing in 75.0% of the rows; so far in 0.0%"
    }


def test_one_gap_in_a_small_part_is_no_anomaly(uploader: Uploader) -> None:
    assert named(uploader.take_after(table(300), "id,x,c\n300,,red\n301,5,red\n")) == {}


def test_one_value_far_out_of_range(uploader: Uploader) -> None:
    part = uploader.take_after(table(300), table(300, start=300) + "600,5000,red\n")
    assert named(part) == {
        ("out_of_range", "x"): "column 'x' has 1 value(s) out of range: "
        "0 to 5000 here, 0 to 99 so far"
    }


def test_a_record_by_little_is_no_anomaly(uploader: Uploader) -> None:
    assert named(uploader.take_after(table(300), table(300, start=300) + "600,101,red\n")) == {}


def test_many_values_beyond_by_little_are_out_of_range(uploader: Uploader) -> None:
    shifted = "".join(f"{i},{30 + i % 100},red\n" for i in range(300, 600))
    assert set(named(uploader.take_after(table(300), "id,x,c\n" + shifted))) == {
        ("out_of_range", "x")
    }


def test_new_categories_are_counted_and_shown(uploader: Uploader) -> None:
    part = uploader.take_after(
        table(300), table(9, start=300) + "360,1,mauve\n361,1,mauve\n362,1,teal\n"
    )
    assert named(part) == {
        ("new_category", "c"): "column 'c' has new categories: 'mauve' (2), 'teal' (1)"
    }


def test_a_key_by_observation_that_repeats(uploader: Uploader) -> None:
    part = uploader.take_after(table(300), table(300, start=300) + "300,1,red\n")
    assert named(part) == {("duplicate_key", "id"): "1 row(s) repeat the key 'id' of another row"}


def test_a_declared_key_of_two_columns_that_repeats(uploader: Uploader) -> None:
    part = uploader.take(
        "a,b,v\n1,1,1\n1,2,1\n1,2,2\n1,2,3\n2,,1\n2,,2\n", declared={"key": ["a", "b"]}
    )
    assert named(part) == {("duplicate_key", "a"): "2 row(s) repeat the key 'a, b' of another row"}


def test_keys_may_grow_and_time_may_go_on(uploader: Uploader) -> None:
    def days(first: int, count: int) -> str:
        start = date(2024, 1, 1)
        return "id,day\n" + "".join(
            f"{i},{start + timedelta(days=i)}\n" for i in range(first, first + count)
        )

    assert named(uploader.take_after(days(0, 100), days(100, 100))) == {}
    late = days(100, 20) + "130,2204-01-01\n"
    assert set(named(uploader.take_after(days(0, 100), late))) == {("out_of_range", "day")}


def test_ragged_rows(uploader: Uploader) -> None:
    part = uploader.take("id,x,c\n" + numbered(100) + "1,2\n1,2,3,4\n")
    assert named(part) == {
        ("ragged_row", None): "2 row(s) have fewer or more values than the header's 3"
    }


def test_anomalies_are_among_the_warnings(uploader: Uploader) -> None:
    part = uploader.take_after(table(50), "id,x,c\n50,1,mauve\n")
    assert part.warnings == tuple(named(part).values())


def test_what_was_seen_of_parts_adds_up(uploader: Uploader) -> None:
    one, other = uploader.take(table(30)).observed, uploader.take(table(300, start=30)).observed
    whole = uploader.take(table(330)).observed
    both = together([one, other])
    assert both
    assert both.rows == whole.rows
    for ours, theirs in zip(both.columns, whole.columns, strict=True):
        same = ("name", "type", "count", "nulls", "minimum", "maximum", "categories", "unique")
        assert [getattr(ours, name) for name in same] == [getattr(theirs, name) for name in same]
    assert Observed.from_plain(both.to_plain()) == both


def test_a_column_without_values_takes_the_type_of_the_other_part() -> None:
    empty, full = (
        Observed(3, (ObservedColumn("a", kind, count, 3 - count, count, *ends),))  # type: ignore[arg-type]
        for kind, count, ends in (("text", 0, ()), ("integer", 3, (1, 3)))
    )
    for order in ([empty, full], [full, empty]):
        both = together(order)
        assert both
        column = both.columns[0]
        assert (column.type, column.count, column.nulls) == ("integer", 3, 3)


COUNTS = st.integers(0, 500).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of)))


@given(here=COUNTS, before=COUNTS, rate=st.floats(1e-6, 0.1))
def test_the_least_difference_is_a_difference_and_symmetric(
    here: tuple[int, int], before: tuple[int, int], rate: float
) -> None:
    least = least_difference(*here, *before, rate)
    assert 0 <= least <= 1
    assert least == least_difference(*before, *here, rate)


@pytest.mark.parametrize("beyond", [0, 3, 10])
def test_chance_puts_a_few_values_beyond(beyond: int) -> None:
    # 100 new after 100 old: each of the greatest is new with a probability of one half.
    assert not too_many_beyond(beyond, 100, 100, 0.001)


@pytest.mark.parametrize("beyond", [11, 30])
def test_chance_does_not_put_many_values_beyond(beyond: int) -> None:
    assert too_many_beyond(beyond, 100, 100, 0.001)
