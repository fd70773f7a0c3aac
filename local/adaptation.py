"""What has to be said differently to MiniStack for the same to happen as on AWS."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any


def adapted(template: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, Any]:
    """A CloudFormation template as MiniStack needs it, given the values of its parameters."""
    numbers = {
        name: int(values.get(name, parameter.get("Default")))
        for name, parameter in template["Parameters"].items()
        if parameter["Type"] == "Number"
    }
    resources = {
        name: _ADAPTED.get(resource["Type"], _as_it_is)(name, resource)
        for name, resource in template["Resources"].items()
        # The buckets' policies refuse everything but TLS, and there is none on the loopback.
        if resource["Type"] != "AWS::S3::BucketPolicy"
    }
    filled: dict[str, Any] = _with_numbers({**template, "Resources": resources}, numbers)
    return filled


def _with_numbers(node: Any, numbers: Mapping[str, int]) -> Any:
    """Number parameters as numbers.

    MiniStack hands the text of a parameter on; its poller of queues then compares text with a
    number, fails and wakes no function at all.
    """
    if isinstance(node, dict):
        if len(node) == 1 and node.get("Ref") in numbers:
            return numbers[node["Ref"]]
        return {key: _with_numbers(value, numbers) for key, value in node.items()}
    if isinstance(node, list):
        return [_with_numbers(value, numbers) for value in node]
    return node


def _with_metric_of_its_own(name: str, alarm: Mapping[str, Any]) -> dict[str, Any]:
    """An alarm on a metric that no other alarm looks at; the metrics pump fills it.

    MiniStack overlooks an alarm's dimensions: one message in one dead-letter queue would raise
    the alarms of all.
    """
    properties = alarm["Properties"]
    metric = f"{properties['MetricName']}/{name}"
    return {**alarm, "Properties": {**properties, "MetricName": metric}}


def _with_batches(_: str, role: Mapping[str, Any]) -> dict[str, Any]:
    """A role that may send several messages at once wherever it may send one.

    MiniStack asks for a permission of that name; AWS has none, one permission covers both.
    """
    changed = copy.deepcopy(dict(role))
    for policy in changed["Properties"].get("Policies", []):
        for statement in policy["PolicyDocument"]["Statement"]:
            if "sqs:SendMessage" in statement["Action"]:
                statement["Action"] = ["sqs:SendMessage", "sqs:SendMessageBatch"]
    return changed


def _as_it_is(_: str, resource: Mapping[str, Any]) -> Mapping[str, Any]:
    return resource


_ADAPTED: dict[str, Callable[[str, Mapping[str, Any]], Mapping[str, Any]]] = {
    "AWS::CloudWatch::Alarm": _with_metric_of_its_own,
    "AWS::IAM::Role": _with_batches,
}
