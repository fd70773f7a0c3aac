"""Apply the retraining policy to what was noticed; record the yes or the no, with its reason."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from evergreen.cloud.runtime import Message, Stage, now, on_messages
from evergreen.contracts.events import Event, event_id
from evergreen.contracts.facts import (
    DriftDetected,
    Fact,
    LabelsJoined,
    PerformanceDropped,
    RetrainDeclined,
    RetrainRequested,
)
from evergreen.contracts.project_file import ProjectFile
from evergreen.monitoring.policy import Decision, decide
from evergreen.registry.identity import dataset_version
from evergreen.registry.ports import Record

SIGNAL = {DriftDetected: "drift", PerformanceDropped: "performance", LabelsJoined: "labels"}

SILENT_SECONDS = 3600
"""A retraining that is not judged after this long is not waited for."""

stage = Stage("decide_retrain", lease_seconds=90)


def take(message: Message) -> None:
    """Decide for the project that an event speaks of; without one, for all."""
    if "detail-type" in message.body and message.body["detail-type"] != "Scheduled Event":
        fact = message.event.fact
        note_signal(fact)
        consider(message, fact.project, fact)
        return
    for project in stage.catalogue.projects():
        consider(message, project, None)


def note_signal(fact: Fact) -> None:
    """Keep what was noticed until a retraining answers it."""
    kind = SIGNAL[type(fact)]
    known = dict(stage.catalogue.get(fact.project, "SIGNALS") or {})
    end = getattr(fact, "end", None) or newest_label(fact.project)
    known[kind] = max(filter(None, (known.get(kind), end)), default=now().isoformat())
    stage.catalogue.put(fact.project, "SIGNALS", "", known)


def newest_label(project: str) -> str | None:
    """When the newest labelled prediction happened."""
    latest = [str(body["latest"]) for body in stage.catalogue.newest(project, "LABELLED", 10_000)]
    return max(latest, default=None)


def consider(message: Message, project: str, fact: Fact | None) -> None:
    """One decision; nothing noticed since the last retraining needs none."""
    before = stage.catalogue.retraining(project)
    if before and not before.body["asked"]:
        # Whoever began it ended before it was asked for.
        ask(project, before)
        return
    file = stage.catalogue.project_file(project)
    signals = stage.catalogue.get(project, "SIGNALS") or {}
    wanted = [kind for kind in file.retraining.on if kind in signals] if file else []
    if file is None or not wanted:
        return
    parts = stage.catalogue.newest(project, "LABELLED", 10_000)
    last = before.body if before else {}
    clock = max(str(signals[kind]) for kind in signals)
    decision = decide(
        triggers=wanted,
        retraining=file.retraining,
        last_retrain_at=aware(last["at"]) if last else None,
        now=aware(clock),
        new_labels=sum(int(part["rows"]) for part in parts) - int(last.get("labels", 0)),
        running=is_running(project, last),
    )
    body = {
        "kind": "retraining",
        "at": now().isoformat(),
        "event_time": clock,
        "decision": "retrain" if decision.retrain else "decline",
        "reason": decision.reason,
        "because": decision.because,
        "signals": dict(signals),
        "asked_by": f"{fact.name}: {fact.summary}" if fact else "schedule",
    }
    identity = f"{body['at']}#{message.message_id}"
    if decision.retrain:
        if begun := begin(message, file, parts, body, identity, before):
            ask(project, begun)
    elif not said_before(project, decision):
        stage.catalogue.put(project, "DECISION", identity, body)
        stage.say(
            message,
            RetrainDeclined(
                project=project,
                reason=decision.reason,
                because=decision.because,
                decision=identity,
            ),
        )


def said_before(project: str, decision: Decision) -> bool:
    """Whether the last that was decided of the project is the same no, for the same reason."""
    last = next(iter(stage.catalogue.newest(project, "DECISION", 1)), {})
    return bool(last.get("decision") == "decline" and last.get("reason") == decision.reason)


def begin(
    message: Message,
    file: ProjectFile,
    parts: Sequence[Mapping[str, Any]],
    decision: Mapping[str, Any],
    identity: str,
    before: Record | None,
) -> Record | None:
    """Note a retraining that is to be asked for; None if another message has just begun one."""
    fact = RetrainRequested(
        project=file.project,
        reason=str(decision["reason"]),
        feedback=dataset_version(str(part["part"]) for part in parts) if parts else None,
        decision=identity,
    )
    event = Event(fact, event_id(identity, fact), message.correlation_id, now())
    body = {
        "at": decision["event_time"],
        "wall_at": decision["at"],
        "labels": sum(int(part["rows"]) for part in parts),
        "decision": dict(decision),
        "event": event.to_plain(),
        "asked": False,
    }
    version = before.version if before else 0
    if not stage.catalogue.begin_retraining(file.project, body, expected=version):
        return None
    return stage.catalogue.retraining(file.project)


def ask(project: str, begun: Record) -> None:
    """Ask for a retraining that was begun; asked twice, it is the same event."""
    event = Event.from_plain(begun.body["event"])
    identity = str(begun.body["event"]["detail"]["decision"])
    stage.catalogue.put(project, "DECISION", identity, begun.body["decision"])
    stage.catalogue.put(project, "SIGNALS", "", {})
    stage.say_events([event])
    asked = {**begun.body, "asked": True}
    stage.catalogue.begin_retraining(project, asked, expected=begun.version)


def is_running(project: str, last: Mapping[str, Any]) -> bool:
    """Whether the last retraining was not judged yet; one that is silent for an hour is over."""
    if not last:
        return False
    asked = aware(last["wall_at"])
    judged = stage.catalogue.get(project, "JUDGED")
    if judged and aware(judged["at"]) > asked:
        return False
    return (now() - asked).total_seconds() < SILENT_SECONDS


def aware(text: str) -> datetime:
    """A moment with its zone; UTC when it has none."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


handler = on_messages(take)
