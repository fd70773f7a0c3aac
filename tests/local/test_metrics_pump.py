"""What AWS publishes by itself reaches the alarms here too, and only those that it concerns."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.metrics_pump import MetricsPump, embedded_metrics
from tests.local.watching import Watcher

LINE = {
    "_aws": {
        "Timestamp": 1767225600000,
        "CloudWatchMetrics": [
            {
                "Namespace": "Evergreen",
                "Dimensions": [["service"], ["service", "project"]],
                "Metrics": [{"Name": "RowsIngested", "Unit": "Count"}],
            }
        ],
    },
    "service": "ingest_upload",
    "project": "p",
    "RowsIngested": [3, 4.5],
}


def test_a_line_of_the_embedded_metric_format_is_read_for_each_set_of_dimensions() -> None:
    by_service = (("service", "ingest_upload"),)
    by_both = (*by_service, ("project", "p"))
    assert list(embedded_metrics(json.dumps(LINE))) == [
        (("Evergreen", "RowsIngested", by_service), 3.0),
        (("Evergreen", "RowsIngested", by_service), 4.5),
        (("Evergreen", "RowsIngested", by_both), 3.0),
        (("Evergreen", "RowsIngested", by_both), 4.5),
    ]


@pytest.mark.parametrize("line", ["", "START RequestId: 1", "[1, 2]", '{"_aws": {}}', '{"a": 1}'])
def test_any_other_line_holds_no_metric(line: str) -> None:
    assert list(embedded_metrics(line)) == []


@pytest.fixture
def pump(watcher: Watcher) -> MetricsPump:
    return MetricsPump(watcher.cloud.client)


@pytest.fixture
def told(watcher: Watcher) -> Iterator[str]:
    """A queue that hears of alarms."""
    sqs, sns = watcher.cloud.client("sqs"), watcher.cloud.client("sns")
    queue = sqs.create_queue(QueueName="told")["QueueUrl"]
    answer = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    arn, topic = answer["Attributes"]["QueueArn"], watcher.physical("AlarmTopic")
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    subscription = sns.subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=arn, ReturnSubscriptionArn=True
    )
    yield queue
    sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
    sqs.delete_queue(QueueUrl=queue)


def in_alarm(watcher: Watcher) -> set[str]:
    pages = watcher.cloud.client("cloudwatch").get_paginator("describe_alarms")
    alarms = [alarm for page in pages.paginate() for alarm in page["MetricAlarms"]]
    return {alarm["AlarmName"] for alarm in alarms if alarm["StateValue"] == "ALARM"}


def test_one_dead_letter_raises_one_alarm_and_somebody_is_told(
    watcher: Watcher, pump: MetricsPump, told: str
) -> None:
    sqs = watcher.cloud.client("sqs")
    pump.pump()
    before = in_alarm(watcher)
    alarm = watcher.physical("FitModelDeadLetterAlarm")
    assert alarm not in before
    queue = watcher.physical("FitModelDeadLetterQueue")
    sqs.send_message(QueueUrl=queue, MessageBody="given up")
    pump.pump()
    assert in_alarm(watcher) - before == {alarm}
    (message,) = sqs.receive_message(QueueUrl=told, WaitTimeSeconds=5)["Messages"]
    assert "FitModelFunction has given up on messages" in message["Body"]


def test_a_function_that_fails_raises_its_alarm(watcher: Watcher, pump: MetricsPump) -> None:
    pump.pump()
    before = in_alarm(watcher)
    sqs = watcher.cloud.client("sqs")
    queue = watcher.physical("PlanSearchQueue")
    sqs.send_message(QueueUrl=queue, MessageBody=json.dumps({"please": "crash"}))
    alarm = watcher.physical("PlanSearchErrorsAlarm")
    deadline = time.monotonic() + 15
    while alarm not in in_alarm(watcher) and time.monotonic() < deadline:
        time.sleep(0.5)
        pump.pump()
    assert in_alarm(watcher) - before == {alarm}


def test_metrics_in_log_lines_are_counted_once(watcher: Watcher, pump: MetricsPump) -> None:
    logs = watcher.cloud.client("logs")
    group = watcher.physical("SweepLogs")
    logs.create_log_stream(logGroupName=group, logStreamName="once")
    event: dict[str, Any] = {"timestamp": int(time.time() * 1000), "message": json.dumps(LINE)}
    logs.put_log_events(logGroupName=group, logStreamName="once", logEvents=[event])
    time.sleep(1.2)
    pump.pump()
    pump.pump()
    (point,) = watcher.cloud.client("cloudwatch").get_metric_statistics(
        Namespace="Evergreen",
        MetricName="RowsIngested",
        Dimensions=[{"Name": "service", "Value": "ingest_upload"}],
        StartTime=datetime.now(UTC) - timedelta(minutes=5),
        EndTime=datetime.now(UTC) + timedelta(minutes=5),
        Period=3600,
        Statistics=["Sum", "SampleCount"],
    )["Datapoints"]
    # The keeper of this cloud pumps as well; each pump reads each line once.
    assert point["Sum"] in {7.5, 15.0}
    assert point["SampleCount"] in {2, 4}
