"""The events of the lifecycle bus: facts in the past tense, one model each."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict


class Fact(BaseModel):
    """Something that happened in a project; `summary` says it in one sentence."""

    model_config = ConfigDict(frozen=True)

    project: str

    @property
    def name(self) -> str:
        """The event's detail type."""
        return type(self).__name__

    @property
    def summary(self) -> str:
        """The fact as a person would say it."""
        return self.name


class ProjectChanged(Fact):
    """A valid project file was uploaded; `sections` names the parts that differ from the last."""

    file_digest: str
    sections: tuple[str, ...]

    @property
    def summary(self) -> str:
        return "project file accepted; changed: " + (", ".join(self.sections) or "nothing")


class ProjectRefused(Fact):
    """A project file was not valid and changed nothing; each problem has its line."""

    key: str
    problems: tuple[str, ...]

    @property
    def summary(self) -> str:
        return "project file refused: " + "; ".join(self.problems)


class DatasetIngested(Fact):
    """A part was added or replaced: the dataset has a new version (or the same, by digest)."""

    dataset: str
    version: str
    key: str
    rows: int
    quarantined_rows: int
    parts: int
    warnings: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        bad = f", {self.quarantined_rows:,} quarantined" if self.quarantined_rows else ""
        warned = f" ({'; '.join(self.warnings)})" if self.warnings else ""
        file, parts = (
            self.key.rsplit("/", 1)[-1],
            "1 part" if self.parts == 1 else f"{self.parts} parts",
        )
        return f"{self.dataset}: {self.rows:,} rows of {file}{bad}; it has {parts} now{warned}"


class WaiverEnded(Fact):
    """A waiver is over: so many parts of its dataset were judged while it held."""

    dataset: str
    constraint: str
    author: str
    until: date
    parts: int

    @property
    def summary(self) -> str:
        return (
            f"the waiver of '{self.constraint}' in '{self.dataset}' by {self.author} ended on "
            f"{self.until}: the rule holds again, and {self.parts} part(s) are judged by it"
        )


class UploadQuarantined(Fact):
    """An upload was refused whole; nothing of it reached the dataset."""

    dataset: str
    key: str
    record: str
    reasons: tuple[str, ...]

    @property
    def summary(self) -> str:
        return f"{self.key} quarantined: " + "; ".join(self.reasons)


class RowsReplayed(Fact):
    """Repaired rows of a quarantine came back; `record` says what became of each."""

    dataset: str
    key: str
    repairs: str
    taken: int
    still_bad: int
    taken_before: int
    unknown: int
    record: str

    @property
    def summary(self) -> str:
        others = {
            "still bad": self.still_bad,
            "taken before": self.taken_before,
            "unknown": self.unknown,
        }
        rest = "".join(f", {count:,} {what}" for what, count in others.items() if count)
        return f"{self.key} repairs {self.repairs}: {self.taken:,} row(s) taken{rest}"


class TrainingSetAwaited(Fact):
    """Preparation cannot begin yet; `missing` says what has to be uploaded."""

    missing: tuple[str, ...]

    @property
    def summary(self) -> str:
        return "waiting for " + ", ".join(self.missing)


class TrainingSetRefused(Fact):
    """The declared preparation cannot be done with the datasets; the step and column are named.

    Where only labels are missing, `training_set` names the rows that were prepared for labelling.
    """

    problem: str
    training_set: str | None = None

    @property
    def summary(self) -> str:
        return "preparation refused: " + self.problem


class TrainingSetPrepared(Fact):
    """A training set exists under its digest."""

    training_set: str
    rows: int
    columns: int
    task: str
    holdout_rows: int
    notes: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        return (
            f"{self.rows:,} rows × {self.columns} columns, {self.task}; "
            f"{self.holdout_rows:,} rows held out"
        )


class SearchPlanned(Fact):
    """A search began: its first rung of trials is in the queue."""

    search: str
    training_set: str
    metric: str
    trials: int
    ignored: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        left = f"; left aside: {', '.join(self.ignored)}" if self.ignored else ""
        return f"{self.trials} trials in the first rung, judged by {self.metric}{left}"


class TrialFinished(Fact):
    """One configuration was cross-validated."""

    search: str
    rung: int
    trial: int
    family: str
    metric: str
    score: float | None
    seconds: float
    failed: str | None = None

    @property
    def summary(self) -> str:
        if self.score is None:
            return f"trial {self.trial} ({self.family}) failed: {self.failed}"
        return (
            f"trial {self.trial} ({self.family}): {self.metric} {self.score:.4f} "
            f"in {self.seconds:.1f} s"
        )


class SearchFinished(Fact):
    """The search ended with a winner."""

    search: str
    training_set: str
    winner: int
    family: str
    metric: str
    score: float
    trials: int
    reason: str

    @property
    def summary(self) -> str:
        return (
            f"{self.family} won after {self.trials} trials ({self.metric} {self.score:.4f}): "
            f"{self.reason}"
        )


class SearchFailed(Fact):
    """No trial of a search could be fitted; `reasons` are theirs."""

    search: str
    reasons: tuple[str, ...]

    @property
    def summary(self) -> str:
        return "no trial succeeded: " + "; ".join(self.reasons)


