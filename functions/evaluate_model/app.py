"""Score the exported graph on the untouched holdout, through the code that serves it."""

import io
import json

import numpy as np

from evergreen.cloud.runtime import Message, Stage, on_messages
from evergreen.contracts.facts import ModelEvaluated, ModelFitted
from evergreen.evaluation.card import render_card
from evergreen.evaluation.evaluation import evaluate
from evergreen.features.signature import Signature
from evergreen.features.training_set import TrainingSet
from evergreen.registry.derivations import Outcome
from evergreen.registry.identity import (
    Derivation,
    graph_key,
    model_file_key,
    training_record_key,
    training_set_key,
)
from evergreen.serving.graph import ServingGraph

stage = Stage("evaluate_model", lease_seconds=360)


def take(message: Message) -> None:
    """Evaluate one model, once."""
    fact = message.event.fact
    assert isinstance(fact, ModelFitted)
    inputs = {"model": fact.model, "training_set": fact.training_set}
    stage.derive(message, fact.project, inputs, lambda work: judge(work, fact))


def judge(derivation: Derivation, fact: ModelFitted) -> Outcome:
    """Measure, and write evaluation, card and the predictions that drift is compared with."""
    signature = Signature.from_json(stage.lake.read(model_file_key(fact.model, "signature.json")))
    content = stage.lake.read(training_set_key(fact.training_set))
    training_set = TrainingSet.from_bytes(content).with_columns(signature)
    holdout = training_set.part(holdout=True)
    graph = stage.lake.read(graph_key(fact.model))
    predictions = ServingGraph.load(graph, signature).predict(holdout.rows)
    with np.load(
        io.BytesIO(stage.lake.read(model_file_key(fact.model, "fitted.npz"))), allow_pickle=False
    ) as arrays:
        fitted = arrays["fitted"]
    evaluation = evaluate(training_set, predictions, fitted, len(graph), derivation.seed)
    stored = io.BytesIO()
    np.savez_compressed(stored, predictions=predictions, target=holdout.target)
    record = json.loads(stage.lake.read(training_record_key(fact.training_set)))
    model = stage.catalogue.model(fact.project, fact.model) or {}
    card = render_card(fact.project, model, signature, record, evaluation, holdout, predictions)
    plain = evaluation.to_plain()
    stage.lake.write(model_file_key(fact.model, "holdout.npz"), stored.getvalue())
    stage.lake.write(model_file_key(fact.model, "evaluation.json"), json.dumps(plain).encode())
    stage.lake.write(model_file_key(fact.model, "card.html"), card.encode())
    metrics = {name: measured.value for name, measured in evaluation.metrics.items()}
    stage.catalogue.put_model(
        fact.project,
        fact.model,
        {
            "metrics": plain["metrics"],
            "datasets": record["inputs"]["datasets"],
            "card": model_file_key(fact.model, "card.html"),
        },
    )
    return Outcome(
        (
            ModelEvaluated(
                project=fact.project,
                model=fact.model,
                training_set=fact.training_set,
                metrics=metrics,
                agrees=evaluation.agreement.agrees,
            ),
        ),
        {"evaluation": derivation.key},
    )


handler = on_messages(take)
