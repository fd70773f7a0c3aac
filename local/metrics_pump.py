"""The metrics that AWS publishes by itself and MiniStack does not, so that alarms fire."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from local.waiting import queue_depths

Dimensions = tuple[tuple[str, str], ...]
Metric = tuple[str, str, Dimensions]
"""Namespace, name, dimensions."""

_DEPTHS = {
    "ApproximateNumberOfMessages": "ApproximateNumberOfMessagesVisible",
    "ApproximateNumberOfMessagesNotVisible": "ApproximateNumberOfMessagesNotVisible",
}
# A pass looks at what had happened so long before it, when all of it has been written down.
_LAG_SECONDS = 1.0
_BATCH = 500


class MetricsPump:
    """Reads queues, log lines and functions' errors; puts what it finds as metric data.

    `client` makes a boto3 client of a service.
    """

    def __init__(self, client: Callable[[str], Any]) -> None:
        self._cloudwatch, self._sqs = client("cloudwatch"), client("sqs")
        self._logs, self._lambda = client("logs"), client("lambda")
        self._since = 0.0

    def pump(self) -> None:
        """One pass; what happened before the pass before it is not pumped again."""
        until = time.time() - _LAG_SECONDS
        pages = self._cloudwatch.get_paginator("describe_alarms").paginate()
        alarms = [alarm for page in pages for alarm in page["MetricAlarms"]]
        depths = dict(self._queue_depths())
        seen = depths | dict(self._errors())
        of_alarms = {
            (alarm["Namespace"], alarm["MetricName"], _dimensions(alarm)): seen[_metric(alarm)]
            for alarm in alarms
            if _metric(alarm) in seen
        }
        self._put([*depths.items(), *of_alarms.items(), *self._embedded(until)])
        self._since = until

    def _queue_depths(self) -> Iterator[tuple[Metric, float]]:
        for queue, depths in queue_depths(self._sqs):
            for attribute, name in _DEPTHS.items():
                yield ("AWS/SQS", name, (("QueueName", queue),)), float(depths[attribute])

    def _errors(self) -> Iterator[tuple[Metric, float]]:
        # MiniStack counts invocations that were asked for, not those by which it emptied a
        # queue; of these it remembers how the last one ended.
        pages = self._lambda.get_paginator("list_event_source_mappings").paginate()
        for mapping in (mapping for page in pages for mapping in page["EventSourceMappings"]):
            function = mapping["FunctionArn"].rsplit(":", 1)[-1]
            failed = mapping["LastProcessingResult"] == "FAILED"
            yield ("AWS/Lambda", "Errors", (("FunctionName", function),)), float(failed)

    def _embedded(self, until: float) -> Iterator[tuple[Metric, float]]:
        groups = self._logs.get_paginator("describe_log_groups").paginate()
        for name in (group["logGroupName"] for page in groups for group in page["logGroups"]):
            pages = self._logs.get_paginator("filter_log_events").paginate(
                logGroupName=name,
                filterPattern="CloudWatchMetrics",
                startTime=int(self._since * 1000),
                endTime=int(until * 1000) - 1,
            )
            for event in (event for page in pages for event in page["events"]):
                yield from embedded_metrics(event["message"])

    def _put(self, data: Sequence[tuple[Metric, float]]) -> None:
        by_namespace: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for (namespace, name, dimensions), value in data:
            by_namespace[namespace].append(
                {"MetricName": name, "Dimensions": _as_given(dimensions), "Value": value}
            )
        for namespace, found in by_namespace.items():
            for start in range(0, len(found), _BATCH):
                self._cloudwatch.put_metric_data(
                    Namespace=namespace, MetricData=found[start : start + _BATCH]
                )


def embedded_metrics(line: str) -> Iterator[tuple[Metric, float]]:
    """The metrics in a log line of CloudWatch's embedded metric format; none in any other line."""
    try:
        fields = json.loads(line)
        directives = fields["_aws"]["CloudWatchMetrics"]
    except (ValueError, KeyError, TypeError):
        return
    for directive in directives:
        for names in directive["Dimensions"]:
            dimensions = tuple((name, str(fields[name])) for name in names)
            for metric in directive["Metrics"]:
                values = fields[metric["Name"]]
                for value in values if isinstance(values, list) else [values]:
                    yield (directive["Namespace"], metric["Name"], dimensions), float(value)


def _metric(alarm: Mapping[str, Any]) -> Metric:
    """What an alarm looks at in AWS; `local.adaptation` gave it a metric of its own here."""
    return alarm["Namespace"], alarm["MetricName"].partition("/")[0], _dimensions(alarm)


def _dimensions(alarm: Mapping[str, Any]) -> Dimensions:
    return tuple((item["Name"], item["Value"]) for item in alarm["Dimensions"])


def _as_given(dimensions: Dimensions) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in dimensions]
