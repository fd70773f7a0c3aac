"""Each declared step does what it says, and a step that cannot says which, where and why."""

from pathlib import Path

import pytest

from evergreen.features import workbench
from evergreen.features.preparation import JoinReport, PreparationRefusedError
from tests.unit.features.workshop import Workshop, hundred, names

ROWS = hundred("i AS n, i % 5 AS k, (i * 7) % 10 AS v")


def test_a_join_adds_columns_and_never_multiplies_rows(workshop: Workshop) -> None:
    made = workshop.prepare(
        ROWS,
        {"join": {"dataset": "shop", "on": {"k": "id"}, "columns": ["size"]}},
        references={
            "shop": "SELECT * FROM (VALUES (0, 10, 'a'), (1, 11, 'b'), (0, 99, 'c'), (2, 12, 'd'), "
            "(NULL, 7, 'e'), (NULL, 8, 'f')) t(id, size, other)"
        },
    )
    assert made.rows == 100
    assert made.joins == (JoinReport("shop", 60, 40, 1, step=1),)
    assert workshop.written("k, size")[:5] == [(0, 10), (1, 11), (2, 12), (3, None), (4, None)]


def test_the_first_of_equal_keys_is_the_first_in_the_file(workshop: Workshop) -> None:
    shop = "SELECT 1 AS k, i::BIGINT AS size FROM range(1000, 0, -1) r(i)"
    workshop.prepare(ROWS, {"join": {"dataset": "shop", "on": ["k"]}}, references={"shop": shop})
    assert workshop.written("DISTINCT size") != [(None,)]
    assert {size for k, size in workshop.written("k, size") if k == 1} == {1000}


def test_a_name_that_is_taken_gets_the_datasets_name_and_that_is_said(workshop: Workshop) -> None:
    made = workshop.prepare(
        ROWS,
        {"join": {"dataset": "shop", "on": {"k": "id"}}},
        references={"shop": "SELECT i AS id, i * 2 AS V, i + 1 AS w FROM range(5) r(i)"},
    )
    assert names(made) == ("n", "k", "v", "shop_V", "w")
    assert "step 1 (join): 'V' of dataset 'shop' is called 'shop_V'" in made.notes


def test_a_prefix_stands_before_joined_names(workshop: Workshop) -> None:
    made = workshop.prepare(
        ROWS,
        {"join": {"dataset": "shop", "on": {"k": "id"}, "prefix": "shop."}},
        references={"shop": "SELECT i AS id, i * 2 AS v FROM range(5) r(i)"},
    )
    assert names(made) == ("n", "k", "v", "shop.v")


def test_whole_and_real_keys_match_and_so_do_days_and_times(workshop: Workshop) -> None:
    made = workshop.prepare(
        hundred("DATE '2020-01-01' + (i % 5)::INTEGER AS day, i % 3 AS k, i % 7 AS v"),
        {"join": {"dataset": "shop", "on": ["day", "k"]}},
        references={
            "shop": "SELECT TIMESTAMP '2020-01-01' AS day, k::DOUBLE AS k, k + 1 AS size "
            "FROM range(3) r(k)"
        },
    )
    assert made.joins[0].matched == 20


def test_a_missing_key_matches_nothing(workshop: Workshop) -> None:
    made = workshop.prepare(
        hundred("CASE WHEN i % 2 = 0 THEN 'a' END AS k, i % 7 AS v"),
        {"join": {"dataset": "shop", "on": ["k"]}},
        references={"shop": "SELECT * FROM (VALUES ('a', 1), (NULL, 2)) t(k, size)"},
    )
    assert made.joins[0] == JoinReport("shop", 50, 50, 0, step=1, without_key=50)
    assert set(workshop.written("k, size")) == {("a", 1), (None, None)}


def test_derived_columns_are_computed_one_after_the_other(workshop: Workshop) -> None:
    workshop.prepare(ROWS, {"derive": {"a": "n + 1", "b": "a * 2", "v": "v % 3  -- again"}})
    assert workshop.written("a, b, v")[4] == (5, 10, 2)


def test_a_filter_keeps_what_is_true(workshop: Workshop) -> None:
    made = workshop.prepare(ROWS, {"filter": "CASE WHEN n < 10 THEN NULL ELSE n < 60 END"})
    assert made.rows == 50
    assert "step 1 (filter): 50 of 100 rows are left out" in made.notes


def test_columns_are_dropped_and_kept(workshop: Workshop) -> None:
    assert names(workshop.prepare(ROWS, {"drop": ["n", "v"]})) == ("k",)
    assert names(workshop.prepare(ROWS, {"keep": ["v"]})) == ("v",)


def test_keeping_keeps_target_time_and_group(workshop: Workshop) -> None:
    workshop.prepare(ROWS, {"keep": ["v"]}, time="n", group="k")
    assert workshop.written("* EXCLUDE holdout")[3] == (3, 3, 1, False)


