"""Delimited text that is broken on purpose: bad rows are told one by one, bad files as a whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.hostile.attack import SLOWEST_OF_LARGE, Attack, check, delivered

MIB = 1 << 20
ROWS = 500
GOOD = b"".join(b"%d,%d\n" % (n, n * n) for n in range(ROWS))
HEAD = b"a,b\n"


def cell(size: int, *codes: str, quote: bytes = b"", piece: bytes = b"y") -> Attack:
    """One value of `size` bytes among good rows: refused alone, unless there are codes."""

    def write(path: Path) -> None:
        with path.open("wb") as file:
            file.write(HEAD + GOOD + b"1," + quote)
            for _ in range(size // MIB):
                file.write(piece * (MIB // len(piece)))
            file.write(quote + b"\n" + GOOD)

    return Attack.made(write, *codes, rows=None if codes else 2 * ROWS, bad=1)


TEXTS = {
    "a cell of 3 MiB": cell(3 * MIB),
    "a cell of 3 MiB in quotes": cell(3 * MIB, quote=b'"'),
    "a cell of 3 MiB of lines like rows": cell(3 * MIB, quote=b'"', piece=b"y,y\n"),
    "a cell of 3 MiB of escaped quotes": cell(3 * MIB, quote=b'"', piece=b'"",\n'),
    "a cell of 64 MiB": cell(64 * MIB, "too_long"),
    "a cell of 64 MiB in quotes": cell(64 * MIB, "too_long", quote=b'"'),
    "a cell of 64 MiB of lines": cell(64 * MIB, "broken_quote", quote=b'"', piece=b"y\n"),
    "a cell of 64 MiB and nothing else": Attack.of(HEAD + b"y" * 64 * MIB, "too_long"),
    "a header of 64 MiB": Attack.of(b"a" * 64 * MIB + b"\n1\n", "too_long"),
    "a quote that never ends": Attack.of(HEAD + b'1,"' + GOOD * 2_000, "broken_quote"),
    "a quote that never ends, late": Attack.of(
        HEAD + GOOD * 4_000 + b'1,"' + GOOD * 100, "broken_quote"
    ),
    "a quote that never ends, near the end": Attack.of(
        HEAD + GOOD * 2_000 + b'1,"' + b"1,2\n" * 9, rows=1_000_000, bad=9
    ),
    "long cells of lines in a large file": Attack.of(
        HEAD + (GOOD * 400 + b'1,"' + b"y,y\n" * 300_000 + b'"\n') * 10, rows=2_000_000, bad=10
    ),
    "nothing but quotes": Attack.of(b'"' * 16 * MIB, "too_long", "no_rows", "not_a_table"),
    "nothing but commas": Attack.of(b"," * 16 * MIB, "too_many_columns"),
    "100,000 columns": Attack.of(
        b",".join(b"c%d" % n for n in range(100_000)) + b"\n" + b"1," * 99_999 + b"1\n",
        "too_many_columns",
    ),
    "100,000 columns with nothing below": Attack.of(b"c," * 100_000, "too_many_columns"),
    "names too long together": Attack.of(
        b";".join(b"%0190d" % n for n in range(1_200)) + b"\n", "bad_column_name", "no_rows"
    ),
    "names with control characters": Attack.of(b"a\x1b[2J,b\x07\n" + GOOD, "bad_column_name"),
    "500 names twice": Attack.of(
        b",".join(b"c%d" % (n % 500) for n in range(1_000)) + b"\n", "duplicate_column"
    ),
    "every row ragged": Attack.of(
        HEAD + b"1\n1,2,3\n" * 5_000, "too_many_bad_rows", "too_few_values", "too_many_values"
    ),
    "a million ragged rows": Attack.of(HEAD + b"1,2,3\n" * 1_000_000, "too_many_bad_rows"),
    "some rows ragged": Attack.of(HEAD + GOOD + b"1\n1,2,3\n" + GOOD, rows=1_000, bad=2),
    "a million lines of nothing": Attack.of(HEAD + b"\n" * 1_000_000, "no_rows"),
    "bytes of another encoding in some rows": Attack.of(
        HEAD + "ä,1\n".encode() * 100 + "ö,2\n".encode("latin-1") * 9, rows=100, bad=9
    ),
    "three encodings": Attack.of(
        HEAD + "ä,1\n".encode() + "ä,2\n".encode("latin-1") * 50 + "ä,3\n".encode("utf-16"),
        "not_a_table",
    ),
    "half of UTF-16": Attack.of(("a,b\n" + "1,2\n" * 99).encode("utf-16")[:-1], "undecodable"),
    "lone surrogates in UTF-16": Attack.of(
        "a,b\n1,".encode("utf-16") + b"\x00\xd8" + "\n".encode("utf-16-le"), "undecodable"
    ),
    "NUL bytes": Attack.of(HEAD + GOOD + b"1,\x00\n", "nul_character"),
    "a NUL for every other byte, late": Attack.of(
        HEAD + GOOD * 50 + "1,2\n".encode("utf-16-le"), "nul_character"
    ),
    "numbers beyond any": Attack.of(HEAD + GOOD + b"1e400,1\n-inf,2\nNaN,3\n", rows=501, bad=2),
    "1,000 words among numbers": Attack.of(
        HEAD + (b"1,2\n" * 199 + b"x,2\n") * 1_000, rows=199_000, bad=1_000
    ),
    "formulas": Attack.of(HEAD + b"=cmd|'/C calc'!A0,@SUM(A1)\n+1+1,-2+3\n", rows=2),
    "SQL": Attack.of(
        b"a'); DROP TABLE x; --,\"b\"\" ; ATTACH 'x'\"\n1,'); COPY x TO '/tmp/x'; --\n2,x\n", rows=2
    ),
    "nothing but columns of the quarantine": Attack.of(
        b"evergreen_reasons,evergreen_raw\nx,1\ny,2\n", "no_columns"
    ),
    "a mark between lines in the header": Attack.of(
        "id,no\u2028te,x\n".encode() + b"1,2,3\n" * 50, rows=50
    ),
    "marks between lines in ragged rows": Attack.of(
        HEAD + GOOD + "1\u20282\x852\n".encode() * 3, rows=ROWS, bad=3
    ),
    "returns between lines": Attack.of(HEAD + b"1,2\r3,4\n\r5,6\n", rows=3),
    "UTF-32": Attack.of("a,b\n1,ä\n".encode("utf-32"), rows=1),
    "300,000 blank lines before all": Attack.of(b"\n" * 300_000 + HEAD + GOOD, "empty_file"),
    "words without an end of line": Attack.of(
        (b"some words of a very long line " * 8_000 + b"\n") * 2, rows=2
    ),
    "random bytes": Attack.of(bytes(range(256)) * 4_096, "not_a_table"),
    "an HTML page": Attack.of(b"<html><body>404</body></html>", "not_a_table"),
    "a pickle": Attack.of(b"\x80\x05cos\nsystem\n(S'touch pwned'\ntR.", "not_a_table"),
    "nothing": Attack.of(b"", "empty_file"),
}

LARGE_TEXTS = {
    "a cell of 1 GiB": cell(1024 * MIB, "too_long"),
    "a cell of 1 GiB in quotes": cell(1024 * MIB, "too_long", quote=b'"'),
    "a cell of 1 GiB of lines": cell(1024 * MIB, "broken_quote", quote=b'"', piece=b"y\n"),
    "30 million ragged rows": Attack.of(HEAD + b"1,2,3\n" * 30_000_000, "too_many_bad_rows"),
}


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return delivered(TEXTS, tmp_path_factory.mktemp("texts"))


@pytest.mark.parametrize("name", TEXTS)
def test_a_hostile_text_is_answered(reports: dict[str, Any], name: str) -> None:
    check(TEXTS[name], reports[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGE_TEXTS)
def test_a_large_hostile_text_is_answered(tmp_path: Path, name: str) -> None:
    only = {name: LARGE_TEXTS[name]}
    check(only[name], delivered(only, tmp_path)[name], SLOWEST_OF_LARGE)
