"""Fill the feature table from uploaded datasets, for what no message told of."""

import tempfile
from functools import cache
from pathlib import Path

from evergreen.cloud.event_table import DynamoEventStore
from evergreen.cloud.runtime import Message, Stage, now, on_messages
from evergreen.contracts.facts import DatasetIngested, FeaturesBackfilled, ProjectChanged
from evergreen.contracts.feature_section import Feature
from evergreen.data.engine import connect
from evergreen.features.backfill import Backfilled, backfill
from evergreen.features.event_store import EventStore
from evergreen.registry.catalogue import DatasetVersion
from evergreen.registry.identity import digest_of, part_key

DONE = "BACKFILLED"

stage = Stage("backfill_features")


@cache
def store() -> EventStore:
    """Where events are kept."""
    return DynamoEventStore(stage.settings["FEATURE_TABLE"])


def take(message: Message) -> None:
    """Fill in a dataset that is new, or all datasets of features that changed."""
    fact = message.event.fact
    file = stage.catalogue.project_file(fact.project)
    if file is None or (isinstance(fact, ProjectChanged) and "features" not in fact.sections):
        return
    names = dict.fromkeys(feature.dataset for feature in file.features)
    for name in names:
        if isinstance(fact, DatasetIngested) and fact.dataset != name:
            continue
        version = stage.catalogue.dataset(file.project, name)
        if version is not None:
            features = [feature for feature in file.features if feature.dataset == name]
            fill(message, file.project, version, features)


def fill(message: Message, project: str, version: DatasetVersion, features: list[Feature]) -> None:
    """Store the events of the parts that were not filled in yet, and say how many."""
    shape = [
        [each.entity, each.time, each.id, each.kept.total_seconds()]
        for each in sorted(features, key=lambda each: each.name)
    ]
    total, parts = Backfilled(), 0
    for part in version.part_ids:
        record = digest_of({"dataset": version.dataset, "part": part, "shape": shape})
        if stage.catalogue.get(project, DONE, record) is not None:
            continue
        with tempfile.TemporaryDirectory() as directory, connect(Path(directory)) as connection:
            path = stage.lake.fetch(part_key(part), Path(directory, "part.parquet"))
            done = backfill(connection, project, path, features, store(), now())
        stage.catalogue.put(project, DONE, record, {"part": part, "events": done.events})
        total.events += done.events
        total.refused += done.refused
        parts += 1
    if parts:
        stage.say(
            message,
            FeaturesBackfilled(
                project=project,
                dataset=version.dataset,
                version=version.version,
                events=total.events,
                refused=total.refused,
            ),
        )


handler = on_messages(take)