@pytest.mark.parametrize(("keys", "left"), [(["v", "k"], 20), ("rows", 40)])
def test_duplicates_leave_their_first_row(
    workshop: Workshop, keys: list[str] | str, left: int
) -> None:
    rows = hundred("i % 20 AS v, i % 5 AS k, (i // 20) % 2 AS part")
    made = workshop.prepare(rows, {"deduplicate": keys})
    assert made.rows == left
    assert [row[0] for row in workshop.written("v")][:20] == list(range(20))


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ({"drop": ["nn"]}, "step 1 (drop): column 'nn' is not there; did you mean 'n'?"),
        ({"keep": ["w"]}, "step 1 (keep): column 'w' is not there"),
        ({"deduplicate": ["w"]}, "step 1 (deduplicate): column 'w' is not there"),
        ({"filter": "nope > 1"}, "step 1 (filter): 'nope > 1': there is no column 'nope' here"),
        ({"derive": {"a": "n +"}}, "step 1 (derive): 'n +' is not one SQL expression"),
        ({"derive": {"a": "sum(n)"}}, "step 1 (derive): 'sum(n)'"),
        ({"filter": "n < 0"}, "step 1 (filter): no row is left after it"),
        (
            {"join": {"dataset": "shop", "on": ["id"]}},
            "step 1 (join): column 'id' is not among the rows' columns",
        ),
        (
            {"join": {"dataset": "shop", "on": {"k": "idd"}}},
            "step 1 (join): column 'idd' is not in dataset 'shop'; did you mean 'id'?",
        ),
        (
            {"join": {"dataset": "shop", "on": {"k": "id"}, "columns": ["sise"]}},
            "step 1 (join): column 'sise' is not in dataset 'shop'; did you mean 'size'?",
        ),
        (
            {"join": {"dataset": "shop", "on": {"k": "size"}}},
            "step 1 (join): column 'k' is a number and 'size' of dataset 'shop' is text",
        ),
    ],
)
def test_a_step_that_cannot_be_done_says_why(
    workshop: Workshop, step: dict[str, object], said: str
) -> None:
    error = workshop.refused(ROWS, step, references={"shop": "SELECT 1 AS id, 'XL' AS size"})
    assert str(error).startswith(said)
    assert error.step == 1


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ({"derive": {"a": "name * 2"}}, "('name' is VARCHAR)"),
        ({"filter": "v + name > NAME"}, "('v' is BIGINT, 'name' is VARCHAR)"),
        ({"derive": {"a": "sum(v)"}}, "a statistic over rows takes OVER (…)"),
        ({"derive": {"a": 'name = "K1"'}}, "(a text stands between single quotes: 'K1')"),
        ({"derive": {"a": "total price * 2"}}, "names with spaces or signs in them stand between"),
        ({"derive": {"Name": "v"}}, "there is a column 'Name' already; choose another name"),
        ({"derive": {"a": "unnest([v, v + 1])"}}, "unnest() makes several rows of one"),
        ({"derive": {"a": "1 + UNLIST([v])"}}, "unlist() makes several rows of one"),
        ({"derive": {"a": "generate_subscripts([v], 1)"}}, "makes several rows of one"),
    ],
)
def test_usual_slips_in_expressions_get_a_hint(
    workshop: Workshop, step: dict[str, object], said: str
) -> None:
    error = workshop.refused(hundred("i AS v, 'K' || i % 3 AS name"), step)
    assert said in str(error)


def test_an_error_in_a_value_names_step_column_and_value(workshop: Workshop) -> None:
    error = workshop.refused(
        hundred("CASE WHEN i = 77 THEN 'many' ELSE i::VARCHAR END AS t, i % 7 AS v"),
        {"filter": "v >= 0"},
        {"derive": {"fine": "v + 1", "count": "t::INTEGER"}},
    )
    assert (error.step, error.kind, error.column, error.value) == (2, "derive", "count", "many")


@pytest.mark.parametrize(
    "expression",
    [
        "(SELECT max(n) FROM rows)",
        "n IN (SELECT 1)",
        "random() > 0.5",
        "n > 1) UNION SELECT * FROM (VALUES (1)",
        "n > 1; DROP TABLE rows",
        "now() > TIMESTAMP '2020-01-01'",
        "n, k",
        "",
    ],
)
def test_an_expression_is_one_and_the_same_every_time(workshop: Workshop, expression: str) -> None:
    assert workshop.refused(ROWS, {"filter": expression}).step == 1


def test_an_expression_reads_no_file(workshop: Workshop, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    for expression in (
        f"(SELECT content FROM read_text('{secret}'))",
        f"len(read_text('{secret}'))",
        f"list_transform([1], x -> (SELECT count(*) FROM '{secret}'))",
    ):
        error = workshop.refused(ROWS, {"derive": {"a": expression}})
        assert error.step == 1
        assert any(
            said in error.problem for said in ("reads a table", "is a table function", "one SQL")
        )


def test_a_dataset_that_is_not_there_is_refused(workshop: Workshop) -> None:
    error = workshop.refused(ROWS, {"join": {"dataset": "shop", "on": ["k"]}})
    assert str(error) == "dataset 'shop' has no data; upload it first"


def test_a_step_that_never_ends_is_ended_and_named(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbench, "STEPS_SECONDS", 0.5)
    endless = "WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t) SELECT n FROM t"
    with pytest.raises(PreparationRefusedError) as refused:
        workshop.prepare("SELECT 1 AS y FROM range(9)", {"sql": {"query": endless}})
    assert (refused.value.step, refused.value.kind) == (1, "sql")
    assert "seconds that all steps have are over" in str(refused.value)
