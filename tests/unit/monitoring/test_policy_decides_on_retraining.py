from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evergreen.contracts.project_file import Retraining
from evergreen.monitoring.policy import Because, Trigger, decide

NOW = datetime(2013, 4, 10, 12, tzinfo=UTC)
RETRAINING = Retraining(on=["drift", "performance"], cooldown=timedelta(days=1), minimum_labels=500)
YESTERDAY = NOW - timedelta(days=1)


@pytest.mark.parametrize(
    ("triggers", "last", "labels", "running", "retrain", "because"),
    [
        ([], None, 900, False, False, "nothing_noticed"),
        (["drift"], None, 500, False, True, "drift"),
        (["drift"], None, 499, False, False, "few_labels"),
        (["drift"], YESTERDAY, 500, False, True, "drift"),
        (["drift"], YESTERDAY + timedelta(seconds=1), 500, False, False, "cooldown"),
        (["drift"], NOW + timedelta(days=9), 500, False, False, "cooldown"),
        (["drift"], None, 500, True, False, "already_running"),
        (["labels"], None, 500, False, False, "trigger_disabled"),
        (["labels", "performance"], None, 500, False, True, "performance"),
        (["drift", "performance"], None, 500, False, True, "performance"),
    ],
)
def test_the_policy_follows_its_table(
    triggers: list[Trigger],
    last: datetime | None,
    labels: int,
    running: bool,  # noqa: FBT001
    retrain: bool,  # noqa: FBT001
    because: Because,
) -> None:
    decision = decide(triggers, RETRAINING, last, NOW, labels, running=running)
    assert (decision.retrain, decision.because) == (retrain, because)


TRIGGERS = st.sets(st.sampled_from(get_args(Trigger)))
CLOCKS = st.datetimes(
    min_value=datetime(2000, 1, 1),  # noqa: DTZ001
    max_value=datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.sampled_from([None, UTC]),
)


@given(
    triggers=TRIGGERS,
    allowed=TRIGGERS,
    last=st.none() | CLOCKS,
    now=CLOCKS,
    labels=st.integers(0, 2000),
    running=st.booleans(),
)
def test_every_case_is_decided_and_a_yes_names_an_enabled_trigger(
    triggers: set[Trigger],
    allowed: set[Trigger],
    last: datetime | None,
    now: datetime,
    labels: int,
    running: bool,  # noqa: FBT001
) -> None:
    retraining = RETRAINING.model_copy(update={"on": sorted(allowed)})
    decision = decide(triggers, retraining, last, now, labels, running=running)
    assert decision.reason.startswith("Retraining:" if decision.retrain else "Not retraining:")
    if decision.retrain:
        assert decision.because in triggers & allowed
        assert labels >= retraining.minimum_labels
        assert not running


def test_the_reason_says_what_would_have_to_change() -> None:
    cooling = decide(["drift"], RETRAINING, NOW - timedelta(hours=6), NOW, 900)
    few = decide(["drift"], RETRAINING, None, NOW, 12)
    disabled = decide(["labels"], RETRAINING, None, NOW, 900)
    assert "cooldown lasts until 2013-04-11 06:00 UTC" in cooling.reason
    assert "only 12 labelled predictions are new" in few.reason
    assert "500 are needed" in few.reason
    assert "`retraining.on` of the project lists drift, performance" in disabled.reason
