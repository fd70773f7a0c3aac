"""What the local cloud tells people and programs: the names in `outputs.json`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from local.stack import STACK
from local.state import StateDirectory, write_whole

if TYPE_CHECKING:
    from types_boto3_cloudformation import CloudFormationClient


@dataclass(frozen=True)
class Outputs:
    """The names under which the deployed stack is reached; programs rely on them."""

    endpoint_url: str
    region: str
    uploads_bucket: str
    lake_bucket: str
    table: str
    feature_table: str
    feature_events_queue: str
    bus: str
    api_url: str
    api_key: str

    @property
    def environment(self) -> dict[str, str]:
        """What AWS's own tools read to find it."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }


def read_outputs(
    cloudformation: CloudFormationClient, api_gateway: Any, endpoint_url: str, stage: str
) -> Outputs:
    """Ask the deployed stack for them."""
    stack = cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]
    names = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    resources = cloudformation.describe_stack_resources(StackName=STACK)["StackResources"]
    api = next(
        resource["PhysicalResourceId"]
        for resource in resources
        if resource["LogicalResourceId"] == "EvergreenApi"
    )
    key = api_gateway.get_api_key(apiKey=names["ApiKey"], includeValue=True)
    return Outputs(
        endpoint_url=endpoint_url,
        region=names["Region"],
        uploads_bucket=names["UploadsBucket"],
        lake_bucket=names["LakeBucket"],
        table=names["Table"],
        feature_table=names["FeatureTable"],
        feature_events_queue=names["FeatureEventsQueue"],
        bus=names["Bus"],
        # The stack's own output is an address in AWS; here the API answers under a path.
        api_url=f"{endpoint_url}/restapis/{api}/{stage}/_user_request_",
        api_key=key["value"],
    )


def write_outputs(outputs: Outputs, state: StateDirectory) -> None:
    """Write them for programs (JSON) and for a shell, with what AWS's own tools read."""
    exports = {
        **outputs.environment,
        **{name.upper(): value for name, value in asdict(outputs).items()},
    }
    lines = [f"export {name}='{value}'" for name, value in exports.items()]
    write_whole(state.exports, "\n".join(lines) + "\n")
    write_whole(state.outputs, json.dumps(asdict(outputs), indent=2) + "\n")
