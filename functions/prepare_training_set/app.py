"""Make a training set of the newest dataset versions, as the project declares."""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from evergreen.cloud.runtime import Message, Stage, on_messages
from evergreen.contracts.facts import (
    DatasetIngested,
    RetrainRequested,
    TrainingSetAwaited,
    TrainingSetPrepared,
    TrainingSetRefused,
)
from evergreen.contracts.project_file import ProjectFile
from evergreen.features.preparation import PreparationRefusedError, Prepared, prepare
from evergreen.labelling.statements import HISTORY
from evergreen.labelling.unlabelled import NotEnoughLabelsError
from evergreen.registry.catalogue import DatasetVersion
from evergreen.registry.derivations import Outcome
from evergreen.registry.identity import (
    Derivation,
    labels_key,
    part_key,
    training_labels_key,
    training_record_key,
    training_reference_key,
    training_set_key,
    training_table_key,
)

FEEDBACK = "FEEDBACK"

stage = Stage("prepare_training_set")


def take(message: Message) -> None:
    """Prepare the project that an event speaks of, unless a newer event will."""
    fact = message.event.fact
    if isinstance(fact, RetrainRequested) and fact.feedback:
        stage.catalogue.put(fact.project, FEEDBACK, "", {"version": fact.feedback})
    if isinstance(fact, DatasetIngested):
        newest = stage.catalogue.dataset(fact.project, fact.dataset)
        if newest and newest.version != fact.version:
            stage.catalogue.put(
                fact.project, "SUPERSEDED", fact.version, {"by": newest.version, "of": fact.dataset}
            )
            return
    file = stage.catalogue.project_file(fact.project)
    if file is None:
        missing = f"the project file (projects/{fact.project}/project.yaml)"
        stage.say(message, TrainingSetAwaited(project=fact.project, missing=(missing,)))
        return
    if isinstance(fact, DatasetIngested) and fact.dataset not in (
        *needed(file),
        label_dataset(file),
    ):
        return
    datasets = {name: stage.catalogue.dataset(file.project, name) for name in needed(file)}
    absent = tuple(f"dataset '{name}'" for name, version in datasets.items() if version is None)
    if absent:
        stage.say(message, TrainingSetAwaited(project=file.project, missing=absent))
        return
    derive(message, file, {name: version for name, version in datasets.items() if version})


def needed(file: ProjectFile) -> tuple[str, ...]:
    """The datasets that the project reads."""
    return (file.dataset, *file.references)


def label_dataset(file: ProjectFile) -> str | None:
    """The dataset that holds labels; rows can be prepared before it is there."""
    return file.labelling.dataset if file.labelling else None


def derive(message: Message, file: ProjectFile, datasets: Mapping[str, DatasetVersion]) -> None:
    """Make the training set once for equal versions, labels, feedback and declared preparation."""
    feedback = feedback_parts(file.project)
    parts = {name: list(version.part_ids) for name, version in datasets.items()}
    labels = label_dataset(file)
    if labels:
        parts[labels] = stage.catalogue.parts_ever(file.project, labels)
    inputs = {
        "preparation": file.sections()["preparation"],
        "datasets": {name: version.version for name, version in datasets.items()},
        "labels": parts[labels] if labels else [],
        "feedback": feedback,
    }

    def work(derivation: Derivation) -> Outcome:
        with tempfile.TemporaryDirectory() as directory:
            return make(derivation, file, parts, feedback, Path(directory))

    stage.derive(message, file.project, inputs, work)


def feedback_parts(project: str) -> list[str]:
    """The labelled parts that the last retraining asked to learn from too."""
    pinned = stage.catalogue.get(project, FEEDBACK)
    version = stage.catalogue.get(project, "FEEDBACKVERSION", pinned["version"]) if pinned else None
    return list(version["parts"]) if version else []


def make(
    derivation: Derivation,
    file: ProjectFile,
    datasets: Mapping[str, list[str]],
    feedback: list[str],
    directory: Path,
) -> Outcome:
    """Fetch the parts, prepare them, and store table, arrays and record."""
    files = {
        name: [
            stage.lake.fetch(part_key(part), directory / f"{name}-{part}.parquet") for part in parts
        ]
        for name, parts in datasets.items()
    }
    labelled = [
        stage.lake.fetch(labels_key(file.project, part), directory / f"labelled-{part}.parquet")
        for part in feedback
    ]
    table = directory / "table.parquet"
    try:
        made = prepare(file, files, labelled, seed=derivation.seed, table=table)
    except NotEnoughLabelsError as error:
        store(derivation, file, table)
        known = {"inputs": dict(derivation.inputs), "labels": error.annotated.to_plain()}
        stage.lake.write(training_record_key(derivation.key), json.dumps(known).encode())
        refused = TrainingSetRefused(
            project=file.project, problem=str(error), training_set=derivation.key
        )
        return Outcome((refused,))
    except PreparationRefusedError as error:
        return Outcome((TrainingSetRefused(project=file.project, problem=str(error)),))
    store(derivation, file, table)
    for digest, snapshot in made.snapshots.items():
        stage.lake.store(snapshot, training_reference_key(derivation.key, digest))
    stage.lake.write(training_set_key(derivation.key), made.training_set.to_bytes())
    record = describe(made, derivation.inputs)
    stage.lake.write(training_record_key(derivation.key), json.dumps(record).encode())
    signature = made.training_set.signature
    return Outcome(
        (
            TrainingSetPrepared(
                project=file.project,
                training_set=derivation.key,
                rows=len(made.training_set),
                columns=len(signature.columns),
                task=signature.task.value,
                holdout_rows=int(made.training_set.holdout.sum()),
                notes=made.notes,
            ),
        ),
        {"training_set": derivation.key},
    )


def store(derivation: Derivation, file: ProjectFile, table: Path) -> None:
    """Store the prepared rows, and all labels that were ever said of them."""
    stage.lake.store(table, training_table_key(derivation.key))
    if file.labelling:
        stage.lake.store(table.with_name(HISTORY), training_labels_key(derivation.key))


def describe(made: Prepared, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """How the training set was made, as JSON values."""
    return {
        "inputs": dict(inputs),
        "rows": made.rows,
        "dropped_without_target": made.dropped_without_target,
        "labels": made.annotated.to_plain() if made.annotated else None,
        "split": made.split,
        "holdout": {
            "by": made.holdout.by,
            "time": made.divided_by.time or None,
            "group": made.divided_by.group or None,
            "rows": int(made.training_set.holdout.sum()),
            "together": asdict(made.holdout.together),
        },
        "notes": list(made.notes),
        "steps": [asdict(step) for step in made.steps],
        "joins": [asdict(join) for join in made.joins],
        "signature": json.loads(made.training_set.signature.to_json()),
    }


handler = on_messages(take)
