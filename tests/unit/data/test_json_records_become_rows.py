"""Arrays of records and JSON Lines are tables; nested objects are flattened, bad records kept."""

import json
from typing import Any

import pytest

from evergreen.data import json_records
from evergreen.data.ingestion import ingest
from evergreen.data.limits import Limits
from evergreen.data.schema import ColumnSchema, Schema
from tests.unit.data.uploads import Uploader, types

RECORDS: list[dict[str, Any]] = [
    {"name": "Zoé", "n": 1, "r": 0.5, "ok": True, "at": "2024-01-05"},
    {"name": 'x, "y"\nz', "n": None, "r": 2, "ok": False, "at": "2024-02-06"},
]


def lines(*records: Any) -> str:
    return "".join((each if isinstance(each, str) else json.dumps(each)) + "\n" for each in records)


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(RECORDS),
        json.dumps(RECORDS, indent=2),
        lines(*RECORDS),
        "\n" + lines(RECORDS[0]) + "\n\n" + lines(RECORDS[1]).rstrip(),
        json.dumps(RECORDS, ensure_ascii=False).encode("utf-16"),
        lines(*RECORDS).encode("utf-8-sig"),
    ],
)
def test_records_in_an_array_or_on_lines_are_rows(uploader: Uploader, content: str | bytes) -> None:
    part = uploader.take(content)
    assert types(part) == {
        "name": "text",
        "n": "integer",
        "r": "number",
        "ok": "boolean",
        "at": "date",
    }
    assert [row[:4] for row in uploader.rows()] == [
        ("Zoé", 1, 0.5, True),
        ('x, "y"\nz', None, 2.0, False),
    ]


def test_objects_inside_are_flattened_and_lists_stay_text(uploader: Uploader) -> None:
    part = uploader.take(lines({"a": {"b": {"c": 1}, "d": [1, {"e": "é"}]}, "f": {}}))
    assert part.schema.names == ("a.b.c", "a.d", "f")
    assert uploader.rows() == [(1, '[1, {"e": "é"}]', None)]


def test_keys_may_come_late_and_be_missing(uploader: Uploader) -> None:
    uploader.take(lines({"a": 1}, {"b": "x"}, {"a": 3, "b": "", "c": True}))
    assert uploader.rows() == [(1, None, None), (None, "x", None), (3, None, True)]


def test_a_key_is_the_same_whatever_its_case(uploader: Uploader) -> None:
    part = uploader.take(lines({"Name": 1}, {"name ": 2}))
    assert part.schema.names == ("Name",)
    assert uploader.rows() == [(1,), (2,)]


def test_texts_of_digits_stay_texts(uploader: Uploader) -> None:
    part = uploader.take(lines({"zip": "00501"}, {"zip": "10001"}))
    assert types(part) == {"zip": "text"}


def test_a_stray_text_among_numbers_is_a_bad_row_with_its_line(uploader: Uploader) -> None:
    content = lines(*({"n": i} for i in range(40)), "", {"n": "many"}, {"n": "NA"})
    part = uploader.take(content)
    assert types(part) == {"n": "integer"}
    assert (part.rows, part.quarantined_rows) == (41, 1)
    ((line, _, reasons),) = uploader.bad_rows()
    assert (line, reasons[0]["code"]) == (42, "not_integer")
    assert reasons[0]["message"].startswith("line 42, column 'n'")


