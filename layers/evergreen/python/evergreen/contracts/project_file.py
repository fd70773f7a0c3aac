"""The project file: one prediction problem, as its owner declares it in `project.yaml`."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationInfo, field_validator, model_validator

from evergreen.contracts.data_section import NOTHING_DECLARED, DatasetDeclaration
from evergreen.contracts.duration import Duration
from evergreen.contracts.feature_definition import Definition
from evergreen.contracts.feature_section import Feature
from evergreen.contracts.preparation_steps import Step
from evergreen.contracts.section import STRICT, ColumnName, Name

Task = Literal["binary", "multiclass", "regression"]
Family = Literal["linear", "forest", "boosting"]
Metric = Literal[
    "roc_auc",
    "average_precision",
    "log_loss",
    "brier",
    "accuracy",
    "balanced_accuracy",
    "f1",
    "rmse",
    "mae",
    "r2",
]


class Section(BaseModel):
    """A part of the project file; unknown keys are mistakes and are refused."""

    model_config = STRICT


class Preparation(Section):
    """How dataset versions become a training set.

    `time` orders rows and puts the newest last; rows of one `group` stay on one side. Where one
    is not declared it is looked for in the data, and `false` says that there is none.
    """

    steps: list[Step] = []
    time: ColumnName | Literal[False] | None = None
    group: ColumnName | Literal[False] | None = None
    holdout: Annotated[float, Field(ge=0.05, le=0.5)] = 0.2


class Search(Section):
    """How long and where a model is searched for; `stop_at` ends the search when reached."""

    families: list[Family] = Field(default=["linear", "forest", "boosting"], min_length=1)
    trials: Annotated[int, Field(ge=1, le=500)] = 9
    folds: Annotated[int, Field(ge=2, le=20)] = 4
    metric: Metric | None = None
    stop_at: float | None = None
    rows_per_trial: Annotated[int, Field(ge=100)] = 20_000


class Promotion(Section):
    """When a model that meets the goals replaces the champion."""

    when: Literal["better", "not_worse"] = "better"
    confidence: Annotated[float, Field(ge=0.5, lt=1)] = 0.95


class Monitoring(Section):
    """Which windows are checked, and the error rate that the alarms promise per window."""

    window: Duration = timedelta(days=1)
    minimum_rows: Annotated[int, Field(ge=20)] = 200
    false_alarm_rate: Annotated[float, Field(ge=0.0001, le=0.2)] = 0.01


class Retraining(Section):
    """What asks for a new model, and how often at the most."""

    on: list[Literal["drift", "performance", "labels"]] = ["drift", "performance"]
    cooldown: Duration = timedelta(days=1)
    minimum_labels: Annotated[int, Field(ge=1)] = 500


class Labels(Section):
    """How labels that name no prediction find theirs: by the entity's `key` and a `time`.

    A label belongs to the last prediction of its entity at or before its time that is not older
    than `within`. Requests carry the key columns, whether the model uses them or not.
    """

    key: list[ColumnName] = Field(min_length=1)
    time: ColumnName
    within: Duration = timedelta(days=1)


class Labelling(Section):
    """Labels of dataset rows that have none, uploaded as a dataset of their own.

    A label file has the columns `key`, which name a row of the project's dataset, a label (`label`,
    or the target's name), and where declared who gave it and when. Files only ever add to what was
    said. Where labellers differ, `policy` decides: the `latest` label, that of the `majority`, of
    the first of the `experts`, or none unless all are in `agreement`; a tie decides nothing.
    `voices` must have spoken before a row counts as labelled. `rows` are listed for labelling, the
    share `random` of them drawn at random.
    """

    dataset: Name
    key: list[ColumnName] = Field(min_length=1)
    label: ColumnName | None = None
    labeller: ColumnName | None = None
    time: ColumnName | None = None
    policy: Literal["latest", "majority", "expert", "agreement"] = "agreement"
    experts: list[str] = []
    voices: Annotated[int, Field(ge=1)] = 1
    rows: Annotated[int, Field(ge=1, le=1_000)] = 100
    random: Annotated[float, Field(ge=0, le=1)] = 0.2

    @model_validator(mode="after")
    def _decidable(self) -> Labelling:
        if self.policy == "latest" and self.time is None:
            raise ValueError("policy 'latest' needs 'time', the column that says when")
        if self.labeller is None and (self.policy in {"majority", "expert"} or self.voices > 1):
            raise ValueError("voices can only be counted with 'labeller', the column that says who")
        if bool(self.experts) != (self.policy == "expert"):
            raise ValueError("policy 'expert' and the list 'experts' need each other")
        return self

    @property
    def required(self) -> tuple[str, ...]:
        """The columns that every label file must have."""
        named = (*self.key, self.label, self.labeller, self.time)
        return tuple(name for name in named if name is not None)


class ProjectFile(Section):
    """One prediction problem: target, data, preparation, search, goals, watching, retraining."""

    project: Name
    dataset: Name
    target: ColumnName
    task: Task | None = None
    positive: str | bool | int | None = None
    goals: dict[Metric, float] = {}
    data: dict[Name, DatasetDeclaration] = {}
    preparation: Preparation = Preparation()
    features: list[Feature] = Field(default=[], validate_default=True)
    search: Search = Search()
    promotion: Promotion = Promotion()
    monitoring: Monitoring = Monitoring()
    retraining: Retraining = Retraining()
    labels: Labels | None = None
    labelling: Labelling | None = None

    @model_validator(mode="after")
    def _labels_apart(self) -> ProjectFile:
        if self.labelling and self.labelling.dataset in (self.dataset, *self.references):
            raise ValueError("labelling.dataset is a dataset of its own: it holds only labels")
        return self

    @field_validator("features")
    @classmethod
    def _fit_together(cls, features: list[Feature], info: ValidationInfo) -> list[Feature]:
        named = [feature.name for feature in features]
        columns = [name for feature in features for name in feature.aggregates]
        for twice in (*_repeated(named), *_repeated(columns)):
            raise ValueError(f"'{twice}' is declared twice")
        preparation: Preparation | None = info.data.get("preparation")
        for step in preparation.steps if preparation else []:
            for name in step.features or []:
                if name not in named:
                    raise ValueError(f"a preparation step asks for '{name}', which is not here")
                if preparation and not preparation.time:
                    raise ValueError(
                        f"rows get '{name}' as of their own time; declare preparation.time"
                    )
        return features

    @property
    def references(self) -> tuple[str, ...]:
        """The datasets that the steps read, in order of first use."""
        read = [name for step in self.preparation.steps for name in step.datasets]
        read += [definition.dataset for definition in self.learned_features]
        return tuple(dict.fromkeys(read))

    @property
    def learned_features(self) -> tuple[Definition, ...]:
        """The features that the steps ask for, in order; rows get them as of their own time."""
        asked = [name for step in self.preparation.steps for name in step.features or []]
        declared = {feature.name: feature for feature in self.features}
        time = self.preparation.time or None
        return tuple(declared[name].definition(time) for name in dict.fromkeys(asked))

    def declared(self, dataset: str) -> DatasetDeclaration:
        """What is declared of a dataset."""
        return self.data.get(dataset, NOTHING_DECLARED)

    def sections(self) -> dict[str, dict[str, Any]]:
        """The parts of the file that stages read, as plain JSON values.

        A stage's identity holds the digest of its part only, so that a change re-runs exactly
        what is downstream of it.
        """
        plain = self.model_dump(mode="json")
        problem = {key: plain[key] for key in ("project", "dataset", "target", "task", "positive")}
        labelling = plain["labelling"] or {}
        listing = {name: labelling.pop(name) for name in ("rows", "random") if labelling}
        return {
            "data": plain["data"],
            "preparation": {
                **problem,
                **plain["preparation"],
                **self._learned(),
                "labelling": labelling,
            },
            "features": {feature["name"]: feature for feature in plain["features"]},
            "search": plain["search"],
            "judgement": {"goals": plain["goals"], **plain["promotion"]},
            "monitoring": plain["monitoring"],
            "retraining": plain["retraining"],
            "labels": plain["labels"] or {},
            "listing": listing,
        }

    def _learned(self) -> dict[str, Any]:
        """What preparation reads of the features: not how long events are kept."""
        learned = [definition.to_plain() for definition in self.learned_features]
        return {"features": learned} if learned else {}


def _repeated(names: list[str]) -> list[str]:
    return [name for place, name in enumerate(names) if name in names[:place]]
