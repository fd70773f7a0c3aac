"""The directory in which one local cloud keeps what it knows of itself."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Running:
    """A local cloud that runs: the keeper's process id (also its group), and where it answers."""

    keeper: int
    endpoint_url: str
    region: str


@dataclass(frozen=True)
class StateDirectory:
    """The files of one local cloud; clouds with different directories do not meet."""

    path: Path

    @property
    def temporary(self) -> Path:
        """TMPDIR of the cloud and of the functions in it; emptied when the cloud stops."""
        return self.path / "tmp"

    @property
    def packages(self) -> Path:
        """Zipped code by digest; outlives the cloud."""
        return self.path / "packages"

    @property
    def log(self) -> Path:
        """What the keeper and MiniStack print."""
        return self.path / "cloud.log"

    @property
    def outputs(self) -> Path:
        """The names that programs rely on, as JSON; there while the stack is deployed."""
        return self.path / "outputs.json"

    @property
    def exports(self) -> Path:
        """The same for a shell, with what AWS's own tools read: `. .local/env.sh`."""
        return self.path / "env.sh"

    @property
    def functions(self) -> Path:
        """The functions of the deployed stack."""
        return self.path / "functions.json"

    @property
    def warm(self) -> Path:
        """The time of the outputs (nanoseconds) whose functions are warm."""
        return self.path / "warm"

    def is_warm(self) -> bool:
        """Whether all functions of the last deployment have been started."""
        try:
            return self.warm.read_text() == str(self.outputs.stat().st_mtime_ns)
        except FileNotFoundError:
            return False

    @property
    def _running(self) -> Path:
        return self.path / "running.json"

    def write_running(self, running: Running) -> None:
        """Say that a cloud answers; the file is whole whenever it is there."""
        write_whole(self._running, json.dumps(asdict(running)))

    def running(self) -> Running | None:
        """The cloud that runs here, or None."""
        if not self.is_held():
            return None
        try:
            return Running(**json.loads(self._running.read_text()))
        except FileNotFoundError:
            return None

    def forget(self) -> None:
        """Remove what was true of a cloud that has stopped."""
        for path in (self._running, self.functions, self.warm, self.outputs, self.exports):
            path.unlink(missing_ok=True)

    @contextmanager
    def held(self) -> Iterator[int]:
        """Hold the directory for one cloud; raises BlockingIOError when another one has it.

        Yields the descriptor of the lock. A child that inherits it holds the directory too, so
        that the directory is free only when both have ended, however they ended; unlike a
        process id, a lock is never handed on to a stranger.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / "lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield file.fileno()

    def is_held(self) -> bool:
        """Whether a cloud runs here, is starting or is stopping."""
        try:
            with (self.path / "lock").open("r") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False


def write_whole(path: Path, text: str) -> None:
    """Write a file so that a reader sees all of it or nothing."""
    unfinished = path.with_name(path.name + ".new")
    unfinished.write_text(text)
    unfinished.replace(path)


def read_json(path: Path) -> Any:
    """The content of a JSON file, or None when it is not there."""
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return None
