"""JSON that is broken on purpose: a bad record is told alone, where it can be told apart."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.hostile.attack import Attack, check, delivered

GOOD = [{"a": n, "b": f"x{n}"} for n in range(99)]
LINES = "".join(json.dumps(each) + "\n" for each in GOOD)
MIB = 1 << 20


def among(line: str) -> Attack:
    """One bad line among good ones: it alone is refused."""
    return Attack.of((LINES + line + "\n" + LINES).encode(), rows=2 * len(GOOD), bad=1)


def alone(record: str, *codes: str) -> Attack:
    """An array with nothing else."""
    return Attack.of(f"[{record}]".encode(), "no_rows", *codes)


DEEP = '{"a":' * 100_000 + "1" + "}" * 100_000
DEEP_LIST = '{"a": ' + "[" * 100_000 + "]" * 100_000 + "}"

JSON = {
    "NaN among good lines": among('{"a": NaN}'),
    "Infinity among good lines": among('{"a": -Infinity}'),
    "a key twice among good lines": among('{"a": 1, "a": 2}'),
    "a key 100,000 times among good lines": among("{" + '"a": 1, ' * 100_000 + '"a": 1}'),
    "100,000 objects deep among good lines": among(DEEP),
    "100,000 lists deep among good lines": among(DEEP_LIST),
    "a line that breaks off among good lines": among('{"a": 1, "b": "x'),
    "a NUL in a text among good lines": among('{"a": 1, "b": "x\\u0000y"}'),
    "half a character among good lines": among('{"a": 1, "b": "\\ud800"}'),
    "half a character in a key among good lines": among('{"a": 1, "\\ud800": 2}'),
    "half a character in a key twice among good lines": among('{"\\ud800": 1, "\\ud800": 2}'),
    "returns in the first texts": Attack.of(
        b'[{"a": "x\\r\\ny"}, {"a": "\\r"}, {"a": "z"}]', rows=3
    ),
    "a text of 8 MiB among good lines": among('{"a": 1, "b": "' + "x" * 8 * MIB + '"}'),
    "a line of 32 MiB among good lines": among('{"a": 1, "b": "' + "x" * 32 * MIB + '"}'),
    "a number of 4 MiB among good lines": among('{"a": ' + "9" * 4 * MIB + "}"),
    "a number beyond any among good lines": among('{"a": 1e999999}'),
    "NaN alone": alone('{"a": NaN}', "not_finite"),
    "a key twice alone": alone('{"a": 1, "a": 2}', "duplicate_key"),
    "100,000 objects deep": alone(DEEP, "too_deep"),
    "100,000 lists deep": alone(DEEP_LIST, "too_deep"),
    "ten million brackets": Attack.of(b"[" * 10_000_000, "too_deep"),
    "a million braces": Attack.of(b'{"a":' * 1_000_000, "not_a_table"),
    "an array that never ends": Attack.of(b'[{"a": 1},' * 2, "bad_json", "no_rows"),
    "a text that never ends": Attack.of(b'[{"a": "' + b"x" * 64 * MIB, "too_long"),
    "100,000 keys": alone(json.dumps({f"k{n}": n for n in range(100_000)}), "too_many_columns"),
    "100,000 keys, one a line": Attack.of(
        "".join(f'{{"k{n}": {n}}}\n' for n in range(100_000)).encode(), "too_many_columns"
    ),
    "a key of 1 MiB": alone(json.dumps({"k" * MIB: 1}), "bad_column_name"),
    "keys with control characters": alone(json.dumps({"a\x1b[2J": 1}), "bad_column_name"),
    "no records": Attack.of(b"[1, 2, [3]]", "no_rows", "not_a_record"),
    "one object over many lines": Attack.of(b'{\n "a": [1,\n 2]\n}\n', "not_a_table"),
}


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return delivered(JSON, tmp_path_factory.mktemp("json"))


@pytest.mark.parametrize("name", JSON)
def test_hostile_json_is_answered(reports: dict[str, Any], name: str) -> None:
    check(JSON[name], reports[name])
