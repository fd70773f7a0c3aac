"""The log lines of the functions, in the order in which they were written."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from local.functions import DeployedFunction

_LOOK_SECONDS = 0.5
# Lines that say nothing here: each invocation is framed in them.
_FRAME = ("START RequestId", "END RequestId")


def follow(
    logs: Any, functions: Sequence[DeployedFunction], *, forever: bool
) -> Iterator[tuple[str, str]]:
    """Stage and line, oldest first; then, if `forever`, what comes while one listens.

    `logs` is a boto3 client of CloudWatch Logs.
    """
    since = 0
    while True:
        # Half a second back, so that a line has been written before its time is left behind.
        until = int((time.time() - (_LOOK_SECONDS if forever else 0)) * 1000)
        found = [
            (event["timestamp"], function.stage, event["message"].rstrip())
            for function in functions
            for page in logs.get_paginator("filter_log_events").paginate(
                logGroupName=function.log_group, startTime=since, endTime=until
            )
            for event in page["events"]
        ]
        for _, stage, line in sorted(found, key=lambda item: item[0]):
            if not line.startswith(_FRAME):
                yield stage, line
        if not forever:
            return
        since = until + 1
        time.sleep(_LOOK_SECONDS)
