"""Close a rung when all its trials are in; start the next one, or end the search."""

import json
from collections.abc import Mapping
from typing import Any

from evergreen.cloud.bus import send_commands
from evergreen.cloud.runtime import Message, Stage, on_messages
from evergreen.contracts.commands import RunTrial
from evergreen.contracts.facts import SearchFailed, SearchFinished, TrialFinished
from evergreen.contracts.project_file import Search
from evergreen.registry.derivations import Outcome, find_done
from evergreen.registry.identity import search_key, seed_of
from evergreen.registry.searches import (
    close_rung,
    closed_rungs,
    ending_of,
    finished_trials,
)
from evergreen.training.plan import (
    Ended,
    SearchFailedError,
    Trial,
    TrialResult,
    first_rung,
    next_rung,
)

stage = Stage("advance_search", lease_seconds=90)


def take(message: Message) -> None:
    """Go on with the search that a trial belongs to."""
    fact = message.event.fact
    assert isinstance(fact, TrialFinished)
    if find_done(stage.table, ending_of(fact.project, fact.search)):
        return
    plan = json.loads(stage.lake.read(search_key(fact.search)))
    search = Search.model_validate(plan["search"])
    results = [
        TrialResult.from_plain(result)
        for _, result in sorted(finished_trials(stage.table, fact.search).items())
    ]
    if not rung_is_complete(fact.search, plan, search, {r.trial.number for r in results}):
        return
    try:
        following = next_rung(results, plan["task"], search, plan["seed"])
    except SearchFailedError as error:
        reasons = tuple(dict.fromkeys(error.reasons))
        failed = SearchFailed(project=fact.project, search=fact.search, reasons=reasons)
        end(message, fact, Outcome((failed,)))
        return
    if isinstance(following, Ended):
        end(message, fact, finished(fact, plan, following, results))
        return
    rung = max(result.trial.rung for result in results)
    close_rung(
        stage.table, fact.search, rung, {"trials": [trial.to_plain() for trial in following]}
    )
    send_commands(
        stage.settings["RUN_TRIAL_QUEUE_URL"],
        [
            RunTrial(
                project=fact.project,
                search=fact.search,
                training_set=plan["training_set"],
                metric=plan["metric"],
                folds=search.folds,
                seed=seed_of(fact.search),
                trial=trial.to_plain(),
            )
            for trial in following
        ],
    )


def rung_is_complete(
    search: str, plan: Mapping[str, Any], settings: Search, finished: set[int]
) -> bool:
    """Whether every trial that was sent so far has its result."""
    sent = {trial.number for trial in first_rung(plan["task"], settings, plan["seed"])}
    for decided in closed_rungs(stage.table, search).values():
        sent |= {Trial.from_plain(trial).number for trial in decided["trials"]}
    return sent <= finished


def end(message: Message, fact: TrialFinished, outcome: Outcome) -> None:
    """Say how the search ended, once."""
    inputs = ending_of(fact.project, fact.search).inputs
    stage.derive(message, fact.project, inputs, lambda _: outcome)


def finished(
    fact: TrialFinished, plan: Mapping[str, Any], ended: Ended, results: list[TrialResult]
) -> Outcome:
    """The winner of a search as a fact."""
    winner = next(r for r in results if r.trial.number == ended.winner.number)
    return Outcome(
        (
            SearchFinished(
                project=fact.project,
                search=fact.search,
                training_set=plan["training_set"],
                winner=winner.trial.number,
                family=winner.trial.family,
                metric=winner.metric,
                score=winner.mean,
                trials=len(results),
                reason=ended.reason,
            ),
        ),
        {"winner": winner.to_plain()},
    )


handler = on_messages(take)
