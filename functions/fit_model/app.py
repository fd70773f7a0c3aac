"""Refit the winner on all rows to learn from, calibrate it, and export one graph."""

import io
import json
import time

import numpy as np

from evergreen.cloud.runtime import Message, Stage, on_messages
from evergreen.contracts.facts import ModelFitted, SearchFinished
from evergreen.features.signature import Signature
from evergreen.features.training_set import TrainingSet
from evergreen.registry.derivations import Outcome
from evergreen.registry.identity import (
    Derivation,
    digest_of_bytes,
    graph_key,
    model_file_key,
    model_reference_key,
    search_key,
    training_reference_key,
    training_set_key,
)
from evergreen.registry.searches import finished_trials
from evergreen.training.export import export
from evergreen.training.fit import fit
from evergreen.training.plan import Trial, TrialResult

stage = Stage("fit_model")


def take(message: Message) -> None:
    """Fit the winner of one search; the same winner on the same rows is the same model."""
    fact = message.event.fact
    assert isinstance(fact, SearchFinished)
    plan = json.loads(stage.lake.read(search_key(fact.search)))
    result = TrialResult.from_plain(finished_trials(stage.table, fact.search)[fact.winner])
    inputs = {
        "training_set": fact.training_set,
        "signature": plan["signature"],
        "family": result.trial.family,
        "parameters": dict(result.trial.parameters),
    }
    stage.derive(message, fact.project, inputs, lambda work: make(work, fact, result.trial))


def make(derivation: Derivation, fact: SearchFinished, trial: Trial) -> Outcome:
    """Fit, export, and store what evaluation compares the graph with."""
    started = time.monotonic()
    signature = Signature.from_json(json.dumps(derivation.inputs["signature"]))
    content = stage.lake.read(training_set_key(fact.training_set))
    training_set = TrainingSet.from_bytes(content).with_columns(signature)
    fitted = fit(training_set, trial, derivation.seed)
    graph = export(fitted)
    predictions = io.BytesIO()
    np.savez_compressed(predictions, fitted=fitted.predict(training_set.part(holdout=True).rows))
    model = derivation.key
    stage.lake.write(graph_key(model), graph)
    stage.lake.write(model_file_key(model, "signature.json"), signature.to_json().encode())
    for digest in signature.recipe.snapshots if signature.recipe else ():
        snapshot = stage.lake.read(training_reference_key(fact.training_set, digest))
        stage.lake.write(model_reference_key(model, digest), snapshot)
    stage.lake.write(model_file_key(model, "fitted.npz"), predictions.getvalue())
    known = {
        "model": model,
        "training_set": fact.training_set,
        "search": fact.search,
        "family": trial.family,
        "parameters": dict(trial.parameters),
        "calibrated": fitted.calibrated,
        "graph_digest": digest_of_bytes(graph),
        "size_bytes": len(graph),
    }
    stage.catalogue.put_model(fact.project, model, known)
    return Outcome(
        (
            ModelFitted(
                project=fact.project,
                model=model,
                training_set=fact.training_set,
                family=trial.family,
                calibrated=fitted.calibrated,
                size_bytes=len(graph),
                seconds=round(time.monotonic() - started, 3),
            ),
        ),
        {"model": model, "graph_digest": known["graph_digest"]},
    )


handler = on_messages(take)
