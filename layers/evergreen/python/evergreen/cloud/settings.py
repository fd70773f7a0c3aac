"""What the environment of a function says."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass


class SettingMissingError(RuntimeError):
    """An environment variable that the function needs is not set."""


@dataclass(frozen=True)
class Settings:
    """The environment, read once; a name is asked for when it is needed."""

    environment: Mapping[str, str]

    @staticmethod
    def from_environment() -> Settings:
        """Of this process."""
        return Settings(dict(os.environ))

    def __getitem__(self, name: str) -> str:
        try:
            return self.environment[name]
        except KeyError:
            raise SettingMissingError(
                f"the environment variable {name} is not set; template.yaml sets it"
            ) from None

    @property
    def memory_mb(self) -> int:
        """The memory that the function is given, in MiB (0 outside Lambda)."""
        return int(self.environment.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "0"))
