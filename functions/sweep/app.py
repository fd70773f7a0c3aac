"""Find work that was begun and never finished; send it again, or give it up and say so."""

import json

from evergreen.cloud.clients import client
from evergreen.cloud.runtime import Message, Stage, now, on_messages
from evergreen.contracts.facts import WorkResent
from evergreen.registry.derivations import MAXIMUM_ATTEMPTS
from evergreen.registry.ports import Record

AGAIN_SECONDS = 900

stage = Stage("sweep", lease_seconds=180)


def take(message: Message) -> None:
    """Look through all work whose lease ran out."""
    for record in stage.table.overdue(now().timestamp()):
        resend(message, record)


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


handler = on_messages(take)