@pytest.mark.parametrize(
    ("bad", "code", "said"),
    [
        ('{"n": NaN}', "not_finite", "NaN is no JSON value"),
        ('{"n": -Infinity}', "not_finite", "-Infinity is no JSON value"),
        ('{"n": 1, "n": 2}', "duplicate_key", "the key 'n' occurs twice"),
        ('{"n": 1, "N": 2}', "duplicate_key", "'N' occurs twice"),
        ('{"a": {"b": 1}, "a.b": 2}', "duplicate_key", "'a.b' occurs twice"),
        ('{"n": 1', "bad_json", "no JSON from character 8 on"),
        ('{"n": 1} {"n": 2}', "bad_json", "another value follows"),
        ("[1, 2]", "not_a_record", "is no record"),
        ("7", "not_a_record", "is no record"),
        ('{"n": 1, "s": "a\\u0000b"}', "nul_character", "'s' holds a NUL character"),
        ('{"n": 1, "s": "\\ud800"}', "undecodable", "half a character"),
        ('{"n": ' + '{"a":' * 70 + "1" + "}" * 71, "too_deep", "nested deeper than 64"),
        ('{"n": ' + "[" * 100_000 + "]" * 100_000 + "}", "too_deep", "nested deeper than 64"),
        ('{"n": [1e400]}', "out_of_range", "a number in a list"),
    ],
)
def test_a_bad_line_is_quarantined_alone(
    uploader: Uploader, bad: str, code: str, said: str
) -> None:
    part = uploader.take(lines({"n": 1}, {"n": 2}, {"n": 3}, {"n": 4}, bad, {"n": 5}))
    assert (part.rows, part.quarantined_rows) == (5, 1)
    ((line, raw, reasons),) = uploader.bad_rows()
    assert (line, [each["code"] for each in reasons]) == (5, [code])
    assert said in reasons[0]["message"]
    assert raw.startswith(bad[:100])


def test_a_bad_record_of_an_array_is_quarantined_with_its_number(uploader: Uploader) -> None:
    uploader.take('[{"n": 1}, {"n": 2}, {"n": 3}, {"n": 4}, {"n": NaN}, {"n": 6}]')
    ((line, raw, reasons),) = uploader.bad_rows()
    assert (line, raw) == (5, '{"n": NaN}')
    assert reasons[0]["message"].startswith("record 5: NaN")


@pytest.mark.parametrize(
    ("before", "after"), [(b"[", b"]"), (b'{"data": [', b"]}")], ids=["array", "below a key"]
)
def test_bytes_that_are_no_text_make_their_record_a_bad_one(
    uploader: Uploader, before: bytes, after: bytes
) -> None:
    good = [f'{{"name": "Zo\u00e9", "n": {n}}}'.encode() for n in range(30)]
    bad = b'{"name": "Zo\xe9", "n": 30}'

    part = uploader.take(before + b", ".join([*good, bad]) + after)

    assert (part.rows, uploader.codes()) == (30, [(31, ["undecodable"])])
    assert "\ufffd" not in str(uploader.rows())


@pytest.mark.parametrize("first", ["null", "true", "false", "-1", "[null]", " null "])
def test_an_array_is_known_whatever_its_first_element_is(uploader: Uploader, first: str) -> None:
    records = ", ".join(f'{{"n": {i}}}' for i in range(9))
    part = uploader.take(f"[{first}, {records}]")
    assert (part.rows, uploader.codes()) == (9, [(1, ["not_a_record"])])


@pytest.mark.parametrize("name", ["[-]", "[nullable]", "[true_label]", "[x]"])
def test_names_in_brackets_are_no_array(uploader: Uploader, name: str) -> None:
    part = uploader.take(f"{name},b\n1,2\n")
    assert part.schema.names == (name, "b")


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        ('[{"n": 1}, {"n": 2', "bad_json", "at record 2"),
        ('[{"n": 1} {"n": 2}]', "bad_json", "',' is missing"),
        ('[{"n": 1}, ]', "bad_json", "no record before ']'"),
        ('[{"n": 1}] []', "bad_json", "something follows"),
        ("[1, 2, 3]", "no_rows", "no records of a table"),
        ("[]", "no_rows", "no records of a table"),
        ("[" * 100_000, "too_deep", "record 1"),
        ('[{"a":' * 100_000, "too_deep", "record 1"),
    ],
)
def test_an_array_that_breaks_is_refused_at_its_place(
    uploader: Uploader, content: str, code: str, said: str
) -> None:
    reason = uploader.refused(content)[0]
    assert reason.code == code
    assert said in reason.message


def test_a_changed_type_is_told_with_the_line_of_the_source(uploader: Uploader) -> None:
    known = Schema((ColumnSchema("n", "integer"),))
    (reason,) = uploader.refused("\n\n" + lines({"n": "many"}, {"n": "few"}), known=known)
    assert (reason.code, reason.line) == ("type_changed", 3)
    assert "'many' in line 3" in reason.message


