"""Commands: messages to one queue that ask for one piece of work."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict


class RunTrial(BaseModel):
    """Cross-validate one configuration of a search."""

    model_config = ConfigDict(frozen=True)

    project: str
    search: str
    training_set: str
    metric: str
    folds: int
    seed: int
    trial: dict[str, Any]
