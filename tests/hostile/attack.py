"""Attacks on the function that ingests, and what must come of each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
MEMORY_MB = 3008
"""Of the function in template.yaml."""

SECONDS = 560
"""For all attacks of a group; the function has 900 for each."""

SLOWEST = 100
"""Seconds for one attack, unless it is a large one: what is small takes moments, and a file a
hundred times its size must still be done with in time."""

SLOWEST_OF_LARGE = 280
"""Seconds for one large attack."""

KEY = "uploads/p/d/hostile.csv"


@dataclass(frozen=True)
class Attack:
    """A hostile file, how it is uploaded, and what may be said of it.

    `codes` are those of reasons: all are of these and at least one is there. `rows` are those
    that are taken nevertheless, and `bad` those that are not; None: the file is refused whole.
    """

    build: Callable[[Path], object]
    codes: frozenset[str]
    rows: int | None = None
    bad: int = 0
    key: str = KEY

    @staticmethod
    def of(
        content: bytes, *codes: str, rows: int | None = None, bad: int = 0, key: str = KEY
    ) -> Attack:
        """With a content that is at hand."""
        return Attack(lambda path: path.write_bytes(content), frozenset(codes), rows, bad, key)

    @staticmethod
    def made(
        build: Callable[[Path], object], *codes: str, rows: int | None = None, bad: int = 0
    ) -> Attack:
        """With a content that is made when it is needed."""
        return Attack(build, frozenset(codes), rows, bad)


def delivered(attacks: Mapping[str, Attack], directory: Path) -> dict[str, Any]:
    """Upload all hostile files to one function, an innocent one after each; what came of each."""
    scratch, here = directory / "tmp", directory / "here"
    scratch.mkdir()
    here.mkdir()
    listed = []
    for number, attack in enumerate(attacks.values()):
        path = directory / f"hostile{number}"
        attack.build(path)
        listed.append((str(path), attack.key))
    uploads = directory / "uploads.json"
    uploads.write_text(json.dumps(listed), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "tests.hostile.victim", uploads, str(MEMORY_MB)],
        cwd=here,
        env={
            **os.environ,
            "PYTHONPATH": f"{ROOT / 'layers/evergreen/python'}{os.pathsep}{ROOT}",
            "TMPDIR": str(scratch),
            "POWERTOOLS_SERVICE_NAME": "ingest_upload",
            "POWERTOOLS_LOG_LEVEL": "CRITICAL",
        },
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")[-3000:]
    assert not list(here.iterdir()), "something was run, or written where the function stands"
    reports = json.loads(done.stdout.splitlines()[-1])
    return dict(zip(attacks, reports, strict=True))


def check(attack: Attack, report: Mapping[str, Any], slowest: float = SLOWEST) -> None:
    """Fail unless the hostile file was answered as it must be and the innocent one was served."""
    assert report["seconds"] < slowest
    assert report["failed"] == [], "the function failed instead of answering"
    assert report["left"] == []
    assert report["peak_mb"] < MEMORY_MB
    (innocent,) = report["innocent"]["said"]
    assert (innocent["name"], innocent["quarantined_rows"]) == ("DatasetIngested", 0)
    (said,) = report["said"]
    if attack.rows is not None:
        assert said["name"] == "DatasetIngested", said
        assert (said["rows"], said["quarantined_rows"]) == (attack.rows, attack.bad), said
        return
    assert said["name"] == "UploadQuarantined", said
    assert report["parts"] == 0
    reasons = report["records"][0]["reasons"]
    assert {str(reason["code"]) for reason in reasons} <= {*attack.codes, "more"}, reasons[:5]
    _check_readable([str(reason["message"]) for reason in reasons])


def _check_readable(messages: Sequence[str]) -> None:
    assert messages
    assert sum(map(len, messages)) < 50_000
    for message in messages:
        assert message.isprintable(), message
        assert "/tmp" not in message, message  # noqa: S108
        assert "Error" not in message, message
