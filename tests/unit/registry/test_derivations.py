"""Work is done once by one worker, taken over when its worker dies, and said as often as asked."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evergreen.contracts.facts import DriftCheckRequested
from evergreen.registry.derivations import (
    LeaseLostError,
    Ledger,
    Outcome,
    Trigger,
    WorkInProgressError,
)
from evergreen.registry.identity import Derivation, dataset_version, digest_of
from evergreen.registry.memory import MemoryTable

TRIGGER = Trigger("correlation", {"stage": "fit_model", "body": {"a": 1}})
WORK = Derivation("fit_model", "penguins", {"training_set": "abc"})


class Hands:
    """A clock that is set, and work that counts how often it was done."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 1, tzinfo=UTC)
        self.done = 0

    def clock(self) -> datetime:
        return self.time

    def work(self) -> Outcome:
        self.done += 1
        return Outcome((DriftCheckRequested(project="penguins"),), {"model": "m" * 32})


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def ledger(hands: Hands) -> Ledger:
    return Ledger(MemoryTable(), hands.clock, lease_seconds=100)


def test_equal_work_is_done_once_and_says_the_same_events(ledger: Ledger, hands: Hands) -> None:
    first = ledger.derive(WORK, TRIGGER, hands.work)
    hands.time += timedelta(days=30)
    again = ledger.derive(WORK, TRIGGER, hands.work)
    assert (first.fresh, again.fresh, hands.done) == (True, False, 1)
    assert again.events == first.events


def test_a_second_worker_is_turned_away_while_the_lease_holds(ledger: Ledger, hands: Hands) -> None:
    def work() -> Outcome:
        with pytest.raises(WorkInProgressError):
            ledger.derive(WORK, TRIGGER, hands.work)
        return Outcome(())

    ledger.derive(WORK, TRIGGER, work)
    assert hands.done == 0


def test_a_lease_that_ran_out_is_taken_over_and_the_late_worker_is_fenced_off(
    ledger: Ledger, hands: Hands
) -> None:
    def slow() -> Outcome:
        hands.time += timedelta(seconds=101)
        ledger.derive(WORK, TRIGGER, hands.work)
        return Outcome((), {"model": "too late"})

    with pytest.raises(LeaseLostError):
        ledger.derive(WORK, TRIGGER, slow)
    assert ledger.derive(WORK, TRIGGER, hands.work).output == {"model": "m" * 32}


def test_work_that_raises_is_listed_with_its_error_and_may_be_tried_at_once(
    ledger: Ledger, hands: Hands
) -> None:
    def broken() -> Outcome:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        ledger.derive(WORK, TRIGGER, broken)
    (record,) = ledger.table.overdue(hands.time.timestamp() + 61)
    assert record.body["error"] == "OSError: disk full"
    assert record.body["trigger"]["body"] == {"a": 1}
    assert ledger.derive(WORK, TRIGGER, hands.work).fresh


def test_finished_work_is_not_overdue(ledger: Ledger, hands: Hands) -> None:
    ledger.derive(WORK, TRIGGER, hands.work)
    assert not ledger.table.overdue(hands.time.timestamp() + 1e6)


def test_an_output_leads_back_to_its_derivation(ledger: Ledger, hands: Hands) -> None:
    ledger.derive(WORK, TRIGGER, hands.work)
    (pointer,) = ledger.table.query("OUTPUT#" + "m" * 32)
    assert pointer.body["derivation"] == WORK.key


def test_the_key_depends_on_stage_and_inputs() -> None:
    keys = {
        Derivation(stage, "penguins", inputs).key
        for stage in ("fit_model", "run_trial")
        for inputs in ({"training_set": "abc"}, {"training_set": "abd"})
    }
    assert len(keys) == 4


@given(st.dictionaries(st.text(), st.one_of(st.integers(), st.text(), st.none())))
def test_the_order_of_keys_does_not_change_a_digest(value: dict[str, object]) -> None:
    assert digest_of(value) == digest_of(dict(reversed(value.items())))


@given(st.lists(st.text(min_size=1), min_size=1))
def test_a_dataset_version_is_the_set_of_its_parts(parts: list[str]) -> None:
    assert dataset_version(parts) == dataset_version([*reversed(parts), parts[0]])
