"""A checkout whose functions are all the same recorder, and someone who watches what they note."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

from local.cloud import CHECKOUT, LocalCloud
from local.expansion import expand

RECORDER = Path(__file__).with_name("recorder.py")


def recording_checkout(directory: Path) -> Path:
    """The checkout's template over recorders and empty layers."""
    expanded = expand(CHECKOUT / "template.yaml", {}, directory / "template.json")
    shutil.copy(CHECKOUT / "template.yaml", directory)
    for folder in expanded.functions.values():
        (directory / folder).mkdir(parents=True)
        shutil.copy(RECORDER, directory / folder / "app.py")
    for folder in expanded.layers.values():
        (directory / folder / "python").mkdir(parents=True)
    return directory


class Watcher:
    """Does to a cloud what people do, and reads what its recorders noted."""

    def __init__(self, cloud: LocalCloud) -> None:
        self.cloud = cloud

    def upload(self, key: str, body: bytes = b"any") -> float:
        """Put an object; the time at which that began."""
        began = time.time()
        bucket = self.cloud.outputs.uploads_bucket
        self.cloud.client("s3").put_object(Bucket=bucket, Key=key, Body=body)
        return began

    def say(self, name: str, detail: dict[str, Any]) -> float:
        """Say a fact on the lifecycle bus; the time at which that began."""
        began = time.time()
        entry = {
            "EventBusName": self.cloud.outputs.bus,
            "Source": "evergreen.test",
            "DetailType": name,
            "Detail": json.dumps(detail),
        }
        self.cloud.client("events").put_events(Entries=[entry])
        return began

    def noted(self, stage: str, since: float, seconds: float = 20) -> dict[str, Any]:
        """The first note of a stage since then, waited for."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            items = self.cloud.client("dynamodb").query(
                TableName=self.cloud.outputs.table,
                KeyConditionExpression="pk = :stage AND sk > :since",
                ExpressionAttributeValues={":stage": {"S": stage}, ":since": {"S": str(since)}},
            )["Items"]
            if items:
                return dict(json.loads(items[0]["note"]["S"]))
            time.sleep(0.02)
        raise AssertionError(f"{stage} noted nothing; {self.cloud.state.log.read_text()}")

    def physical(self, logical: str) -> str:
        """The name, URL or ARN of a resource by its logical id."""
        answer = self.cloud.client("cloudformation").describe_stack_resource(
            StackName="evergreen", LogicalResourceId=logical
        )
        return str(answer["StackResourceDetail"]["PhysicalResourceId"])

    def queue_arn(self, logical: str) -> str:
        """The ARN of a queue by its logical id."""
        answer = self.cloud.client("sqs").get_queue_attributes(
            QueueUrl=self.physical(logical), AttributeNames=["QueueArn"]
        )
        return str(answer["Attributes"]["QueueArn"])
