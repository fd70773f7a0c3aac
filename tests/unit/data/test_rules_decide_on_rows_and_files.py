"""Declared rules refuse files, put rows into quarantine, or warn; waivers suspend them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evergreen.data.engine import parquet
from evergreen.data.rules import Rule
from evergreen.data.sieve import tally
from tests.unit.data.uploads import Uploader, write_parquet

HEADER = "id,age,mail,day\n"
GOOD = HEADER + "".join(f"{i},{20 + i % 50},a{i}@b.org,2026-01-0{1 + i % 9}\n" for i in range(60))


def with_rows(*rows: str) -> str:
    return GOOD + "".join(row + "\n" for row in rows)


def rule(**given: Any) -> dict[str, Any]:
    return {"constraints": [given]}


ROW_RULES = [
    pytest.param({"not_null": "age"}, "60,,a@b.org,2026-01-01", "not_null", "is missing"),
    pytest.param(
        {"column": "age", "range": [0, 120]},
        "60,130,a@b.org,2026-01-01",
        "range",
        "'130' is not within 0 to 120",
    ),
    pytest.param(
        {"column": "day", "range": ["2026-01-01", None]},
        "60,30,a@b.org,2025-12-31",
        "range",
        "'2025-12-31' is not at least 2026-01-01",
    ),
    pytest.param(
        {"column": "id", "in": list(range(60))},
        "60,30,a@b.org,2026-01-01",
        "in",
        "'60' is none of 0, 1, 2, 3, 4 and 55 more",
    ),
    pytest.param(
        {"column": "mail", "matches": "[^@]+@[^@]+"},
        "60,30,nobody,2026-01-01",
        "matches",
        "'nobody' does not match [^@]+@[^@]+",
    ),
    pytest.param(
        {"column": "mail", "length": [None, 12]},
        "60,30,somebody@else.org,2026-01-01",
        "length",
        "'somebody@else.org' is not at most 12 characters long",
    ),
    pytest.param(
        {"row": "age > 20 OR id < 60"},
        "60,20,a@b.org,2026-01-01",
        "row",
        "does not hold: age > 20 OR id < 60",
    ),
    pytest.param(
        {"unique": ["id"]}, "7,30,a@b.org,2026-01-01", "unique", "it repeats the key 'id'"
    ),
]


@pytest.mark.parametrize(("kind", "row", "code", "said"), ROW_RULES)
def test_a_row_that_breaks_a_rule_goes_to_the_quarantine(
    uploader: Uploader, kind: dict[str, Any], row: str, code: str, said: str
) -> None:
    part = uploader.take(with_rows(row), declared=rule(**kind))
    assert (part.rows, part.quarantined_rows) == (60, 1)
    ((line, raw, (reason,)),) = uploader.bad_rows()
    assert (line, raw, reason["code"]) == (62, row, code)
    assert said in reason["message"]


@pytest.mark.parametrize(("kind", "row", "code", "said"), ROW_RULES)
def test_a_rule_can_refuse_the_file_and_shows_the_row(
    uploader: Uploader, kind: dict[str, Any], row: str, code: str, said: str
) -> None:
    reasons = uploader.refused(with_rows(row), declared=rule(**kind, severity="refuse"))
    assert {reason.code for reason in reasons} == {code}
    assert reasons[-1].line == 62
    assert said in reasons[-1].message


@pytest.mark.parametrize(("kind", "row", "code", "said"), ROW_RULES)
def test_a_rule_can_only_warn(
    uploader: Uploader, kind: dict[str, Any], row: str, code: str, said: str
) -> None:
    part = uploader.take(with_rows(row), declared=rule(**kind, severity="warn"))
    assert (part.rows, part.quarantined_rows) == (61, 0)
    assert [(each.code, each.severity) for each in part.anomalies] == [(code, "warn")]


@pytest.mark.parametrize(("kind", "row", "code", "said"), ROW_RULES)
def test_a_rule_that_holds_says_nothing(
    uploader: Uploader, kind: dict[str, Any], row: str, code: str, said: str
) -> None:
    part = uploader.take(GOOD, declared=rule(**kind))
    assert (part.rows, part.quarantined_rows, part.warnings) == (60, 0, ())


def test_missing_values_break_not_null_only(uploader: Uploader) -> None:
    kinds = [
        {"column": "age", "range": [0, 9]},
        {"column": "age", "in": [1]},
        {"column": "age", "matches": "x"},
        {"column": "age", "length": [9, 9]},
        {"row": "age > 100"},
        {"unique": "age"},
    ]
    declared = {
        "constraints": kinds,
        "most_bad_rows": 0,
        "columns": {"age": {"type": "integer"}},
    }
    assert uploader.take("id,age\n1,\n2,\n", declared=declared).rows == 2


def test_a_row_carries_the_reasons_of_all_rules_and_of_its_values(uploader: Uploader) -> None:
    declared = {
        "constraints": [
            {"column": "age", "range": [0, 120]},
            {"unique": "id"},
            {"column": "mail", "matches": "[^@]+@[^@]+"},
        ]
    }
    uploader.take(with_rows("5,999,nobody,31.12."), declared=declared)
    assert uploader.codes() == [(62, ["not_date", "range", "matches", "unique"])]


def test_a_value_that_cannot_be_read_is_not_missing(uploader: Uploader) -> None:
    uploader.take(with_rows("60,old,a@b.org,2026-01-01"), declared=rule(not_null="age"))
    assert uploader.codes() == [(62, ["not_integer"])]


def test_of_equal_rows_the_first_stays_and_the_line_is_that_of_the_other(
    uploader: Uploader,
) -> None:
    part = uploader.take("id,v\n1,a\n2,b\n1,a\n3,c\n4,d\n", declared=rule(unique="id"))
    assert part.rows == 4
    assert uploader.codes() == [(4, ["unique"])]


def test_a_bad_row_does_not_take_the_key_from_a_good_one(uploader: Uploader) -> None:
    declared = {"constraints": [{"unique": "id"}, {"column": "age", "range": [0, 120]}]}
    content = HEADER + "60,999,x@y.z,2026-01-01\n" + GOOD.removeprefix(HEADER)
    part = uploader.take(content + "60,30,x@y.z,2026-01-01\n", declared=declared)
    assert part.rows == 61
    assert uploader.codes() == [(2, ["range", "unique"])]


TWO_KEYS: dict[str, Any] = {"constraints": [{"unique": "a"}, {"unique": "b"}], "most_bad_rows": 1}


def test_a_row_that_is_held_back_holds_back_no_other(uploader: Uploader) -> None:
    part = uploader.take("a,b\n1,1\n2,1\n2,3\n", declared=TWO_KEYS)
    assert (part.rows, uploader.rows()) == (2, [(1, 1), (2, 3)])
    assert uploader.codes() == [(3, ["unique", "unique"])]


FEW = st.one_of(st.none(), st.integers(0, 5))


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    rows=st.lists(st.tuples(FEW, FEW, st.integers(0, 5)), min_size=6, max_size=14),
    taken=st.lists(st.tuples(FEW, FEW), max_size=2),
)
def test_of_rows_with_several_keys_those_stay_that_repeat_none_that_stays(
    uploader: Uploader,
    rows: list[tuple[int | None, int | None, int]],
    taken: list[tuple[int | None, int | None]],
) -> None:
    stays: list[tuple[int | None, int | None, int]] = [(99, 99, 1)]
    for row in rows:
        beside = [*taken, *(each[:2] for each in stays)]
        repeats = any(row[n] is not None and row[n] == other[n] for other in beside for n in (0, 1))
        if row[2] and not repeats:
            stays.append(row)
    others = [
        write_parquet(
            uploader.directory / "other.parquet",
            "SELECT a::BIGINT AS a, b::BIGINT AS b FROM (VALUES (NULL, NULL)"
            + "".join(
                f", ({'NULL' if a is None else a}, {'NULL' if b is None else b})" for a, b in taken
            )
            + ") AS other(a, b)",
        )
    ]
    text = "".join(f"{'' if a is None else a},{'' if b is None else b},{c}\n" for a, b, c in rows)
    uploader.take(
        "a,b,c\n99,99,1\n" + text,
        declared={**TWO_KEYS, "constraints": [*TWO_KEYS["constraints"], {"row": "c > 0"}]},
        others=others,
    )
    assert uploader.rows() == stays


def test_too_many_rows_that_break_rules_refuse_the_file(uploader: Uploader) -> None:
    declared = {**rule(column="age", range=[0, 30]), "most_bad_rows": 0.1}
    reasons = uploader.refused(GOOD, declared=declared)
    assert reasons[0].code == "too_many_bad_rows"
    assert "more than 10%" in reasons[0].message


@pytest.mark.parametrize(("bounds", "said"), [([100, None], "at least 100"), ([1, 50], "1 to 50")])
def test_the_number_of_rows_is_judged(
    uploader: Uploader, bounds: list[int | None], said: str
) -> None:
    (reason,) = uploader.refused(GOOD, declared=rule(rows=bounds))
    assert reason.message == f"the file has 60 good rows; expected are {said}"


def test_a_stale_file_is_told_by_its_newest_time(uploader: Uploader) -> None:
    # It is uploaded on 2026-01-10 at 12:00; the newest day ends on 2026-01-10 at 00:00.
    fresh, stale = (rule(column="day", freshness=wait) for wait in ("13:00:00", "11:00:00"))
    assert uploader.take(GOOD, declared=fresh).warnings == ()
    (reason,) = uploader.refused(GOOD, declared=stale)
    assert (reason.code, reason.column) == ("freshness", "day")
    assert "the newest 'day' is 2026-01-09, more than 11:00:00 before 2026-01-10" in reason.message


UNCHECKABLE = [
    ({"column": "agee", "range": [0, 1]}, "did you mean 'age'?"),
    ({"column": "mail", "range": [0, 1]}, "column 'mail' is text, and '0' is none"),
    ({"column": "day", "range": ["soon", None]}, "'soon' is no ISO date"),
    ({"column": "mail", "matches": "("}, "missing )"),
    ({"row": "agee > 1"}, "agee"),
    ({"row": "age > 1; DROP TABLE x"}, "is not one SQL expression"),
    ({"row": "age IN (SELECT 1)"}, "reads a table of its own"),
    ({"row": "random() > 2"}, "answers differently each time"),
    ({"row": "current_date > DATE '2020-01-01'"}, "current_date, which answers differently"),
    ({"row": "CAST(mail AS INTEGER) > 1"}, "a0@b.org"),
]


@pytest.mark.parametrize(("kind", "said"), UNCHECKABLE)
def test_a_rule_that_cannot_be_checked_counts_as_broken(
    uploader: Uploader, kind: dict[str, Any], said: str
) -> None:
    (reason,) = uploader.refused(GOOD, declared=rule(**kind))
    assert "cannot be checked" in reason.message
    assert said in reason.message
    part = uploader.take(GOOD, declared=rule(**kind, severity="warn"))
    assert part.rows == 60
    assert "cannot be checked" in part.warnings[0]


UNCHECKABLE_COLUMNS = [
    ({"columns": {"mail": {"range": [0, 1]}}}, "out_of_range", "column 'mail' is text, and '0' is"),
    ({"columns": {"age": {"categories": ["old", "young"]}}}, "new_category", "none of old, young"),
    ({"columns": {"day": {"categories": ["soon"]}}}, "new_category", "'day' is date, and none of"),
    ({"key": ["id", "maill"]}, "duplicate_key", "did you mean 'mail'?"),
]


@pytest.mark.parametrize(("declared", "code", "said"), UNCHECKABLE_COLUMNS)
def test_what_is_declared_of_columns_and_cannot_be_checked_counts_as_broken(
    uploader: Uploader, declared: dict[str, Any], code: str, said: str
) -> None:
    part = uploader.take(GOOD, declared=declared)
    assert part.rows == 60
    assert [each.code for each in part.anomalies] == [code]
    assert "cannot be checked" in part.warnings[0]
    assert said in part.warnings[0]
    for severity in ("refuse", "quarantine"):
        (reason,) = uploader.refused(GOOD, declared={**declared, "anomalies": {code: severity}})
        assert (reason.code, said in reason.message) == (code, True)


def test_of_values_to_choose_from_those_count_that_the_column_can_hold(uploader: Uploader) -> None:
    declared = {
        "columns": {"age": {"categories": [*range(20, 60), "unknown"]}},
        "anomalies": {"new_category": "quarantine"},
    }
    part = uploader.take(GOOD, declared=declared)
    assert (part.rows, part.quarantined_rows) == (50, 10)
    assert {row["code"] for _, _, why in uploader.bad_rows() for row in why} == {"new_category"}


@pytest.mark.parametrize(
    "declared",
    [
        {"constraints": [{"column": "age", "range": [0, 9]}, {"column": "age", "in": [1, 2]}]},
        {"columns": {"age": {"range": [0, 9], "categories": [1, 2]}}},
    ],
)
def test_a_column_without_values_breaks_no_rule_about_them(
    uploader: Uploader, declared: dict[str, Any]
) -> None:
    part = uploader.take("id,age\n1,\n2,\n", declared=declared)
    assert (part.rows, part.anomalies) == (2, ())


WAIVER = {"constraint": "range:age", "author": "ada", "reason": "old people", "until": "2026-01-10"}


@pytest.mark.parametrize("severity", ["refuse", "quarantine"])
def test_a_waived_rule_is_said_and_does_not_hold(uploader: Uploader, severity: str) -> None:
    declared = rule(column="age", range=[0, 60], severity=severity) | {"waivers": [WAIVER]}
    part = uploader.take(GOOD, declared=declared)
    assert (part.rows, part.quarantined_rows) == (60, 0)
    (warning,) = part.warnings
    assert warning == (
        "column 'age': in 9 row(s) the value is not within 0 to 60 "
        "(waived by ada until 2026-01-10: old people)"
    )


def test_a_waiver_that_ended_no_longer_holds_and_that_is_said(uploader: Uploader) -> None:
    declared = rule(column="age", range=[0, 60]) | {"waivers": [{**WAIVER, "until": "2026-01-09"}]}
    part = uploader.take(GOOD, declared=declared)
    assert part.quarantined_rows == 9
    assert part.warnings[0] == (
        "the waiver of 'range:age' by ada ended on 2026-01-09: the rule holds again"
    )


def test_anomalies_have_severities_by_name(uploader: Uploader) -> None:
    first = "c,x\n" + "".join(f"{'ab'[i % 2]},{i}\n" for i in range(60))
    late = first + "z,1\n"
    part = uploader.take_after(first, late, declared={"anomalies": {"new_category": "quarantine"}})
    assert (part.rows, part.quarantined_rows) == (60, 1)
    assert uploader.codes() == [(62, ["new_category"])]
    before = uploader.take(first)
    reasons = uploader.refused(
        late,
        known=before.schema,
        before=before.observed,
        declared={"anomalies": {"new_category": "refuse"}},
    )
    assert reasons[0].code == "new_category"


def test_a_missing_column_can_refuse_the_file(uploader: Uploader) -> None:
    declared = {"columns": {"gone": {}}, "anomalies": {"missing_column": "refuse"}}
    (reason,) = uploader.refused(GOOD, declared=declared)
    assert (reason.code, reason.column) == ("missing_column", "gone")


def test_ragged_rows_can_refuse_the_file(uploader: Uploader) -> None:
    reasons = uploader.refused(with_rows("1,2"), declared={"anomalies": {"ragged_row": "refuse"}})
    assert [reason.code for reason in reasons] == ["ragged_row", "too_few_values"]


def test_declared_ranges_categories_and_gaps_take_the_place_of_observed_ones(
    uploader: Uploader,
) -> None:
    declared = {
        "columns": {
            "id": {"range": [0, 58]},
            "mail": {"categories": ["a1@b.org"]},
            "age": {"most_missing": 0},
        }
    }
    part = uploader.take(with_rows("60,,a1@b.org,2026-01-01"), declared=declared)
    assert part.rows == 61
    assert {(each.code, each.column) for each in part.anomalies} == {
        ("out_of_range", "id"),
        ("new_category", "mail"),
        ("null_rate", "age"),
    }


AGES = st.lists(
    st.one_of(st.integers(-50, 200).map(str), st.sampled_from(["", "NA", "old"])),
    min_size=1,
    max_size=40,
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(ages=AGES, keys=st.lists(st.integers(0, 20), min_size=40, max_size=40))
def test_good_and_bad_rows_are_all_rows_whatever_is_required(
    uploader: Uploader, ages: list[str], keys: list[int]
) -> None:
    content = "id,age\n" + "".join(f"{k},{a}\n" for k, a in zip(keys, ages, strict=False))
    declared = {
        "columns": {"age": {"type": "integer"}},
        "anomalies": {"type_change": "warn"},
        "most_bad_rows": 1,
        "constraints": [
            {"not_null": "age"},
            {"column": "age", "range": [0, 120]},
            {"unique": "id"},
            {"row": "age <> 7 OR id > 3"},
        ],
    }
    if sum(age == "old" for age in ages) > 0.2 * sum(age not in ("", "NA") for age in ages):
        return  # its type has changed: the file is refused
    part = uploader.take(content, declared=declared)
    assert part.rows + part.quarantined_rows == len(ages)
    good = uploader.rows()
    assert len(good) == part.rows
    assert len(uploader.bad_rows() if part.quarantined_rows else []) == part.quarantined_rows
    expected = {}
    for key, age in zip(keys, ages, strict=False):
        fits = age not in ("", "NA", "old") and 0 <= int(age) <= 120 and (int(age) != 7 or key > 3)
        if fits:
            expected.setdefault(key, int(age))
    assert dict(good) == expected


def test_a_large_file_that_was_read_at_once_is_read_again_where_rules_are_broken(
    uploader: Uploader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evergreen.data.expectation.SMALLEST", 0)
    declared = {"constraints": [{"row": "age < 100"}, {"unique": "id"}]}
    content = with_rows("60,130,a@b.org,2026-01-01", "1,2,3", "7,30,a@b.org,2026-01-01")
    part = uploader.take(content, declared=declared)
    assert (part.rows, part.quarantined_rows) == (60, 3)
    assert uploader.codes() == [(62, ["row"]), (63, ["too_few_values"]), (64, ["unique"])]
    assert uploader.take(GOOD, declared=declared).rows == 60


def test_a_rule_holds_too_in_files_that_were_joined(uploader: Uploader) -> None:
    part = uploader.take(
        GOOD + with_rows("60,130,a@b.org,2026-01-01"), declared=rule(row="age < 90")
    )
    assert (part.rows, part.quarantined_rows) == (120, 2)
    assert uploader.codes() == [(62, ["repeated_header"]), (123, ["row"])]


def test_no_rows_break_no_rule(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "none.parquet", "SELECT 1 AS age WHERE false")
    asked = Rule("old", "range", "quarantine", "age", "age > 120", "age", "is too old")
    with duckdb.connect() as connection:
        assert tally(connection, parquet([path]), [asked]) == (0,)
