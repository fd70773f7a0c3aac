"""A local cloud for one benchmark, and the wait for a model that answers in it."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from demo.endpoint import Endpoint, RequestRefusedError
from local.cloud import LocalCloud


@contextmanager
def one_cloud(console: Console, *, warm: bool = False) -> Iterator[LocalCloud]:
    """A cloud of its own, which this process's clients find."""
    with (
        tempfile.TemporaryDirectory() as directory,
        LocalCloud.started(Path(directory), warm=warm, say=console.print) as cloud,
    ):
        os.environ.update(cloud.outputs.environment)
        yield cloud


def wait_for_answer(endpoint: Endpoint, row: Mapping[str, Any], seconds: float = 120) -> None:
    """Ask until there is a champion; raises RequestRefusedError when it stays away."""
    began = time.monotonic()
    while True:
        try:
            endpoint.predict([row])
        except RequestRefusedError:
            if time.monotonic() - began > seconds:
                raise
            time.sleep(0.05)
        else:
            return
