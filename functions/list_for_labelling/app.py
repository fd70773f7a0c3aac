"""List the rows that people should label next: those that the champion is uncertain of."""

import json
import tempfile
from pathlib import Path

from evergreen.cloud.runtime import Message, Stage, now, on_messages
from evergreen.contracts.facts import LabellingListed, TrainingSetPrepared, TrainingSetRefused
from evergreen.contracts.project_file import ProjectFile
from evergreen.features.signature import Signature
from evergreen.labelling.listing import list_rows, write_csv
from evergreen.registry.derivations import Outcome
from evergreen.registry.identity import (
    Derivation,
    graph_key,
    labelling_key,
    model_file_key,
    training_record_key,
    training_table_key,
)
from evergreen.serving.graph import ServingGraph

PREPARED = "PREPARED"

stage = Stage("list_for_labelling")


def take(message: Message) -> None:
    """List the newest prepared rows by the champion, whichever of the two is new.

    Before there is a champion, rows are drawn at random: somebody has to begin.
    """
    fact = message.event.fact
    file = stage.catalogue.project_file(fact.project)
    if file is None or file.labelling is None:
        return
    if isinstance(fact, TrainingSetPrepared | TrainingSetRefused):
        if not fact.training_set or not is_newest(file, fact.training_set):
            return  # What is prepared of newer rows or labels will be listed.
        stage.catalogue.put(fact.project, PREPARED, "", {"training_set": fact.training_set})
    alias = stage.catalogue.alias(fact.project)
    prepared = stage.catalogue.get(fact.project, PREPARED) or (alias.body if alias else None)
    if prepared is None:
        return
    inputs = {
        "model": str(alias.body["model"]) if alias else None,
        "training_set": str(prepared["training_set"]),
        "labelling": file.labelling.model_dump(mode="json"),
    }
    output = stage.derive(message, fact.project, inputs, lambda work: make(work, file))
    body = {**output, **inputs, "at": now().isoformat()}
    stage.catalogue.put(fact.project, "LABELLING", "", body)


def is_newest(file: ProjectFile, training_set: str) -> bool:
    """Whether a training set holds the newest version of every dataset, and all labels."""
    assert file.labelling is not None
    inputs = json.loads(stage.lake.read(training_record_key(training_set)))["inputs"]
    versions = {name: stage.catalogue.dataset(file.project, name) for name in inputs["datasets"]}
    newest = {name: version.version if version else None for name, version in versions.items()}
    labels = stage.catalogue.parts_ever(file.project, file.labelling.dataset)
    return bool(
        inputs["preparation"] == file.sections()["preparation"]
        and inputs["datasets"] == newest
        and inputs["labels"] == labels
    )


def served(model: str) -> ServingGraph:
    """The graph that answers as the champion."""
    signature = Signature.from_json(stage.lake.read(model_file_key(model, "signature.json")))
    return ServingGraph.load(stage.lake.read(graph_key(model)), signature)


def make(derivation: Derivation, file: ProjectFile) -> Outcome:
    """Write the list for programs (JSON), and as a label file for people to fill in (CSV)."""
    model, training_set = derivation.inputs["model"], str(derivation.inputs["training_set"])
    graph = served(model) if model else None
    with tempfile.TemporaryDirectory() as directory:
        table = stage.lake.fetch(training_table_key(training_set), Path(directory, "table.parquet"))
        listing = list_rows(file, table, graph, derivation.seed)
        csv = None
        if listing.entries:
            csv = labelling_key(file.project, derivation.key, "csv")
            write_csv(listing, file, Path(directory, "list.csv"))
            stage.lake.store(Path(directory, "list.csv"), csv)
    counts = {
        "unlabelled": listing.unlabelled,
        "scored": listing.scored,
        "unanswerable": listing.unanswerable,
        "csv": csv,
    }
    rows = [entry.to_plain() for entry in listing.entries]
    record = json.loads(stage.lake.read(training_record_key(training_set)))
    content = {
        "list": derivation.key,
        "measure": listing.measure,
        **counts,
        "labels": record["labels"],
        "rows": rows,
    }
    key = labelling_key(file.project, derivation.key, "json")
    stage.lake.write(key, json.dumps(content).encode())
    fact = LabellingListed(
        project=file.project,
        list=derivation.key,
        model=model,
        training_set=training_set,
        rows=len(rows),
        unlabelled=listing.unlabelled,
        measure=listing.measure,
        csv=csv,
    )
    return Outcome((fact,), {"list": derivation.key, "json": key, **counts})


handler = on_messages(take)
