"""Apply the retraining policy to what was noticed; record the yes or the no, with its reason."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from evergreen.cloud.runtime import Message, Stage, now, on_messages
from evergreen.contracts.facts import (
    DriftDetected,
    Fact,
    LabelsJoined,
    PerformanceDropped,
    RetrainDeclined,
    RetrainRequested,
)
from evergreen.contracts.project_file import ProjectFile
from evergreen.monitoring.policy import decide
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
    file = stage.catalogue.project_file(project)
    signals = stage.catalogue.get(project, "SIGNALS") or {}
    wanted = [kind for kind in file.retraining.on if kind in signals] if file else []
    if file is None or not wanted:
        return
    parts = stage.catalogue.newest(project, "LABELLED", 10_000)
    before = stage.catalogue.retraining(project)
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
    identity = f"{now().isoformat()}#{message.message_id}"
    because = f"{fact.name}: {fact.summary}" if fact else "schedule"
    body = {
        "kind": "retraining",
        "at": now().isoformat(),
        "event_time": clock,
        "decision": "retrain" if decision.retrain else "decline",
        "reason": decision.reason,
        "because": decision.because,
        "signals": dict(signals),
        "asked_by": because,
    }
    if decision.retrain and not begin(file, parts, clock, identity, before):
        return  # Another message has just asked; it has said why.
    stage.catalogue.put(project, "DECISION", identity, body)
    if not decision.retrain:
        stage.say(
            message,
            RetrainDeclined(
                project=project,
                reason=decision.reason,
                because=decision.because,
                decision=identity,
            ),
        )
        return
    feedback = dataset_version(str(part["part"]) for part in parts) if parts else None
    stage.catalogue.put(project, "SIGNALS", "", {})
    stage.say(
        message,
        RetrainRequested(
            project=project, reason=decision.reason, feedback=feedback, decision=identity
        ),
    )


def begin(
    file: ProjectFile,
    parts: Sequence[Mapping[str, Any]],
    clock: str,
    identity: str,
    before: Record | None,
) -> bool:
    """Remember what a retraining answers; False if another began meanwhile."""
    body = {
        "at": clock,
        "wall_at": now().isoformat(),
        "labels": sum(int(part["rows"]) for part in parts),
        "decision": identity,
    }
    return stage.catalogue.begin_retraining(
        file.project, body, expected=before.version if before else 0
    )


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