def test_numbers_beyond_what_can_be_held_are_bad_rows_and_not_infinity(uploader: Uploader) -> None:
    uploader.take(lines(*({"n": i + 0.5} for i in range(9)), '{"n": 1e400}'))
    ((line, _, reasons),) = uploader.bad_rows()
    assert (line, reasons[0]["code"], reasons[0]["value"]) == (10, "out_of_range", "1e400")


def test_whole_numbers_keep_all_their_digits(uploader: Uploader) -> None:
    long = "9" * 5_000
    uploader.take(lines(f'{{"n": {long}}}', '{"n": 9223372036854775808}'))
    assert uploader.rows() == [(long,), ("9223372036854775808",)]


def test_a_record_larger_than_the_window_is_read_whole(uploader: Uploader) -> None:
    wide = {f"k{i}": "x" * 100_000 for i in range(30)}
    uploader.take(json.dumps([{"k0": "a"}, wide, {"k1": "b"}]))
    assert [len(each or "") for each in uploader.rows()[1]] == [100_000] * 30


@pytest.mark.parametrize("content", ["{}", "[{}, {}]", "{}\n{}\n"])
def test_records_without_keys_are_no_table(uploader: Uploader, content: str) -> None:
    (reason,) = uploader.refused(content)
    assert reason.code == "no_columns"


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("key", ["data", "results", "features"])
def test_records_under_a_key_are_rows(uploader: Uploader, indent: int | None, key: str) -> None:
    whole = {"count": 12, "next": None, "tags": [1, 2], key: RECORDS * 6, "last": {"a": [3]}}
    part = uploader.take(json.dumps(whole, indent=indent))
    assert [row[:2] for row in uploader.rows()] == [("Zoé", 1), ('x, "y"\nz', None)] * 6
    assert f"under the key '{key}'" in part.warnings[0]
    assert "'count', 'next', 'tags', 'last'" in part.warnings[0]


def test_a_long_object_is_read_in_pieces(uploader: Uploader) -> None:
    rows = [{"n": i, "t": "x" * 50} for i in range(40_000)]
    part = uploader.take(json.dumps({"first": 1, "rows": rows, "last": 12345}))
    assert (part.rows, uploader.rows()[-1][0]) == (40_000, 39_999)


@pytest.mark.parametrize("cut", [70, 71, 72, 73, 74, 100])
def test_a_long_object_is_no_line_wherever_it_is_looked_at(uploader: Uploader, cut: int) -> None:
    content = json.dumps({"count": 9, "rows": [{"n": i} for i in range(40)]})
    assert "}" in content[69:74]
    source = uploader.directory / "long.json"
    source.write_text(content)
    part = ingest(source, "long.json", uploader.destination, limits=Limits(record_bytes=cut))
    assert (part.rows, part.quarantined_rows) == (40, 0)


@pytest.mark.parametrize("cut", range(8))
def test_a_number_is_read_to_its_end_wherever_it_is_cut(
    uploader: Uploader, monkeypatch: pytest.MonkeyPatch, cut: int
) -> None:
    monkeypatch.setattr(json_records, "CHUNK", 69 + cut)
    uploader.take('{"first": "' + "x" * 47 + '", "took": 1.5e-07, "rows": [\n{"n": 1},\n{"n": 2}]}')
    assert uploader.rows() == [(1,), (2,)]


def test_records_under_two_keys_are_two_tables(uploader: Uploader) -> None:
    (reason,) = uploader.refused(json.dumps({"a": [{"x": 1}], "b": [{"y": 2}]}, indent=1))
    assert reason.code == "several_tables"
    assert "'a' and 'b'" in reason.message


def test_an_object_that_breaks_off_is_refused_with_its_record(uploader: Uploader) -> None:
    (reason,) = uploader.refused('{"a": [\n{"x": 1},\n{"x": 2},\n{"x"')
    assert (reason.code, reason.line) == ("bad_json", 3)


@pytest.mark.parametrize("inner", ["[1, 2]", '[{"x": 1}, {"x": 2}]'])
def test_one_record_on_a_line_with_a_short_list_is_a_row(uploader: Uploader, inner: str) -> None:
    part = uploader.take(f'{{"a": 1, "b": {inner}}}\n')
    assert (part.rows, part.schema.names) == (1, ("a", "b"))
