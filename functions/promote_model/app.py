"""Judge an evaluated model by the goals and against the champion, and move the alias."""

import json
from dataclasses import asdict
from typing import Any

from evergreen.cloud.runtime import Message, Stage, now, on_messages
from evergreen.contracts.facts import Fact, ModelEvaluated, ModelHeld, ModelPromoted
from evergreen.contracts.project_file import ProjectFile
from evergreen.evaluation.comparison import Comparison, compare
from evergreen.evaluation.evaluation import Evaluation
from evergreen.evaluation.gates import Judgement, judge
from evergreen.features.signature import Signature
from evergreen.features.training_set import TrainingSet
from evergreen.registry.catalogue import CHAMPION, ContendedError
from evergreen.registry.derivations import Outcome
from evergreen.registry.identity import (
    Derivation,
    graph_key,
    model_file_key,
    training_set_key,
)
from evergreen.registry.ports import Record
from evergreen.serving.graph import ServingGraph

stage = Stage("promote_model", lease_seconds=360)


def take(message: Message) -> None:
    """Judge one model; again when the goals or the champion changed, and only then."""
    fact = message.event.fact
    assert isinstance(fact, ModelEvaluated)
    file = stage.catalogue.project_file(fact.project)
    if file is None:
        return
    alias = stage.catalogue.alias(fact.project)
    inputs = {
        "model": fact.model,
        "champion": alias.body["model"] if alias else None,
        "judgement": file.sections()["judgement"],
    }
    stage.derive(message, fact.project, inputs, lambda work: decide(work, fact, file, alias))
    note_keys(file)
    stage.catalogue.put(fact.project, "JUDGED", "", {"model": fact.model, "at": now().isoformat()})


def decide(
    derivation: Derivation, fact: ModelEvaluated, file: ProjectFile, alias: Record | None
) -> Outcome:
    """Promote or hold, with the reason; a champion that is judged again keeps serving."""
    champion = str(alias.body["model"]) if alias else None
    evaluation = Evaluation.from_plain(
        json.loads(stage.lake.read(model_file_key(fact.model, "evaluation.json")))
    )
    comparison = None
    if champion and champion != fact.model:
        comparison = against(champion, fact, file, derivation.seed)
    judgement = judge(evaluation, file.goals, comparison, file.promotion)
    note(derivation, fact, judgement)
    if champion == fact.model:
        if judgement.promote:
            return Outcome(())
        reason = f"it stays champion, nothing better being there, but: {judgement.reason}"
        kept = ModelHeld(project=fact.project, model=fact.model, champion=champion, reason=reason)
        return Outcome((kept,))
    if not judgement.promote:
        held = ModelHeld(
            project=fact.project, model=fact.model, champion=champion, reason=judgement.reason
        )
        return Outcome((held,))
    return Outcome((move(fact, file, alias, judgement),))


def against(champion: str, fact: ModelEvaluated, file: ProjectFile, seed: int) -> Comparison | None:
    """Candidate and champion on the candidate's holdout; None if they answer other questions."""
    theirs = Signature.from_json(stage.lake.read(model_file_key(champion, "signature.json")))
    ours = Signature.from_json(stage.lake.read(model_file_key(fact.model, "signature.json")))
    if (theirs.target, theirs.task, theirs.classes) != (ours.target, ours.task, ours.classes):
        return None
    training_set = TrainingSet.from_bytes(stage.lake.read(training_set_key(fact.training_set)))
    holdout = training_set.part(holdout=True)
    predictions = [
        ServingGraph.load(stage.lake.read(graph_key(model)), signature).predict(
            holdout.with_columns(signature).rows
        )
        for model, signature in ((fact.model, ours), (champion, theirs))
    ]
    metric = next(iter(file.goals), None) or file.search.metric
    return compare(
        holdout.target,
        predictions[0],
        predictions[1],
        task=ours.task.value,
        metric=metric,
        confidence=file.promotion.confidence,
        seed=seed,
    )


def keys_of(file: ProjectFile) -> list[str]:
    """The columns by which labels find predictions: those are captured with them."""
    return list(file.labels.key) if file.labels else []


def note_keys(file: ProjectFile) -> None:
    """Tell whoever answers as the champion of keys that were declared after its promotion."""
    alias = stage.catalogue.alias(file.project)
    if alias and alias.body.get("keys", []) != keys_of(file):
        body = {**alias.body, "keys": keys_of(file)}
        # Should it be moved in between, that promotion notes them.
        stage.catalogue.move_alias(file.project, CHAMPION, body, expected=alias.version)


def note(derivation: Derivation, fact: ModelEvaluated, judgement: Judgement) -> None:
    """Keep the judgement with all its gates, for people who ask why."""
    body: dict[str, Any] = {
        "kind": "promotion",
        "at": now().isoformat(),
        "model": fact.model,
        "decision": "promote" if judgement.promote else "hold",
        "reason": judgement.reason,
        "gates": [asdict(gate) for gate in judgement.gates],
    }
    stage.catalogue.put(fact.project, "DECISION", f"{body['at']}#{derivation.key}", body)
    stage.catalogue.put_model(fact.project, fact.model, {"judgement": body})


def move(
    fact: ModelEvaluated, file: ProjectFile, alias: Record | None, judgement: Judgement
) -> Fact:
    """Point the alias at the model, unless someone else moved it meanwhile."""
    champion = str(alias.body["model"]) if alias else None
    body = {
        "model": fact.model,
        "time": file.preparation.time,
        "keys": keys_of(file),
        "training_set": fact.training_set,
        "since": now().isoformat(),
        "previous": champion,
    }
    expected = alias.version if alias else 0
    if not stage.catalogue.move_alias(fact.project, CHAMPION, body, expected=expected):
        raise ContendedError(
            f"the champion of {fact.project} changed while {fact.model} was judged"
        )
    return ModelPromoted(
        project=fact.project, model=fact.model, replaced=champion, reason=judgement.reason
    )


handler = on_messages(take)
