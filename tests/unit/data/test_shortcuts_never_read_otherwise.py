"""A reading's shortcut is only ever a faster way to the value that its pattern gives."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from evergreen.contracts.data_section import MISSING
from evergreen.data.engine import literal
from evergreen.data.readings import READINGS, Reading, cleaned, unclean

QUICK = [reading for reading in READINGS if reading.sure != "false"]

ODD = [
    *(
        "1_000",
        "1.5",
        "1e3",
        "1E3",
        "0x1F",
        "+5",
        "-0",
        "007",
        " 5",
        "5 ",
        "5\u00a0",
        "5\v",
        "\f5",
        "5\n",
        "1.",
        ".5",
    ),
    *("1e400", "-1e400", "inf", "-Infinity", "nan", "NaN", "NA", "?", "", "None", "1,5", "١٢"),
    *("1234567890123456789", "123456789012345678", "12345678901234567890.5", "9223372036854775808"),
    *("true", "TRUE", "t", "yes", "1", "0", "false ", "2024-02-30", "2024-02-29", "2024-2-9"),
    *("2024-01-01 (BC)", "infinity", "epoch", "20240101", "2024/01/01", "12024-01-01"),
    *("01.01.0000  1:00:00", "01.12.2024  1:00", " 1.01.2024 10:00", "01/ 1/2024 10:00:00"),
    *("2024-01-01 10:00:00", "2024-01-01T10:00:00Z", "2024-01-01 25:00:00", "2024-01-01 10:00"),
    *("2024-01-01 10:00:00+02", "2024-01-01 10:00:60", "2024-01-01T10:00:00z", "-024-01-01"),
    *(
        "2024-01-01 1_:00:00",
        "2024-01-01 UTC:00:00",
        "2024-01-01T24:00:00Z",
        "1e-3",
        "--1",
        "0.1.2",
        "+-1",
        "\t018-05-24T19:49:39Z",
        "181-05-24T19:49:39Z",
    ),
]

pieces = st.sampled_from([*"0123456789+-._,eEx/:TZ tfn\u00a0\t\n\v\f\r'", *ODD])
texts = st.one_of(
    st.lists(pieces, max_size=8).map("".join),
    st.integers().map(str),
    st.floats().map(repr),
    st.datetimes().map(lambda when: when.isoformat(" ")),
    st.datetimes().map(lambda when: when.isoformat() + "Z"),
    st.dates().map(str),
    st.sampled_from(
        [
            f"{day}{time}"
            for day in ("d/d/dd", "d.d.dd", "d-d-dd")
            for time in ("", " d:d", " d:d:d")
        ]
    ).flatmap(
        lambda form: st.tuples(
            *(
                st.sampled_from(
                    [f"{n:02d}" for n in range(32)] + [" 1", "+1", "-1", "1 ", "1_", "ab"]
                )
                if each == "d"
                else st.just(each)
                for each in form
            )
        ).map("".join)
    ),
)


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        opened.execute("SET TimeZone = 'UTC'")
        yield opened


@pytest.mark.parametrize("reading", QUICK, ids=lambda reading: reading.format or reading.type)
@settings(max_examples=60, deadline=None)
@given(written=st.lists(texts, min_size=1, max_size=200))
@example(written=ODD)
def test_a_sure_text_has_the_form_and_the_value_of_its_pattern(
    connection: duckdb.DuckDBPyConnection, reading: Reading, written: list[str]
) -> None:
    pattern = f"CASE WHEN {reading.looks} THEN {reading.value} END".replace("{v}", "c")
    sure, cast = (sql.replace("{v}", "v") for sql in (reading.sure, reading.cast))
    wrong = connection.execute(
        f"SELECT v, {cast}, {pattern} "
        f"FROM (SELECT v, {cleaned('v')} AS c FROM (SELECT unnest(?) AS v)) "
        f"WHERE {sure} AND ({cast}) IS DISTINCT FROM ({pattern}) AND ({cast}) IS NOT NULL",
        [written],
    ).fetchall()

    assert wrong == []


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("integer", "31"),
        ("number", "-0.25"),
        ("boolean", "true"),
        ("date", "2024-02-29"),
        ("timestamp", "2024-01-01 10:00:00"),
        ("timestamp", "2024-01-01T10:00:00Z"),
        ("%d.%m.%Y", "31.12.2024"),
        ("%d.%m.%Y %H:%M", "31.12.2024 23:59"),
        ("%m/%d/%Y %H:%M:%S", "12/31/2024 23:59:00"),
    ],
)
def test_the_usual_way_to_write_a_value_is_sure(
    connection: duckdb.DuckDBPyConnection, kind: str, text: str
) -> None:
    reading = next(each for each in QUICK if kind in {each.type, each.format})

    assert connection.execute(
        f"SELECT {reading.sure} AND {reading.cast} IS NOT NULL FROM (SELECT ? AS v)".replace(
            "{v}", "v"
        ),
        [text],
    ).fetchone() == (True,)


@pytest.mark.parametrize("lines", [True, False])
@settings(max_examples=60, deadline=None)
@given(written=st.lists(texts, min_size=1, max_size=200))
@example(written=[*ODD, "two words", "\u00a0x", "x\t", "x\n", "x\r", "x\v", "x\f", "\fx"])
def test_spaces_around_a_text_are_never_overlooked(
    connection: duckdb.DuckDBPyConnection,
    lines: bool,  # noqa: FBT001
    written: list[str],
) -> None:
    ended = "" if lines else "AND NOT contains(v, chr(10)) AND NOT contains(v, chr(13)) "
    overlooked = connection.execute(
        f"SELECT v FROM (SELECT unnest(?) AS v) "
        f"WHERE NOT {unclean('v', lines=lines)} {ended}AND {cleaned('v')} IS DISTINCT FROM v "
        f"AND v NOT IN ({', '.join(literal(marker) for marker in MISSING)})",
        [written],
    ).fetchall()

    assert overlooked == []
