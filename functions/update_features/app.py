"""Keep the events that queue messages tell of, so that `predict` can aggregate them."""

import time
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger

from evergreen.cloud.event_table import DynamoEventStore
from evergreen.cloud.runtime import Stage, now
from evergreen.contracts.feature_section import Feature
from evergreen.features.event_store import EventStore, StoredEvent
from evergreen.features.online_events import EventRefusedError, events_of, read_message

FEATURES_SECONDS = 2.0
"""How long a warm worker trusts what it last knew of a project's features."""

logger = Logger()
stage = Stage("update_features")
_features: dict[str, tuple[float, list[Feature]]] = {}


@cache
def store() -> EventStore:
    """Where events are kept."""
    return DynamoEventStore(stage.settings["FEATURE_TABLE"])


def features_of(project: str) -> list[Feature]:
    """What the newest project file declares."""
    known = _features.get(project)
    if known is None or time.monotonic() - known[0] > FEATURES_SECONDS:
        file = stage.catalogue.project_file(project)
        known = (time.monotonic(), file.features if file else [])
        _features[project] = known
    return known[1]


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Store a batch; what cannot be stored is delivered again alone."""
    events: list[StoredEvent] = []
    senders: list[str] = []
    failed: set[str] = set()
    expired = 0
    for record in event["Records"]:
        try:
            message = read_message(record["body"])
            told = events_of(message, features_of(message.project), now())
        except EventRefusedError as error:
            # After its last delivery it lies in the dead-letter queue, where somebody can look.
            logger.warning("event refused", message_id=record["messageId"], reason=str(error))
            failed.add(record["messageId"])
            continue
        expired += not told
        events += told
        senders += [record["messageId"]] * len(told)
    left = store().put(events)
    failed |= {senders[place] for place in left}
    logger.info(
        "features updated",
        messages=len(event["Records"]),
        events=len(events) - len(left),
        expired=expired,
        failed=len(failed),
    )
    return {"batchItemFailures": [{"itemIdentifier": name} for name in sorted(failed)]}
