"""The messages that wait in the stack's queues."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from local.stack import STACK

_VISIBLE = "ApproximateNumberOfMessages"
_IN_FLIGHT = "ApproximateNumberOfMessagesNotVisible"
_DELAYED = "ApproximateNumberOfMessagesDelayed"


def queue_depths(sqs: Any) -> Iterator[tuple[str, dict[str, int]]]:
    """Name and depths of each queue of the stack, as SQS names them; takes a boto3 client."""
    for page in sqs.get_paginator("list_queues").paginate(QueueNamePrefix=f"{STACK}-"):
        for url in page.get("QueueUrls", []):
            answer = sqs.get_queue_attributes(
                QueueUrl=url, AttributeNames=[_VISIBLE, _IN_FLIGHT, _DELAYED]
            )
            depths = {name: int(value) for name, value in answer["Attributes"].items()}
            yield url.rsplit("/", 1)[-1], depths


def waiting_messages(sqs: Any) -> Iterator[str]:
    """One line for each queue that is not empty, or one that says that all are."""
    empty = True
    for name, depths in queue_depths(sqs):
        if any(depths.values()):
            empty = False
            yield (
                f"{name}: {depths[_VISIBLE]} waiting, {depths[_IN_FLIGHT]} in work, "
                f"{depths[_DELAYED]} settling"
            )
    if empty:
        yield "no message waits in any queue"
