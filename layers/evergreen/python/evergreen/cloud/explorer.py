"""The profiles and exploration pages of a project's datasets, kept up with what is known."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from evergreen.cloud.part_records import observed_of_part, schema_of_part
from evergreen.cloud.runtime import Message, Stage
from evergreen.data.exploration import Notice, render_exploration
from evergreen.data.join_keys import JoinSuggestion, Keys, suggest_joins
from evergreen.data.profile import Profile, profile_with_keys
from evergreen.data.schema import unify
from evergreen.registry.catalogue import EXPLORATION, DatasetVersion
from evergreen.registry.derivations import Outcome
from evergreen.registry.identity import (
    Derivation,
    dataset_keys_key,
    dataset_profile_key,
    exploration_key,
    part_checks_key,
    part_key,
)

PROFILE = "PROFILE"
MOST_DATASETS = 10_000

PATIENCE_SECONDS = 120
"""With another worker that does a part of it: the rest is still to be done."""


def explore(stage: Stage, message: Message, project: str, datasets: tuple[str, ...] = ()) -> None:
    """Profile the newest versions of `datasets` (all, if none is named), and draw the pages anew.

    What was done for equal parts, target and joins is not done again. A page changes with the
    project file, which names the target, and with the project's other datasets, which can be
    joined: so the pages of all datasets are looked at.
    """
    file = stage.catalogue.project_file(project)
    versions = stage.catalogue.datasets(project)
    for version in versions:
        if not datasets or version.dataset in datasets:
            target = file.target if file and file.dataset == version.dataset else None
            _profile(stage, message, project, version, target)
    records = {
        str(each["dataset"]): each
        for each in stage.catalogue.newest(project, PROFILE, MOST_DATASETS)
    }
    current = [
        version
        for version in versions
        if records.get(version.dataset, {}).get("version") == version.version
    ]
    keys = {
        version.dataset: Keys.from_plain(_read(stage, records[version.dataset]["keys"]))
        for version in current
    }
    for version in current:
        others = {name: each for name, each in keys.items() if name != version.dataset}
        joins = suggest_joins(keys[version.dataset], others)
        _draw(stage, message, project, version, records[version.dataset], joins)


def _profile(
    stage: Stage, message: Message, project: str, version: DatasetVersion, target: str | None
) -> None:
    """Profile a dataset version over all its parts, once."""
    parts = {str(part["part"]): part for part in version.distinct.values()}
    inputs = {"profile": sorted(parts), "target": target}

    def work(derivation: Derivation) -> Outcome:
        schema = unify(schema_of_part(stage, part) for part in parts.values())
        with tempfile.TemporaryDirectory() as directory:
            files = [
                stage.lake.fetch(part_key(part), Path(directory, f"{part}.parquet"))
                for part in parts
            ]
            seen = observed_of_part(stage, *parts.values()) if len(parts) == 1 else None
            made, keys = profile_with_keys(files, schema, target=target, observed=seen)
        content = {
            "dataset": version.dataset,
            "version": version.version,
            "schema": schema.to_plain(),
            "parts": dict(version.parts),
            "profile": made.to_plain(),
        }
        stage.lake.write(dataset_profile_key(derivation.key), json.dumps(content).encode())
        stage.lake.write(dataset_keys_key(derivation.key), json.dumps(keys.to_plain()).encode())
        return Outcome(
            (),
            {
                "profile": dataset_profile_key(derivation.key),
                "keys": dataset_keys_key(derivation.key),
            },
        )

    made = stage.derive(message, project, inputs, work, patience=PATIENCE_SECONDS)
    record = {"dataset": version.dataset, "version": version.version, **made}
    stage.catalogue.put(project, PROFILE, version.dataset, record)


def _draw(
    stage: Stage,
    message: Message,
    project: str,
    version: DatasetVersion,
    record: Mapping[str, Any],
    joins: tuple[JoinSuggestion, ...],
) -> None:
    """Draw a dataset version's page, once, and note where it and the profile are."""
    parts = {str(part["part"]): part for part in version.distinct.values()}
    inputs = {
        "page": version.dataset,
        "profile": record["profile"],
        "joins": [asdict(join) for join in joins],
    }

    def work(derivation: Derivation) -> Outcome:
        page = render_exploration(
            project,
            version.dataset,
            version.version,
            Profile.from_plain(_read(stage, record["profile"])["profile"]),
            quarantined_rows=sum(int(part["quarantined_rows"]) for part in parts.values()),
            notices=[notice for part in parts.values() for notice in _notices(stage, part)],
            joins=joins,
        )
        stage.lake.write(exploration_key(derivation.key), page.encode())
        return Outcome((), {"exploration": exploration_key(derivation.key)})

    drawn = stage.derive(message, project, inputs, work, patience=PATIENCE_SECONDS)
    made = {"profile": record["profile"], **drawn}
    noted = {"dataset": version.dataset, "version": version.version, **made}
    stage.catalogue.put(project, EXPLORATION, version.dataset, noted)
    stage.catalogue.put_version(project, version, made)


def _notices(stage: Stage, part: Mapping[str, Any]) -> Iterator[Notice]:
    """What is to be known of a part: its anomalies with their severity, then how it was read."""
    where = str(part["key"]).rsplit("/", 1)[-1]
    checks = _read(stage, part_checks_key(part["part"]))
    for each in checks["anomalies"]:
        waiver = f" ({each['waiver']})" if each["waiver"] else ""
        yield Notice(str(each["severity"]), f"{each['message']}{waiver}", where)
    for note in checks["notes"]:
        yield Notice("note", str(note), where)


def _read(stage: Stage, key: str) -> Any:
    return json.loads(stage.lake.read(key))
