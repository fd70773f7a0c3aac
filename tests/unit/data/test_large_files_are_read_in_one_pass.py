"""What is written in one pass is what the careful reading writes; doubt leads back to it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from evergreen.contracts.data_section import MISSING
from evergreen.data import expectation
from evergreen.data.engine import connect
from evergreen.data.expectation import write_as_expected
from evergreen.data.ingestion import UploadRefusedError
from evergreen.data.limits import DEFAULT_LIMITS
from evergreen.data.sniffing import recognise
from tests.unit.data.uploads import Uploader, numbered


@pytest.fixture
def small_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file is large, and its sample shows little of it."""
    monkeypatch.setattr(expectation, "SMALLEST", 0)
    monkeypatch.setattr(expectation, "SAMPLES", 3)
    monkeypatch.setattr(expectation, "SAMPLE_BYTES", 200)


def outcome(uploader: Uploader, content: str) -> tuple[Any, ...]:
    """All that comes of a file: the part, its rows, its bad rows; or the refusal."""
    try:
        part = uploader.take(content)
    except UploadRefusedError as error:
        return error.reasons
    bad = uploader.bad_rows() if part.quarantined_rows else []
    return part, uploader.rows(), bad


def carefully(uploader: Uploader, content: str) -> tuple[Any, ...]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(expectation, "SMALLEST", 1 << 40)
        return outcome(uploader, content)


def taken_at_once(directory: Path, content: str) -> bool:
    source, destination = directory / "large.csv", directory / "large.parquet"
    source.write_text(content, newline="")
    with connect(directory) as connection:
        file = recognise(connection, source, "large.csv", directory, DEFAULT_LIMITS)
        made = write_as_expected(connection, file, "large.csv", directory, destination, None, ())
    assert destination.exists() == (made is not None)
    return made is not None


CLEAN = "id,price,name,paid,on,at,none\n" + numbered(
    300, "{i},{i}.25,name {i},true,2024-02-28,2024-02-28 10:00:00,"
)


@pytest.mark.usefixtures("small_samples")
def test_a_clean_file_is_taken_at_once(tmp_path: Path, uploader: Uploader) -> None:
    assert taken_at_once(tmp_path, CLEAN)
    assert outcome(uploader, CLEAN) == carefully(uploader, CLEAN)


def test_a_small_file_is_read_with_all_care(tmp_path: Path) -> None:
    assert not taken_at_once(tmp_path, CLEAN)


@pytest.mark.usefixtures("small_samples")
@pytest.mark.parametrize(
    "odd",
    [
        "a line with fewer values",
        "1,2,3,4,5,6,7,8,9",
        "150,NA,?,,NULL,nan,",
        "150, 5.5 ,name 1,true,2024-02-28,2024-02-28 10:00:00,",
        "150,5.5,  name 1 ,true,2024-02-28,2024-02-28 10:00:00,",
        "150,5.5,\u00a0name,true,2024-02-28,2024-02-28 10:00:00,",
        "150,1e400,name 1,true,2024-02-28,2024-02-28 10:00:00,",
        "150.5,5.5,name 1,true,2024-02-28,2024-02-28 10:00:00,",
        "x,y,name 1,z,w,v,",
        "1_000,1_000.5,name 1,TRUE,2024/2/28,2024-02-28T10:00:00+02:00,",
        "007,5.5,name 1,true,2024-02-28,2024-02-28 10:00:00,",
        "150,5.5,name 1,true,2024-02-28,2024-02-28 10:00:00,something",
        '150,"5.5","two\nlines",true,2024-02-28,2024-02-28 10:00:00,""',
        '150,5.5,"open,true,2024-02-28,2024-02-28 10:00:00,',
        "150,5.5, NA ,true,2024-02-28,2024-02-28 10:00:00, ? ",
        "150,1_000.5,name 1,true,2024-02-28,2024-02-28 10:00:00,",
        "150,+-5.5,name 1,true,2024-02-28,2024-02-28 10:00:00,",
        "150,inf,name 1,true,2024-02-28,2024-02-28 10:00:00,",
        "150,NAN,name 1,true,2024-02-28,2024-02-28 10:00:00,",
        "150,1234567890123456789,name 1,true,2024-02-28,2024-02-28 10:00:00,",
        "150,many,name 1,true,2024-02-28,2024-02-28 10:00:00,",
    ],
)
def test_one_odd_row_comes_out_as_it_does_with_all_care(uploader: Uploader, odd: str) -> None:
    lines = CLEAN.splitlines(keepends=True)
    content = "".join([*lines[:150], odd + "\n", *lines[150:]])

    assert outcome(uploader, content) == carefully(uploader, content)


