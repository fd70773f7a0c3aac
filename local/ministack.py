"""MiniStack as a child process: the AWS services on a port of their own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

REGION = "us-east-1"
_PROGRAM = Path(__file__).with_name("ministack_process.py")
_ATTEMPTS = 3
_START_SECONDS = 30.0
_STOP_SECONDS = 5.0


class MiniStackError(RuntimeError):
    """MiniStack did not start; its log says why."""


def environment(port: int, home: Path, temporary: Path) -> dict[str, str]:
    """A clean environment for MiniStack and for the functions, which inherit it."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        # No credentials, profiles or caches of the person who runs this.
        "HOME": str(home),
        "TMPDIR": str(temporary),
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_EC2_METADATA_DISABLED": "true",
        # As on Lambda: one thread per function; libraries would start one per core and spin.
        "OMP_NUM_THREADS": "1",
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        # Each function may do what its role allows, as on AWS; the key `test` may do everything.
        "AUTH": "true",
        # Else it listens on port 8883 of every interface.
        "IOT_MTLS_ENABLED": "0",
        "LOG_LEVEL": "WARNING",
        # Workers of a burst of trials stay for the next search.
        "LAMBDA_WARM_TTL_SECONDS": "3600",
    }


@contextmanager
def ministack(
    home: Path, temporary: Path, extra: dict[str, str] | None = None, lock: int | None = None
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Run MiniStack while the block runs; yields its process and its URL once it answers.

    Its output goes where this process's goes. `extra` adds to its environment; `lock` is a
    descriptor that it holds open as long as it lives.
    """
    for _ in range(_ATTEMPTS):
        port = _free_port()
        process = subprocess.Popen(
            [sys.executable, "-P", str(_PROGRAM)],
            cwd=home,
            env=environment(port, home, temporary) | (extra or {}),
            stdin=subprocess.DEVNULL,
            pass_fds=() if lock is None else (lock,),
        )
        try:
            if _answers(process, port):
                yield process, f"http://127.0.0.1:{port}"
                return
        finally:
            _stop(process)
    raise MiniStackError(f"MiniStack ended {_ATTEMPTS} times before it answered")


def _free_port() -> int:
    # Another program may take the port before MiniStack does; hence several attempts.
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(process: subprocess.Popen[bytes], port: int) -> bool:
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None:
        try:
            with urlopen(f"http://127.0.0.1:{port}/_ministack/health", timeout=1):
                return process.poll() is None
        except (URLError, TimeoutError, ConnectionError):
            if time.monotonic() > deadline:
                raise MiniStackError(
                    f"MiniStack did not answer within {_START_SECONDS:.0f} s"
                ) from None
            time.sleep(0.02)
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
