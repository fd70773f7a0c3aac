"""Names by content: the digests, keys and paths of everything that Evergreen derives."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_METRICS = ("evaluation/metrics.py", "evaluation/metric_choice.py")

STAGE_CODE: Mapping[str, tuple[str, ...]] = {
    "ingest_upload": ("data", "media"),
    "prepare_training_set": (
        "data",
        "features",
        "labelling/annotation.py",
        "labelling/krippendorff.py",
        "labelling/rater_agreement.py",
        "labelling/statements.py",
        "labelling/unlabelled.py",
        "media/grids.py",
    ),
    "plan_search": ("features", "training", *_METRICS),
    "run_trial": ("features", "training", *_METRICS),
    "advance_search": (
        "features/recipe.py",
        "features/signature.py",
        "training/plan.py",
        "training/spaces.py",
        "training/trial_record.py",
        *_METRICS,
    ),
    "fit_model": ("features", "training", *_METRICS),
    "evaluate_model": ("features", "serving", "evaluation"),
    "promote_model": ("features", "serving", "evaluation"),
    "check_drift": ("features", "monitoring", "evaluation"),
    "ingest_labels": ("data", "features", "media", "monitoring"),
    "score_batch": ("data", "features", "media", "serving"),
    "list_for_labelling": ("data", "features", "labelling", "media", "serving"),
}
"""The parts of the package whose text a stage's outputs depend on."""


def digest_of(value: Any) -> str:
    """SHA-256 of a JSON value, independent of the order of its keys (32 hex digits)."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return digest_of_bytes(canonical.encode())


def digest_of_bytes(content: bytes) -> str:
    """SHA-256 of bytes (32 hex digits: 128 bits are enough to name content)."""
    return hashlib.sha256(content).hexdigest()[:32]


def digest_of_file(path: Path) -> str:
    """SHA-256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:32]


@cache
def code_digest(stage: str) -> str:
    """The digest of a stage's code: a change of it derives anew what the stage makes."""
    package = Path(__file__).resolve().parent.parent
    texts: dict[str, str] = {}
    for part in STAGE_CODE[stage]:
        place = package / part
        files = sorted(place.rglob("*.py")) if place.is_dir() else [place]
        for file in files:
            texts[file.relative_to(package).as_posix()] = digest_of_file(file)
    return digest_of(texts)


@dataclass(frozen=True)
class Derivation:
    """One piece of work as a pure function of its inputs; `key` names its output."""

    stage: str
    project: str
    inputs: Mapping[str, Any]

    @property
    def key(self) -> str:
        """Digest of stage, code and inputs."""
        return digest_of(
            {"stage": self.stage, "code": code_digest(self.stage), "inputs": dict(self.inputs)}
        )

    @property
    def seed(self) -> int:
        """A seed for everything random in this work (31 bits)."""
        return seed_of(self.key)


def seed_of(digest: str) -> int:
    """A 31-bit seed from a digest."""
    return int(digest[:8], 16) & 0x7FFFFFFF


def dataset_version(parts: Iterable[str]) -> str:
    """The version of a dataset: the digest of the set of its parts' contents."""
    return digest_of(sorted(set(parts)))


def part_key(part: str) -> str:
    """Lake key of a part's typed rows."""
    return f"parts/{part}/rows.parquet"


def part_observed_key(part: str) -> str:
    """Lake key of what was seen of a part's columns, which new parts are held against."""
    return f"parts/{part}/observed.json"


def part_checks_key(part: str) -> str:
    """Lake key of everything that the checks of a part have found."""
    return f"parts/{part}/checks.json"


def part_quarantine_key(part: str) -> str:
    """Lake key of the rows of a part that were refused."""
    return f"quarantine/{part}/rows.parquet"


def part_repairable_key(part: str) -> str:
    """Lake key of the rows of a part that were refused, as CSV, to be repaired and uploaded."""
    return f"quarantine/{part}/repair.csv"


def part_replay_key(part: str) -> str:
    """Lake key of what became of the repaired rows that a part brought back."""
    return f"quarantine/{part}/replay.json"


def upload_quarantine_key(project: str, record: str) -> str:
    """Lake key of the record of an upload that was refused whole."""
    return f"quarantine/{project}/{record}.json"


def dataset_record_key(version: str, record: str) -> str:
    """Lake key of what a dataset version holds: its parts, their sources, its schema."""
    return f"datasets/{version}/record-{record}.json"


def dataset_proposal_key(version: str, proposal: str) -> str:
    """Lake key of what the project file could declare of a dataset, seen at a version."""
    return f"datasets/{version}/proposal-{proposal}.yaml"


def dataset_profile_key(profile: str) -> str:
    """Lake key of a dataset version's profile."""
    return f"datasets/{profile}/profile.json"


def dataset_keys_key(profile: str) -> str:
    """Lake key of samples of what a dataset version can be joined by."""
    return f"datasets/{profile}/keys.json"


def exploration_key(page: str) -> str:
    """Lake key of a dataset version's exploration page."""
    return f"datasets/{page}/exploration.html"


def training_set_key(training_set: str) -> str:
    """Lake key of the arrays that trials read."""
    return f"training_sets/{training_set}/arrays.npz"


def training_table_key(training_set: str) -> str:
    """Lake key of the prepared table, for people and their tools."""
    return f"training_sets/{training_set}/table.parquet"


def training_labels_key(training_set: str) -> str:
    """Lake key of all labels that were ever uploaded for the rows, and what became of each."""
    return f"training_sets/{training_set}/labels.parquet"


def training_reference_key(training_set: str, digest: str) -> str:
    """Lake key of what a training set's models need of a reference dataset when they are asked."""
    return f"training_sets/{training_set}/references/{digest}.parquet"


def training_record_key(training_set: str) -> str:
    """Lake key of how a training set was made: inputs, split, joins, notes, column types."""
    return f"training_sets/{training_set}/record.json"


def search_key(search: str) -> str:
    """Lake key of a search's plan: the signature to use and the settings of its trials."""
    return f"searches/{search}/plan.json"


def graph_key(model: str) -> str:
    """Lake key of a model's graph."""
    return f"models/{model}/graph.onnx"


def model_file_key(model: str, name: str) -> str:
    """Lake key of one of the files beside a model's graph."""
    return f"models/{model}/{name}"


def model_reference_key(model: str, digest: str) -> str:
    """Lake key of what a model needs of a reference dataset when it is asked."""
    return f"models/{model}/references/{digest}.parquet"


def capture_key(project: str, batch: str) -> str:
    """Lake key of one batch of captured predictions."""
    return f"captures/{project}/{batch}.parquet"


def labels_key(project: str, part: str) -> str:
    """Lake key of one part of labelled predictions."""
    return f"labels/{project}/{part}.parquet"


def labelling_key(project: str, listed: str, suffix: str) -> str:
    """Lake key of a list of rows to label: `json` for programs, `csv` for people to fill in."""
    return f"labelling/{project}/{listed}.{suffix}"


def window_key(project: str, window: str, name: str) -> str:
    """Lake key of a window's report."""
    return f"windows/{project}/{window}/{name}"


def scored_key(project: str, file: str) -> str:
    """Lake key of the answers to a scoring file."""
    return f"scored/{project}/{file}"
