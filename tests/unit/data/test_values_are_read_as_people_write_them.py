"""Moments, numbers and gaps as the usual programs write them are values and not texts."""

from datetime import datetime

import pytest

from tests.unit.data.uploads import Uploader, types, write_parquet


def column(*values: str, mark: str = ",") -> str:
    quoted = (f'"{value}"' for value in values)
    return f"id{mark}v\n" + "".join(f"{i}{mark}{value}\n" for i, value in enumerate(quoted))


@pytest.mark.parametrize(
    ("written", "hour"),
    [
        ("2024-01-25 10:20:00 UTC", 10),
        ("2024-01-25 10:20:00 GMT", 10),
        ("2024-01-25 10:20:00 +0200", 8),
        ("2024-01-25 10:20:00 -03:00", 13),
        ("2024-01-25T10:20:00 Z", 10),
        ("2024-01-25 10:20:00 Europe/Zurich", 9),
        ("2024-01-25 10:20:00,000", 10),
        ("01/25/2024 10:20:00 AM", 10),
        ("01/25/2024 10:20 pm", 22),
        ("25/01/2024 10:20 PM", 22),
        ("25-01-2024 10:20", 10),
        ("25-Jan-2024 10:20:00", 10),
        ("Thu, 25 Jan 2024 10:20:00 GMT", 10),
        ("Thu, 25 Jan 2024 10:20:00 +0200", 8),
        ("25/Jan/2024:10:20:00 +0000", 10),
        ("Thu Jan 25 10:20:00 2024", 10),
        ("20240125T102000Z", 10),
    ],
)
def test_times_are_read_with_their_zone(uploader: Uploader, written: str, hour: int) -> None:
    assert types(uploader.take(column(written, written)))["v"] == "timestamp"
    assert uploader.rows()[0][1] == datetime(2024, 1, 25, hour, 20)  # noqa: DTZ001


@pytest.mark.parametrize(
    "written",
    ["25-Jan-2024", "25 January 2024", "Jan 25, 2024", "January 25, 2024", "25-JAN-24", "1/25/24"],
)
def test_days_are_read(uploader: Uploader, written: str) -> None:
    assert types(uploader.take(column(written, written)))["v"] == "date"
    assert str(uploader.rows()[0][1]) == "2024-01-25"


@pytest.mark.parametrize("written", ["1.2.03", "10.1.12", "31-Feb-2024", "12 May rows 2024", "1/2"])
def test_what_is_no_day_stays_text(uploader: Uploader, written: str) -> None:
    assert types(uploader.take(column(written, written)))["v"] == "text"


@pytest.mark.parametrize(
    ("mark", "values", "read"),
    [
        (",", ("1,234.50", "7", "-12,345,678"), [1234.5, 7, -12345678]),
        (";", ("1.234,50", "7", "12.345.678"), [1234.5, 7, 12345678]),
        (";", ("1\u00a0234,50", "7,5"), [1234.5, 7.5]),
        (";", ("1'234.50", "7"), [1234.5, 7]),
    ],
)
def test_numbers_may_have_marks_between_thousands(
    uploader: Uploader, mark: str, values: tuple[str, ...], read: list[float]
) -> None:
    part = uploader.take(column(*values, mark=mark))
    assert [row[1] for row in uploader.rows()] == read
    assert any("is read as numbers written like 1" in warning for warning in part.warnings)


def test_a_comma_that_may_begin_a_fraction_is_no_guess(uploader: Uploader) -> None:
    part = uploader.take(column("1,234", "12,345", "7"))
    assert types(part)["v"] == "text"
    assert "may divide thousands or begin fractions" in part.warnings[0]


@pytest.mark.parametrize("written", ["1,2", "1,23,456", "12,34.5", "1,2345"])
def test_lists_of_numbers_stay_text(uploader: Uploader, written: str) -> None:
    assert types(uploader.take(column(written, "3")))["v"] == "text"


@pytest.mark.parametrize("marker", [r"\N", "#N/A", "<NA>", "NaT", "n/a"])
def test_what_programs_write_for_nothing_is_missing(uploader: Uploader, marker: str) -> None:
    assert types(uploader.take(f"id,v\n1,{marker}\n2,3\n"))["v"] == "integer"
    assert uploader.rows()[0][1] is None


@pytest.mark.parametrize(
    ("kind", "values", "read"),
    [
        ("UBIGINT", "(7), (NULL)", ("integer", 7)),
        ("UBIGINT", "(18446744073709551615), (7)", ("text", "18446744073709551615")),
        ("DECIMAL(38,0)", "(7), (8)", ("integer", 7)),
        ("DECIMAL(38,0)", "(12345678901234567890), (8)", ("text", "12345678901234567890")),
        ("DECIMAL(9,2)", "(1.10), (8)", ("number", 1.1)),
        ("TIME_NS", "('10:20:30'), (NULL)", ("text", "10:20:30")),
    ],
)
def test_parquet_loses_no_digits(
    uploader: Uploader, kind: str, values: str, read: tuple[str, object]
) -> None:
    path = uploader.directory / "typed.parquet"
    write_parquet(path, f"SELECT CAST(v AS {kind}) AS v FROM (VALUES {values}) t(v)")
    part = uploader.take(path.read_bytes())
    assert (types(part)["v"], uploader.rows()[0][0]) == read