@pytest.mark.usefixtures("small_samples")
@pytest.mark.parametrize("columns", [[2], range(7)], ids=["a text", "all"])
@pytest.mark.parametrize("marker", MISSING)
def test_a_missing_value_that_no_sample_showed_is_missing(
    tmp_path: Path, uploader: Uploader, marker: str, columns: Iterable[int]
) -> None:
    lines = CLEAN.splitlines(keepends=True)
    for column in columns:
        cells = lines[80 + column].rstrip("\n").split(",")
        cells[column] = marker
        lines[80 + column] = ",".join(cells) + "\n"
    content = "".join(lines)

    assert outcome(uploader, content) == carefully(uploader, content)
    assert taken_at_once(tmp_path, content)


@pytest.mark.usefixtures("small_samples")
@pytest.mark.parametrize("lines", [5, 100, 400])
def test_lines_inside_of_values_are_not_taken_for_rows(uploader: Uploader, lines: int) -> None:
    poems = "".join(f'{i},"{"a,b" * (i % 2)}{chr(10).join(["x,y"] * lines)}"\n' for i in range(40))
    content = "id,poem\n" + poems

    found = outcome(uploader, content)
    assert found == carefully(uploader, content)
    assert found[0].schema.column("id").type == "integer"


@pytest.mark.usefixtures("small_samples")
@pytest.mark.parametrize("place", [0, 150])
def test_spaces_around_texts_cost_no_reading_with_all_care(tmp_path: Path, place: int) -> None:
    lines = CLEAN.splitlines(keepends=True)
    lines[1 + place] = lines[1 + place].replace("name", " name")

    assert taken_at_once(tmp_path, "".join(lines))


@pytest.mark.usefixtures("small_samples")
@pytest.mark.parametrize(
    "line",
    [
        "0{i},05,{i}",
        "01/02/20{i},01.02.2024,x",
        "{i},-,x",
        "a{i},,",
    ],
)
def test_columns_that_leave_a_doubt_come_out_as_with_all_care(
    uploader: Uploader, line: str
) -> None:
    content = "a,b,c\n" + "".join(line.replace("{i}", f"{i:02d}") + "\n" for i in range(10, 60))

    assert outcome(uploader, content) == carefully(uploader, content)


@pytest.mark.usefixtures("small_samples")
def test_nothing_is_left_of_an_attempt_that_ends(tmp_path: Path) -> None:
    assert not taken_at_once(tmp_path, CLEAN + "x" * 50 + ",1,b,true,2024-02-28,,\n" + CLEAN[30:])


cells = st.one_of(
    st.sampled_from(["", "NA", "7", "07", " 7", "7.5", "x", "true", "2024-02-03", "1e3", "a b"]),
    st.sampled_from([" x", "x ", "\u00a0y", " NA ", "a\tb", "  "]),
    st.integers(-1000, 1000).map(str),
    st.floats(allow_nan=False).map(repr),
    st.dates(dt.date(1900, 1, 1)).map(str),
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    main=st.lists(cells, min_size=3, max_size=3),
    others=st.lists(st.lists(cells, min_size=3, max_size=3), max_size=3),
    copies=st.integers(5, 100),
)
@example(main=["true", "", "1000000.0"], others=[["7", "", ""]] * 3, copies=6)
@pytest.mark.usefixtures("small_samples")
def test_any_table_comes_out_as_with_all_care(
    uploader: Uploader, main: list[str], others: list[list[str]], copies: int
) -> None:
    rows = [*[main] * copies, *others, *[main] * copies]
    content = "a,b,c\n" + "".join(",".join(row) + "\n" for row in rows)

    assert outcome(uploader, content) == carefully(uploader, content)