class ModelFitted(Fact):
    """The winner was refitted on all rows to learn from, and exported as one graph."""

    model: str
    training_set: str
    family: str
    calibrated: bool
    size_bytes: int
    seconds: float

    @property
    def summary(self) -> str:
        kind = f"calibrated {self.family}" if self.calibrated else self.family
        return f"{kind} model, {self.size_bytes / 1024:,.0f} KiB"


class ModelEvaluated(Fact):
    """The exported graph was scored on the holdout, through the serving code."""

    model: str
    training_set: str
    metrics: dict[str, float]
    agrees: bool

    @property
    def summary(self) -> str:
        shown = ", ".join(f"{name} {value:.4f}" for name, value in self.metrics.items())
        return shown if self.agrees else f"{shown}; the graph disagrees with the fitted model"


class ModelPromoted(Fact):
    """A model became the champion."""

    model: str
    replaced: str | None
    reason: str

    @property
    def summary(self) -> str:
        return self.reason


class ModelHeld(Fact):
    """A model did not become the champion, for the reason given."""

    model: str
    champion: str | None
    reason: str

    @property
    def summary(self) -> str:
        return self.reason


class LabellingListed(Fact):
    """Unlabelled rows were scored by the champion, and those worth labelling listed in `csv`.

    Without a champion (`model` is null) they were drawn at random.
    """

    list: str
    model: str | None
    training_set: str
    rows: int
    unlabelled: int
    measure: str
    csv: str | None

    @property
    def summary(self) -> str:
        return f"{self.rows:,} of {self.unlabelled:,} unlabelled rows are listed for labelling"


class FeaturesBackfilled(Fact):
    """The rows of a dataset that features still look back to are events at serving too."""

    dataset: str
    version: str
    events: int
    refused: int

    @property
    def summary(self) -> str:
        left = f"; {self.refused:,} rows can be none" if self.refused else ""
        return f"{self.dataset}: {self.events:,} events are known to serving{left}"


class BatchScored(Fact):
    """A file under `scoring/` was answered row by row."""

    key: str
    result: str
    rows: int
    model: str

    @property
    def summary(self) -> str:
        return f"{self.rows:,} rows of {self.key} scored"


class BatchRefused(Fact):
    """A file under `scoring/` could not be scored; the row and field are named."""

    key: str
    problem: str

    @property
    def summary(self) -> str:
        return f"{self.key}: {self.problem}"


class LabelsJoined(Fact):
    """Late truth was joined to predictions; rows that were not used are in `quarantine`."""

    key: str
    matched: int
    unmatched: int
    invalid: int
    version: str
    conflicts: int = 0
    quarantine: str | None = None

    @property
    def summary(self) -> str:
        counts = {
            "without a prediction in particular": self.unmatched,
            "unreadable": self.invalid,
            "predictions with labels that differ": self.conflicts,
        }
        rest = "".join(f", {count:,} {what}" for what, count in counts.items() if count)
        return f"{self.matched:,} labels joined to predictions{rest}"


class LabelsRefused(Fact):
    """A label file could not be read."""

    key: str
    problem: str

    @property
    def summary(self) -> str:
        return f"{self.key}: {self.problem}"


class DriftCheckRequested(Fact):
    """Someone asked to check now instead of at the next schedule."""

    @property
    def summary(self) -> str:
        return "drift check requested"


class WindowChecked(Fact):
    """A window of predictions was compared with what the model was trained on."""

    window: str
    start: str
    end: str
    rows: int
    drifted: bool
    report: str
    finding: str

    @property
    def summary(self) -> str:
        return f"window {self.start[:10]}: {self.finding}"


class DriftDetected(Fact):
    """A window's data or predictions differ from the reference beyond the declared error rate."""

    window: str
    model: str
    end: str
    columns: tuple[str, ...]
    finding: str

    @property
    def summary(self) -> str:
        return self.finding


class PerformanceDropped(Fact):
    """A labelled window's metric is worse than on the holdout."""

    window: str
    model: str
    end: str
    metric: str
    value: float
    reference: float
    finding: str

    @property
    def summary(self) -> str:
        return self.finding


class RetrainRequested(Fact):
    """The policy, or a person, asked for a new model; `feedback` is the labelled data to add."""

    reason: str
    feedback: str | None
    decision: str

    @property
    def summary(self) -> str:
        return self.reason


class RetrainDeclined(Fact):
    """The policy said no, for the reason given."""

    reason: str
    because: str
    decision: str

    @property
    def summary(self) -> str:
        return self.reason


class WorkResent(Fact):
    """Work that was begun and not finished was sent to its queue again."""

    stage: str
    derivation: str
    attempts: int
    outcome: Literal["resent", "given up"]

    @property
    def summary(self) -> str:
        return f"{self.stage}: unfinished work {self.outcome} after {self.attempts} attempt(s)"


FACTS: dict[str, type[Fact]] = {fact.__name__: fact for fact in Fact.__subclasses__()}
"""Every event by its detail type."""
