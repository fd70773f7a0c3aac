"""Long records are found before an engine that would lose rows over them reads the file."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evergreen.data import record_lengths
from evergreen.data.record_lengths import (
    Shape,
    line_at,
    line_beyond,
    longest_record,
    ragged_lines,
    ragged_where_lines_are_records,
    whole_records,
)

TEXT = st.lists(st.sampled_from([b"a", b",", b'"', b"\n"]), max_size=60).map(b"".join)
FREE = [HealthCheck.function_scoped_fixture]


@given(text=TEXT, chunk=st.integers(1, 9))
@settings(suppress_health_check=FREE)
def test_records_are_what_lies_between_line_ends_outside_of_quotes(
    tmp_path: Path, text: bytes, chunk: int
) -> None:
    records, inside = [b""], False
    for place in range(len(text)):
        each = text[place : place + 1]
        inside ^= each == b'"'
        records[-1] += each
        if each == b"\n" and not inside:
            records.append(b"")
    path = tmp_path / "text"
    path.write_bytes(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(record_lengths, "CHUNK", chunk)
        found = longest_record(path, Shape(",", '"', 2))
    assert found.size == max(map(len, records))
    assert text[found.start : found.start + found.size] in records
    assert found.last == len(text) - len(records[-1])
    assert found.is_open == inside
    begins = {sum(map(len, records[:place])) for place in range(1, len(records))}
    assert begins.issuperset(found.starts)
    assert whole_records(text, '"') == b"".join(records[:-1])
    whole = [each for each in records[:-1] if each != b"\n"]
    assert found.ragged == sum(
        sum(part.count(b",") for part in each.split(b'"')[::2]) != 1 for each in whole
    )


@given(text=TEXT, most=st.integers(1, 30), chunk=st.integers(1, 9))
@settings(suppress_health_check=FREE)
def test_lines_are_called_records_only_if_they_are(
    tmp_path: Path, text: bytes, most: int, chunk: int
) -> None:
    path = tmp_path / "text"
    path.write_bytes(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(record_lengths, "CHUNK", chunk)
        found = ragged_where_lines_are_records(path, Shape(",", '"', 2), most)
    lines = text.split(b"\n")
    ends = [b"\n"] * (len(lines) - 1) + [b""]
    short = all(len(line + end) <= most for line, end in zip(lines, ends, strict=True))
    assert (found is not None) == (short and all(line.count(b'"') % 2 == 0 for line in lines))


def test_ragged_records_are_estimated_with_quotes_too(tmp_path: Path) -> None:
    path = tmp_path / "text"
    shape = Shape(",", '"', 2)
    path.write_bytes(b'"a ""name"", and more",1\r\n' * 1_000_000)
    assert ragged_where_lines_are_records(path, shape, 1 << 16) == 0
    path.write_bytes(b'"1,2",3\n' * 2_000_000 + b'"1,2",3,4\n' * 2_000_000)
    found = ragged_where_lines_are_records(path, shape, 1 << 16)
    assert found is not None
    assert 500_000 < found < 3_400_000


@given(text=TEXT, most=st.integers(1, 30), piece=st.integers(1, 9))
@settings(suppress_health_check=FREE)
def test_a_line_that_is_longer_is_found(tmp_path: Path, text: bytes, most: int, piece: int) -> None:
    path = tmp_path / "text"
    path.write_bytes(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(record_lengths, "PIECE", piece)
        found = line_beyond(path, most)
    longest = max(map(len, text.splitlines(keepends=True)), default=0)
    assert (found is not None) == (longest > most)
    if found is not None:
        assert found == 0 or text[found - 1 : found] == b"\n"
        assert b"\n" not in text[found : found + most]


def test_places_have_lines(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_bytes(b"ab\nc\n\nd")
    assert [line_at(path, place) for place in (0, 2, 3, 5, 6)] == [1, 1, 2, 3, 4]


def test_ragged_lines_are_estimated_wherever_they_are(tmp_path: Path) -> None:
    path = tmp_path / "text"
    shape = Shape(",", '"', 2)
    path.write_bytes(b"1,2\n" * 3_000_000)
    assert ragged_lines(path, shape) == 0
    path.write_bytes(b"1,2\n" * 2_000_000 + b"1,2,3\n" * 2_000_000)
    # Of 256 pieces, between a fifth and all but a fifth fall into the worse half (p < 1e-20).
    assert 500_000 < ragged_lines(path, shape) < 3_400_000
