"""Keys and names of members are never paths, never SQL, never a shell's, and shown escaped."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import pytest

from tests.hostile.attack import Attack, check, delivered

TABLE = b"a,b\n1,2\n3,4\n"
TAKEN = (
    "uploads/p/d/../../../../etc/passwd",
    "uploads/p/d/..",
    "uploads/p/d//etc/passwd",
    "uploads/p/d/\\..\\..\\windows.csv",
    "uploads/p/d/$(touch pwned).csv",
    "uploads/p/d/`touch pwned`;&|.csv",
    "uploads/p/d/a'b\"; DROP TABLE x; --.csv",
    "uploads/p/d/\x1b[31m\n\t\x00.csv",
    "uploads/p/d/\u202egpj.csv",
    "uploads/p/d/" + "x" * 1_000,
    "uploads/p/d/日本語 ünï.csv",
    "uploads/p/d/%2e%2e%2f.csv",
)
REFUSED = (
    "uploads/../d/x.csv",
    "uploads/p/../x.csv",
    "uploads//d/x.csv",
    "uploads/P/d/x.csv",
    "uploads/p/d",
    "uploads/p/d/",
    "uploads/p\x00/d/x.csv",
    "uploads/p'--/d/x.csv",
    "uploads/" + "p" * 1_000 + "/d/x.csv",
)


def member(name: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, TABLE)
    return buffer.getvalue()


NAMES = {
    **{f"key {key[:60]!r}": Attack.of(TABLE, rows=2, key=key) for key in TAKEN},
    **{f"bad key {key[:60]!r}": Attack.of(TABLE, "bad_key", key=key) for key in REFUSED},
    **{
        f"odd key of a bad file {key[:60]!r}": Attack.of(b"", "empty_file", key=key)
        for key in TAKEN
    },
    **{
        f"member {name!r}": Attack.of(member(name), "odd_member")
        for name in ("../x", "/etc/passwd", "a/../../x", "..\\x", "C:\\x", "a\n\x1b[2J", "x\x7f")
    },
    **{
        f"member {name!r} that is fine": Attack.of(member(name), rows=2)
        for name in ("日本.csv", "a b/c d.csv", "$(touch pwned)", "'; --", "x" * 5_000)
    },
}


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return delivered(NAMES, tmp_path_factory.mktemp("names"))


@pytest.mark.parametrize("name", NAMES)
def test_an_odd_name_does_nothing(reports: dict[str, Any], name: str) -> None:
    check(NAMES[name], reports[name])
