"""Cross-validate one configuration of a search."""

import json

from evergreen.cloud.runtime import Message, Stage, on_messages
from evergreen.contracts.commands import RunTrial
from evergreen.contracts.facts import TrialFinished
from evergreen.features.signature import Signature
from evergreen.features.training_set import TrainingSet
from evergreen.registry.derivations import Outcome
from evergreen.registry.identity import Derivation, search_key, training_set_key
from evergreen.registry.searches import record_trial
from evergreen.training.plan import Trial
from evergreen.training.trial import run_trial

stage = Stage("run_trial")
_loaded: dict[str, TrainingSet] = {}


def take(message: Message) -> None:
    """Run one trial, once."""
    asked = RunTrial.model_validate(message.body)
    inputs = asked.model_dump(mode="json", exclude={"project"})
    output = stage.derive(message, asked.project, inputs, lambda work: run(work, asked))
    record_trial(stage.table, asked.search, output["result"])


def run(derivation: Derivation, asked: RunTrial) -> Outcome:
    """Fit and score the configuration on each fold."""
    result = run_trial(
        training_set(asked), Trial.from_plain(asked.trial), asked.folds, asked.metric, asked.seed
    )
    record_trial(stage.table, asked.search, result.to_plain())
    fact = TrialFinished(
        project=asked.project,
        search=asked.search,
        rung=result.trial.rung,
        trial=result.trial.number,
        family=result.trial.family,
        metric=asked.metric,
        score=None if result.failed else result.mean,
        seconds=result.seconds,
        failed=result.failed,
    )
    return Outcome((fact,), {"result": result.to_plain()})


def training_set(asked: RunTrial) -> TrainingSet:
    """The arrays with the columns that the search chose; a warm worker keeps the last."""
    if asked.search not in _loaded:
        plan = json.loads(stage.lake.read(search_key(asked.search)))
        whole = TrainingSet.from_bytes(stage.lake.read(training_set_key(asked.training_set)))
        _loaded.clear()
        signature = Signature.from_json(json.dumps(plan["signature"]))
        _loaded[asked.search] = whole.with_columns(signature)
    return _loaded[asked.search]


handler = on_messages(take)
