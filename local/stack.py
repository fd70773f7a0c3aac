"""Create the stack in the local cloud, or update it when something has changed."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from local.expansion import ARTIFACTS_BUCKET

if TYPE_CHECKING:
    from types_boto3_cloudformation import CloudFormationClient
    from types_boto3_s3 import S3Client

STACK = "evergreen"
_POLL_SECONDS = 0.05
_PATIENCE_SECONDS = 120.0


class DeploymentError(RuntimeError):
    """The stack did not reach the state asked for; says which resources failed, and why."""


def upload(s3: S3Client, files: Sequence[Path]) -> None:
    """Put files that are named by their digest into the artifacts bucket, each once."""
    s3.create_bucket(Bucket=ARTIFACTS_BUCKET)
    listing = s3.list_objects_v2(Bucket=ARTIFACTS_BUCKET)
    there = {item["Key"] for item in listing.get("Contents", [])}
    for path in files:
        if path.name not in there:
            s3.put_object(Bucket=ARTIFACTS_BUCKET, Key=path.name, Body=path.read_bytes())


def deploy(
    s3: S3Client, cloudformation: CloudFormationClient, template: str, values: Mapping[str, str]
) -> str:
    """Bring the stack to a template and its parameters: "created", "updated" or "unchanged"."""
    # From S3, because a template in the request may have 51,200 bytes at most.
    s3.put_object(Bucket=ARTIFACTS_BUCKET, Key="template.json", Body=template.encode())
    request: dict[str, Any] = {
        "StackName": STACK,
        "TemplateURL": f"{s3.meta.endpoint_url}/{ARTIFACTS_BUCKET}/template.json",
        "Parameters": [
            {"ParameterKey": name, "ParameterValue": value} for name, value in values.items()
        ],
        "Capabilities": ["CAPABILITY_IAM"],
    }
    try:
        if not _can_be_updated(cloudformation):
            cloudformation.create_stack(**request)
            _wait(cloudformation, "CREATE_COMPLETE")
            return "created"
        cloudformation.update_stack(**request)
        _wait(cloudformation, "UPDATE_COMPLETE")
    except ClientError as error:
        message = error.response["Error"].get("Message", "")
        if "No updates are to be performed" in message:
            return "unchanged"
        raise DeploymentError(f"the template is refused: {message}") from error
    return "updated"


def _can_be_updated(cloudformation: CloudFormationClient) -> bool:
    """Whether there is a stack; one whose creation failed is removed, for it cannot be updated."""
    try:
        stack = cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]
    except ClientError:
        return False
    if stack["StackStatus"] not in {"ROLLBACK_COMPLETE", "CREATE_FAILED"}:
        return True
    cloudformation.delete_stack(StackName=STACK)
    cloudformation.get_waiter("stack_delete_complete").wait(
        StackName=STACK, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
    )
    return False


def _wait(cloudformation: CloudFormationClient, wanted: str) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        stack = cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]
        status = stack["StackStatus"]
        if status == wanted:
            return
        if not status.endswith("_IN_PROGRESS"):
            raise DeploymentError(f"the stack is {status}\n{_failures(cloudformation)}")
        time.sleep(_POLL_SECONDS)
    raise DeploymentError(f"the stack was not {wanted} within {_PATIENCE_SECONDS:.0f} s")


def _failures(cloudformation: CloudFormationClient) -> str:
    pages = cloudformation.get_paginator("describe_stack_events").paginate(StackName=STACK)
    events = [event for page in pages for event in page["StackEvents"]]
    return "\n".join(
        f"  {event['LogicalResourceId']} ({event['ResourceType']}): "
        f"{event.get('ResourceStatusReason', 'no reason given')}"
        for event in reversed(events)
        if event["ResourceStatus"].endswith("_FAILED")
    )
