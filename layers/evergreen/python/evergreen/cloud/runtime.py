"""What every queue-woken handler shares: messages in, one at a time; events out."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from uuid import uuid4

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from evergreen.cloud.bus import LifecycleBus
from evergreen.cloud.lake import S3Lake
from evergreen.cloud.settings import Settings
from evergreen.cloud.table import DynamoTable
from evergreen.contracts.events import Event, event_id, read_event
from evergreen.contracts.facts import Fact
from evergreen.registry.catalogue import Catalogue
from evergreen.registry.derivations import (
    Derived,
    Ledger,
    Outcome,
    Trigger,
    WorkInProgressError,
)
from evergreen.registry.identity import Derivation
from evergreen.registry.journey import record_journey

logger = Logger()

ASK_AGAIN_SECONDS = 0.25
"""Between two looks at work that another worker does."""


def now() -> datetime:
    """The clock of the deployed functions."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Stage:
    """One function's connections to the cloud; `lease_seconds` outlive its timeout."""

    name: str
    lease_seconds: float = 960

    @cached_property
    def settings(self) -> Settings:
        """The function's environment."""
        return Settings.from_environment()

    @cached_property
    def table(self) -> DynamoTable:
        """The catalogue table."""
        return DynamoTable(self.settings["CATALOGUE_TABLE"])

    @cached_property
    def catalogue(self) -> Catalogue:
        """What exists in the projects."""
        return Catalogue(self.table)

    @cached_property
    def lake(self) -> S3Lake:
        """The outputs of all stages."""
        return S3Lake(self.settings["LAKE_BUCKET"])

    @cached_property
    def bus(self) -> LifecycleBus:
        """Where facts are said."""
        return LifecycleBus(self.settings["LIFECYCLE_BUS"], self.name)

    @cached_property
    def ledger(self) -> Ledger:
        """The derivation records."""
        return Ledger(self.table, now, self.lease_seconds, self.settings.memory_mb)

    def derive(
        self,
        message: Message,
        project: str,
        inputs: Mapping[str, Any],
        work: Callable[[Derivation], Outcome],
        *,
        patience: float = 0,
    ) -> Mapping[str, Any]:
        """Do work once, and say what it says; its output.

        `patience`: seconds to wait for another worker that does the same work, for a caller who
        does something with the output that the other worker does not. Raises
        WorkInProgressError without patience, and TimeoutError when it ends.
        """
        derivation = Derivation(self.name, project, inputs)
        trigger = message.trigger(self.name)
        derived = self._derived(derivation, trigger, work, patience)
        logger.info(
            "derived", stage=self.name, key=derivation.key, fresh=derived.fresh, project=project
        )
        self.say_events(derived.events)
        return derived.output

    def _derived(
        self,
        derivation: Derivation,
        trigger: Trigger,
        work: Callable[[Derivation], Outcome],
        patience: float,
    ) -> Derived:
        deadline = time.monotonic() + patience
        while True:
            try:
                return self.ledger.derive(derivation, trigger, lambda: work(derivation))
            except WorkInProgressError as busy:
                if not patience:
                    raise
                if time.monotonic() > deadline:
                    raise TimeoutError(f"waited {patience:.0f} s: {busy}") from busy
                time.sleep(ASK_AGAIN_SECONDS)

    def say(self, message: Message, *facts: Fact) -> None:
        """Say facts that no derivation keeps; equal for equal messages."""
        self.say_events(
            [
                Event(fact, event_id(message.message_id, fact), message.correlation_id, now())
                for fact in facts
            ]
        )

    def say_events(self, events: Sequence[Event]) -> None:
        """Note events in the journey and hand them to the bus."""
        record_journey(self.table, events)
        self.bus.publish(events)


@dataclass(frozen=True)
class Message:
    """One queue message: an EventBridge envelope or a command, as plain JSON."""

    message_id: str
    body: Mapping[str, Any]

    @property
    def event(self) -> Event:
        """The lifecycle event in it; raises ValueError for another body."""
        return read_event(self.body["detail-type"], self.body["detail"])

    @property
    def correlation_id(self) -> str:
        """Of the event in it; a message from outside begins a new correlation."""
        detail = self.body.get("detail") or {}
        return str(detail.get("correlation_id") or self.body.get("id") or self.message_id)

    def trigger(self, stage: str) -> Trigger:
        """What to send again should the work be lost."""
        return Trigger(self.correlation_id, {"stage": stage, "body": dict(self.body)})


def on_messages(
    handle: Callable[[Message], None],
) -> Callable[[dict[str, Any], LambdaContext], PartialItemFailureResponse]:
    """A Lambda handler that gives each queue message to `handle`.

    A message whose handling raises is reported as failed, alone; the queue delivers it again
    and, after its last attempt, moves it to the dead-letter queue.
    """

    def take(record: SQSRecord) -> None:
        message = Message(record.message_id or str(uuid4()), json.loads(record.body))
        try:
            handle(message)
        except WorkInProgressError as busy:
            # The worker that holds the lease will say the events; should it die, `sweep` sends
            # its message again. Waiting here for the visibility timeout would gain nothing.
            logger.info("work in progress elsewhere", reason=str(busy))
        except Exception:
            logger.exception("message failed", message_id=message.message_id)
            raise

    def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
        processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
        logger.info("messages", count=len(event["Records"]))
        if not event["Records"]:  # a worker that is only being warmed
            return {"batchItemFailures": []}
        return process_partial_response(event, take, processor, context)

    return handler
