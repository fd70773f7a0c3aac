"""The deployed functions, in the order of the journey."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Any

from local.stack import STACK
from local.state import StateDirectory, read_json, write_whole


@dataclass(frozen=True)
class DeployedFunction:
    """One function of the stack."""

    stage: str
    """The name of its folder."""
    name: str
    log_group: str
    queue_woken: bool
    """Whether a queue wakes it; else HTTP does."""
    at_once: int
    """How many may run at once where that is limited, else 1."""


def read_stack_functions(
    cloudformation: Any, template: Mapping[str, Any], folders: Mapping[str, str]
) -> list[DeployedFunction]:
    """Ask the stack for them; `folders` says which folder stands behind which logical id."""
    answer = cloudformation.describe_stack_resources(StackName=STACK)
    physical = {
        resource["LogicalResourceId"]: resource["PhysicalResourceId"]
        for resource in answer["StackResources"]
    }
    resources = template["Resources"]
    triggers = {
        resource["Properties"]["FunctionName"]["Ref"]: resource["Properties"]
        for resource in resources.values()
        if resource["Type"] == "AWS::Lambda::EventSourceMapping"
    }
    return [
        DeployedFunction(
            stage=PurePosixPath(folder).name,
            name=physical[logical],
            log_group=physical[
                resources[logical]["Properties"]["LoggingConfig"]["LogGroup"]["Ref"]
            ],
            queue_woken=logical in triggers,
            at_once=triggers.get(logical, {}).get("ScalingConfig", {}).get("MaximumConcurrency", 1),
        )
        for logical, folder in folders.items()
    ]


def write_functions(functions: list[DeployedFunction], state: StateDirectory) -> None:
    """Keep them with the cloud."""
    write_whole(state.functions, json.dumps([asdict(function) for function in functions]))


def read_functions(state: StateDirectory) -> list[DeployedFunction]:
    """Those of the last deployment; none before the first."""
    return [DeployedFunction(**plain) for plain in read_json(state.functions) or []]
