"""Find what nothing else wakes: work that was begun and never finished, waivers that are over."""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from evergreen.cloud.clients import client
from evergreen.cloud.runtime import Message, Stage, now, on_messages
from evergreen.contracts.data_section import Waiver
from evergreen.contracts.events import Event, event_id
from evergreen.contracts.facts import WaiverEnded, WorkResent
from evergreen.data.waivers import Waivers
from evergreen.registry.catalogue import project_pk
from evergreen.registry.derivations import MAXIMUM_ATTEMPTS
from evergreen.registry.identity import digest_of
from evergreen.registry.ports import Record

AGAIN_SECONDS = 900

stage = Stage("sweep", lease_seconds=180)


def take(message: Message) -> None:
    """Look through all work whose lease ran out, and through the waivers of all projects."""
    for record in stage.table.overdue(now().timestamp()):
        resend(message, record)
    for project in stage.catalogue.projects():
        file = stage.catalogue.project_file(project)
        for dataset, declared in (file.data if file else {}).items():
            for waiver in Waivers.at(declared, now()).over:
                say_ended(message, project, dataset, waiver)


def resend(message: Message, record: Record) -> None:
    """Send the message that asked for the work again, unless it was tried often enough."""
    body = dict(record.body)
    attempts = int(body["attempts"])
    give_up = attempts >= MAXIMUM_ATTEMPTS
    until = None if give_up else now().timestamp() + AGAIN_SECONDS
    status = {"status": "given up"} if give_up else {}
    if not stage.table.put(
        record.pk, record.sk, body | status, expected=record.version, open_until=until
    ):
        return  # The worker came back, or another sweep was quicker.
    if not give_up:
        queue = json.loads(stage.settings["STAGE_QUEUES"])[body["trigger"]["stage"]]
        client("sqs").send_message(QueueUrl=queue, MessageBody=json.dumps(body["trigger"]["body"]))
    fact = WorkResent(
        project=body["project"],
        stage=body["stage"],
        derivation=record.pk.removeprefix("DERIVATION#"),
        attempts=attempts,
        outcome="given up" if give_up else "resent",
    )
    stage.say(message, fact)


def say_ended(message: Message, project: str, dataset: str, waiver: Waiver) -> None:
    """Say that a waiver is over, once for the parts that were judged while it held."""
    version = stage.catalogue.dataset(project, dataset)
    parts = {
        key: part["part"]
        for key, part in (version.parts if version else {}).items()
        if day_judged(part) <= waiver.until
    }
    if not parts:
        return
    # A part that is refused now stays as it was judged: of that it is said once, too.
    identity = digest_of([dataset, waiver.model_dump(mode="json"), parts])
    fact = WaiverEnded(
        project=project,
        dataset=dataset,
        constraint=waiver.constraint,
        author=waiver.author,
        until=waiver.until,
        parts=len(parts),
    )
    say_once(Event(fact, event_id(identity, fact), message.correlation_id, now()))


def say_once(event: Event) -> None:
    """Say an event, unless a sweep has said it or is about to."""
    pk, sk = project_pk(event.fact.project), f"SAID#{event.event_id}"
    if not stage.table.put(pk, sk, event.to_plain(), expected=0):
        record = stage.table.get(pk, sk)
        if not record or "said" in record.body:
            return
        event = Event.from_plain(record.body)
        if (now() - event.occurred_at).total_seconds() < AGAIN_SECONDS:
            return
    stage.say_events([event])
    stage.table.put(pk, sk, {**event.to_plain(), "said": True}, expected=1)


def day_judged(part: Mapping[str, Any]) -> date:
    """The day (UTC) by which a part was judged."""
    moment = datetime.fromisoformat(part.get("judged_at", part["uploaded"]))
    return moment.astimezone(UTC).date()


handler = on_messages(take)
