"""Look for leaks, choose columns, and send the first rung of trials."""

import json

from evergreen.cloud.bus import send_commands
from evergreen.cloud.runtime import Message, Stage, on_messages
from evergreen.contracts.commands import RunTrial
from evergreen.contracts.facts import SearchFailed, SearchPlanned, TrainingSetPrepared
from evergreen.contracts.project_file import Search
from evergreen.evaluation.metric_choice import MetricMismatchError, search_metric
from evergreen.features.training_set import TrainingSet
from evergreen.registry.derivations import Outcome, find_done
from evergreen.registry.identity import Derivation, search_key, seed_of, training_set_key
from evergreen.registry.searches import ending_of, finished_trials
from evergreen.training.leak_probe import feature_choice, probe
from evergreen.training.plan import Trial, first_rung

stage = Stage("plan_search", lease_seconds=180)


def take(message: Message) -> None:
    """Plan the search over one training set; an equal search that ended is only said again."""
    fact = message.event.fact
    assert isinstance(fact, TrainingSetPrepared)
    file = stage.catalogue.project_file(fact.project)
    if file is None:
        return
    search = file.search
    inputs = {"training_set": fact.training_set, "search": search.model_dump(mode="json")}
    output = stage.derive(message, fact.project, inputs, lambda work: plan(work, fact, search))
    if "trials" not in output:
        return
    ended = find_done(stage.table, ending_of(fact.project, output["search"]))
    if ended:
        stage.say_events(ended.events)
        return
    finished = finished_trials(stage.table, output["search"])
    send_commands(
        stage.settings["RUN_TRIAL_QUEUE_URL"],
        [
            command(fact, output["search"], output["metric"], search, Trial.from_plain(trial))
            for trial in output["trials"]
            if int(trial["number"]) not in finished
        ],
    )


def plan(derivation: Derivation, fact: TrainingSetPrepared, search: Search) -> Outcome:
    """Choose columns and the first rung."""
    training_set = TrainingSet.from_bytes(stage.lake.read(training_set_key(fact.training_set)))
    reasons = dict(feature_choice(training_set))
    for suspect in probe(training_set, derivation.seed):
        reasons.setdefault(
            suspect.column,
            f"alone it predicts the target ({suspect.metric} {suspect.score:.3f}): "
            "it looks like a leak",
        )
    leaves_something = len(reasons) < len(training_set.signature.columns)
    signature = (
        training_set.signature.without(reasons) if leaves_something else training_set.signature
    )
    task = signature.task.value
    try:
        metric = search_metric(search.metric, task)
    except MetricMismatchError as error:
        problem = f"search.metric in project.yaml: {error}"
        failed = SearchFailed(project=fact.project, search=derivation.key, reasons=(problem,))
        return Outcome((failed,))
    trials = first_rung(task, search, derivation.seed)
    stage.lake.write(
        search_key(derivation.key),
        json.dumps(
            {
                "training_set": fact.training_set,
                "search": search.model_dump(mode="json"),
                "metric": metric,
                "task": task,
                "seed": derivation.seed,
                "signature": json.loads(signature.to_json()),
                "ignored": reasons if leaves_something else {},
            }
        ).encode(),
    )
    return Outcome(
        (
            SearchPlanned(
                project=fact.project,
                search=derivation.key,
                training_set=fact.training_set,
                metric=metric,
                trials=len(trials),
                ignored=tuple(sorted(reasons)) if leaves_something else (),
            ),
        ),
        {
            "search": derivation.key,
            "metric": metric,
            "trials": [trial.to_plain() for trial in trials],
        },
    )


def command(
    fact: TrainingSetPrepared, search: str, metric: str, settings: Search, trial: Trial
) -> RunTrial:
    """The message that asks for one trial."""
    return RunTrial(
        project=fact.project,
        search=search,
        training_set=fact.training_set,
        metric=metric,
        folds=settings.folds,
        seed=seed_of(search),
        trial=trial.to_plain(),
    )


handler = on_messages(take)
