"""MiniStack with two waits as AWS has them: what `local.ministack` runs.

MiniStack lets every invocation wait for stragglers of its log, and overlooks the batching window
of a queue's trigger, so that each message of a steady stream costs an invocation of its own.
"""

from __future__ import annotations

import time
from queue import Empty
from typing import Any

from ministack.app import main
from ministack.core.lambda_runtime import Worker
from ministack.services import lambda_svc, sqs

# MiniStack answers an invocation only when its log has been silent for 5 ms, or after 50 ms
# without any line, and looks once in a millisecond.
_FIRST_LINE_SECONDS = 0.003

_receive_at_once = sqs._receive_messages_for_esm  # noqa: SLF001
_RECEIVED_AT_ONCE = 10


def read_log(worker: Worker, first_line_wait: float = _FIRST_LINE_SECONDS) -> str:
    """What a worker has printed: its first line is waited for, the rest is there or is left.

    What a handler prints is in the pipe before its answer is; a straggler is kept, and joins the
    log of the worker's next invocation.
    """
    lines = []
    try:
        lines.append(worker._stderr_queue.get(timeout=first_line_wait))  # noqa: SLF001
        while True:
            lines.append(worker._stderr_queue.get_nowait())  # noqa: SLF001
    except Empty:
        return "\n".join(lines)


def receive_by_window(queue_url: str, batch_size: int) -> list[dict[str, Any]]:
    """A trigger's next batch: full, or begun longer ago than its batching window; else empty."""
    window = _batching_window(queue_url)
    if not window:
        return list(_receive_at_once(queue_url, batch_size))
    now = time.time()
    waiting = [
        message["sent_at"]
        for message in list(sqs._queues.get(queue_url)["messages"])  # noqa: SLF001
        if message["visible_at"] <= now
    ]
    if not waiting or (len(waiting) < batch_size and min(waiting) + window > now):
        return []
    batch: list[dict[str, Any]] = []
    while more := _receive_at_once(queue_url, min(_RECEIVED_AT_ONCE, batch_size - len(batch))):
        batch += more
        if len(batch) >= batch_size:
            break
    return batch


def _batching_window(queue_url: str) -> float:
    """Seconds that the trigger of a queue gathers messages for."""
    queue_arn = sqs._queues.get(queue_url)["attributes"]["QueueArn"]  # noqa: SLF001
    for _, _, trigger in lambda_svc._iter_all_esms():  # noqa: SLF001
        if trigger.get("EventSourceArn") == queue_arn:
            return float(trigger.get("MaximumBatchingWindowInSeconds") or 0)
    return 0.0


if __name__ == "__main__":
    Worker._drain_stderr_bounded = read_log  # noqa: SLF001
    sqs._receive_messages_for_esm = receive_by_window  # noqa: SLF001
    main()
