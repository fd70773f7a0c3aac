"""Columns get a kind by their type; what cannot be learned from is ignored with its reason."""

import re

from evergreen.features.signature import Kind
from tests.unit.features.workshop import Workshop, hundred, names, reasons


def test_kinds_follow_the_types(workshop: Workshop) -> None:
    made = workshop.prepare(
        hundred(
            "i % 7 AS whole, i / 7 AS real, i % 3 = 0 AS flag, 'c' || (i % 4) AS word, "
            "DATE '2020-01-01' + i::INTEGER AS day, TIMESTAMP '2020-01-01' + INTERVAL (i) HOUR AS t"
        )
    )
    kinds = {column.name: column.kind for column in made.training_set.signature.columns}
    assert kinds == {
        "whole": Kind.NUMBER,
        "real": Kind.NUMBER,
        "flag": Kind.NUMBER,
        "word": Kind.CATEGORY,
        "day": Kind.MOMENT,
        "t": Kind.MOMENT,
    }


def test_what_cannot_be_learned_from_is_ignored_with_its_reason(workshop: Workshop) -> None:
    made = workshop.prepare(
        hundred(
            "i % 7 AS x, i + 1 AS id, 'n' || i AS name, 5 AS five, 'a' AS same, "
            "NULL::DOUBLE AS gap, NULL::VARCHAR AS blank, DATE '2020-01-01' AS day, "
            "'g' || (i % 9) AS who"
        ),
        {"derive": {"span": "to_days(x)"}},
        group="who",
    )
    assert names(made) == ("x",)
    assert reasons(made) == {
        "id": "merely numbers the rows",
        "name": "identifier or name: 100 different values in 100 training rows",
        "five": "is always 5 in the training rows",
        "same": "is always 'a' in the training rows",
        "gap": "has no values",
        "blank": "has no values",
        "day": "is always the same in the training rows",
        "span": "INTERVAL values cannot be learned from",
        "who": "names the group of a row",
    }


def test_a_row_number_is_known_in_parts_of_any_order(workshop: Workshop) -> None:
    rows = "SELECT {id} AS id, i % 7 AS x, i % 2 = 0 AS y FROM range(100) r(i)"
    made = workshop.prepare([rows.replace("{id}", "i + 100"), rows.replace("{id}", "i")])
    assert reasons(made) == {"id": "merely numbers the rows"}


def test_a_number_that_merely_differs_is_kept(workshop: Workshop) -> None:
    made = workshop.prepare(hundred("(i * 37) % 100 AS mixed, i * 2 AS even, i + 1900 AS year"))
    assert names(made) == ("mixed", "even", "year")


def test_a_value_or_nothing_tells_something_and_is_kept(workshop: Workshop) -> None:
    made = workshop.prepare(
        hundred(
            "CASE WHEN i % 3 = 0 THEN 1 END AS n, CASE WHEN i % 3 = 0 THEN 'a' END AS c, i / 2 AS x"
        )
    )
    assert names(made) == ("n", "c", "x")


def test_categories_and_ranges_are_those_of_the_training_rows(workshop: Workshop) -> None:
    made = workshop.prepare(
        hundred("i AS t, i / 10 AS x, CASE WHEN i < 80 THEN 'c' || (i % 3) ELSE 'new' END AS c"),
        time="t",
    )
    columns = {column.name: column for column in made.training_set.signature.columns}
    assert columns["c"].categories == ("c0", "c1", "c2")
    assert (columns["x"].minimum, columns["x"].maximum) == (0.0, 7.9)
    assert set(made.training_set.rows.categories[80:, 0]) == {"new"}


def test_a_column_that_only_the_holdout_knows_is_ignored(workshop: Workshop) -> None:
    made = workshop.prepare(
        hundred("i AS t, i % 7 AS x, CASE WHEN i > 90 THEN i END AS late"), time="t"
    )
    assert reasons(made)["late"] == "has no values in the training rows"


def test_no_column_left_is_refused_with_all_reasons(workshop: Workshop) -> None:
    error = workshop.refused(hundred("i AS id, 'x' AS same"))
    assert str(error) == (
        "no column is left to learn from: 'id' merely numbers the rows; "
        "'same' is always 'x' in the training rows"
    )


def test_parts_with_other_columns_are_one_dataset(workshop: Workshop) -> None:
    made = workshop.prepare(
        [hundred("i % 7 AS x", 60), hundred("i % 5 + 0.5 AS x, i % 3 AS extra", 40)]
    )
    assert made.rows == 100
    assert [extra for (extra,) in workshop.written("extra")][:60] == [None] * 60


def test_parts_that_disagree_are_refused_by_column(workshop: Workshop) -> None:
    error = workshop.refused([hundred("i AS x"), hundred("'a' || i AS x")])
    assert error.column == "x"
    assert str(error).startswith("dataset 'rows': column 'x' is integer in one part and text")


def test_the_same_inputs_give_the_same_training_set(workshop: Workshop) -> None:
    rows = hundred("i % 7 AS x, 'c' || (i % 4) AS c, DATE '2020-01-01' + i::INTEGER AS day")
    first, again = (workshop.prepare(rows) for _ in range(2))
    assert first.training_set.to_bytes() == again.training_set.to_bytes()
    assert (first.notes, first.split) == (again.notes, again.split)


def test_columns_may_have_any_name(workshop: Workshop) -> None:
    odd = ["v", "c0", "place", "rows", "class", "row", "n", 'a "b"', "ünïcödé", "select", "holdout"]
    columns = ", ".join(
        f"""CASE WHEN i % 9 > 0 THEN 'c' || (i % {k + 2}) END AS "{name.replace('"', '""')}\""""
        for k, name in enumerate(odd)
    )
    made = workshop.prepare(hundred(columns))
    assert names(made) == tuple(odd)
    assert len(workshop.written('"evergreen.holdout"')) == 100


def test_a_number_that_counts_is_kept_unless_its_name_says_that_it_numbers(
    workshop: Workshop,
) -> None:
    made = workshop.prepare(hundred("i AS x, i AS paid, i AS instant, i AS id, i AS PassengerId"))
    assert names(made) == ("x", "paid", "instant")


def test_the_notes_say_which_columns_are_not_learned_from_and_why(workshop: Workshop) -> None:
    made = workshop.prepare(hundred("i % 7 AS v, 'K' || i AS name, 1 AS one"), time=False)
    (note,) = [note for note in made.notes if note.startswith("not learned from: ")]
    assert re.search(
        r"'name' \(identifier or name: (\d+) different values in \1 training rows\)", note
    )
    assert "'one' (is always 1" in note
    many = ", ".join(f"1 AS c{place}" for place in range(12))
    made = workshop.prepare(hundred(f"i % 7 AS v, {many}"), time=False)
    (note,) = [note for note in made.notes if note.startswith("not learned from: ")]
    assert note.endswith(" and 2 more")
