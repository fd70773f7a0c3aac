"""Readers of hostile files, run in a process of their own with little memory and time.

Libraries that read binary formats allocate what a file claims: a sheet with two cells far apart
makes one abort the process, a list of a billion columns in a Parquet footer another. Here only
the helper ends, and the upload is refused.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from evergreen.data.limits import Limits
from evergreen.data.refusal import Reason, UploadRefusedError, printable

BROKEN = 4
"""Exit code of a helper whose library broke down over the file."""

LONGEST = 300
"""Characters of what a helper says that are told."""

UNREADABLE = 3
"""Exit code of a helper that says what is wrong with the file."""


def confined(module: str, source: Path, target: Path, name: str, limits: Limits) -> Any:
    """Run `module` on a file; gives what it returned. Raises UploadRefusedError if it fails.

    `module` calls `helper` when it is run. It may write to `target`.
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    limit = str(limits.helper_memory_bytes)
    command = [sys.executable, "-m", module, str(source), str(target), limit]
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=limits.helper_seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        what = f"'{name}' takes too many seconds to read"
        raise limits.refuse("helper_seconds", what) from None
    if done.returncode == BROKEN:
        message = f"'{name}' is damaged: it holds what cannot be read; upload it anew"
        raise UploadRefusedError([Reason("damaged", message)])
    if done.returncode == UNREADABLE:
        said = done.stdout.decode(errors="replace").replace(str(source), name)
        message = f"'{name}' is damaged: {printable(said, LONGEST)}; upload it anew"
        raise UploadRefusedError([Reason("damaged", message)])
    if done.returncode:
        what = f"'{name}' asks for more memory than its table is worth (bytes)"
        raise limits.refuse("helper_memory_bytes", what)
    return json.loads(done.stdout)


def helper(work: Callable[[Path, Path], Any]) -> None:
    """Be the helper: do `work(source, target)` within the memory given, print what it returns."""
    source, target, memory = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        sys.stdout.write(json.dumps(work(source, target)))
    except MemoryError:
        raise
    except UnreadableError as error:
        sys.stdout.write(str(error))
        sys.exit(UNREADABLE)
    except BaseException:  # noqa: BLE001 - libraries in Rust panic with one that is no Exception
        sys.exit(BROKEN)


class UnreadableError(ValueError):
    """A helper cannot read its file; the message says why."""
