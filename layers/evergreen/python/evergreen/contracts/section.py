"""What every part of a project file shares."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
ColumnName = Annotated[str, Field(min_length=1, max_length=200)]

STRICT = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
"""Unknown keys are mistakes and are refused."""

WITHIN = "within"
"""In the context of a mistake that a whole section shows: the path in it to where it was made."""
