"""The retraining policy: whether what was noticed asks for a new model now."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from evergreen.contracts.project_file import Retraining

Trigger = Literal["drift", "performance", "labels"]
Because = Literal[
    "drift",
    "performance",
    "labels",
    "nothing_noticed",
    "trigger_disabled",
    "already_running",
    "cooldown",
    "few_labels",
]

NOTICED: dict[Trigger, str] = {
    "performance": "performance dropped",
    "drift": "the data drifted",
    "labels": "new labels arrived",
}
"""What each trigger means, the most urgent first: it names the decision when several fired."""


@dataclass(frozen=True)
class Decision:
    """A yes or a no, the sentence that explains it, and its code for programs."""

    retrain: bool
    reason: str
    because: Because


def decide(
    triggers: Collection[Trigger],
    retraining: Retraining,
    last_retrain_at: datetime | None,
    now: datetime,
    new_labels: int,
    *,
    running: bool = False,
) -> Decision:
    """Apply the policy; times are of the event clock (a naive time is UTC).

    `new_labels` counts labelled predictions that the champion was not trained on: with too few of
    them a retraining would see what the last one saw, whatever the alarm. `last_retrain_at` is
    when the last retraining was asked for, None if never; `running` says that one has not ended.
    """
    fired = [trigger for trigger in NOTICED if trigger in triggers]
    enabled = [trigger for trigger in fired if trigger in retraining.on]
    noticed = " and ".join(NOTICED[trigger] for trigger in enabled or fired)
    over_at = _utc(last_retrain_at) + retraining.cooldown if last_retrain_at else None
    if not fired:
        return _no("nothing_noticed", "nothing was noticed")
    if not enabled:
        listed = ", ".join(retraining.on) or "nothing"
        return _no(
            "trigger_disabled", f"{noticed}, but `retraining.on` of the project lists {listed}"
        )
    if running:
        return _no("already_running", f"{noticed}, and a retraining is running")
    if over_at is not None and _utc(now) < over_at:
        return _no(
            "cooldown",
            f"{noticed}, but after the last retraining the cooldown lasts until"
            f" {over_at:%Y-%m-%d %H:%M} UTC",
        )
    if new_labels < retraining.minimum_labels:
        return _no(
            "few_labels",
            f"{noticed}, but only {new_labels} labelled predictions are new since the champion"
            f" was trained; {retraining.minimum_labels} are needed",
        )
    reason = f"Retraining: {noticed}, and there are {new_labels} new labels to learn from."
    return Decision(retrain=True, reason=reason, because=enabled[0])


def _no(because: Because, reason: str) -> Decision:
    return Decision(retrain=False, reason=f"Not retraining: {reason}.", because=because)


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
