"""The record of each version that a dataset has had: what it holds, from what, by which code."""

from __future__ import annotations

import json

from evergreen.cloud.part_records import observed_of_part, schema_of_part
from evergreen.cloud.runtime import Stage, now
from evergreen.contracts.data_section import NOTHING_DECLARED
from evergreen.data.observations import Observed, together
from evergreen.data.proposal import propose
from evergreen.data.schema import unify
from evergreen.registry.catalogue import DatasetVersion
from evergreen.registry.identity import (
    code_digest,
    dataset_proposal_key,
    dataset_record_key,
    digest_of,
)

OF_A_PART = ("part", "digest", "content", "rows", "quarantined_rows", "key", "version_id")
"""What a version's record keeps of a part: its rows, and the source object with its version."""


def record_version(stage: Stage, project: str, version: DatasetVersion) -> None:
    """Keep a version findable; what it is made of lies in the lake, its summary in the table."""
    file = stage.catalogue.project_file(project)
    declared = file.declared(version.dataset) if file else NOTHING_DECLARED
    schema = unify(schema_of_part(stage, part) for part in version.distinct.values())
    content = {
        "dataset": version.dataset,
        "version": version.version,
        "rows": version.rows,
        "schema": schema.to_plain(),
        "parts": {
            key: {name: part.get(name) for name in OF_A_PART}
            for key, part in sorted(version.parts.items())
        },
        "code": code_digest(stage.name),
        "owner": declared.owner,
        "pii": declared.pii,
    }
    record = dataset_record_key(version.version, digest_of(content))
    stage.lake.write(record, json.dumps(content).encode())
    seen = together(observed_of_part(stage, part) for part in version.distinct.values())
    text = propose(version.dataset, version.version, seen or Observed(0, ()), schema, declared)
    proposal = dataset_proposal_key(version.version, digest_of(text))
    stage.lake.write(proposal, text.encode())
    stage.catalogue.put_version(
        project,
        version,
        {
            "at": now().isoformat(),
            "quarantined_rows": sum(int(p["quarantined_rows"]) for p in version.distinct.values()),
            "columns": len(schema.columns),
            **{name: content[name] for name in ("code", "owner", "pii")},
            "record": record,
            "proposal": proposal,
        },
    )
