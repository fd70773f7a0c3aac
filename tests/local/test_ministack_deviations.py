"""Where MiniStack is not AWS and `local/` relies on it; an upgrade cannot change it unseen."""

from __future__ import annotations

import inspect
import json
import time

import boto3
import pytest
from botocore.exceptions import ClientError
from ministack.core.lambda_runtime import Worker
from ministack.services import lambda_svc

from tests.local.watching import Watcher


def test_it_waits_for_log_lines_as_long_as_we_think_before_we_shorten_it() -> None:
    # local/ministack_process.py replaces it by one that takes the same.
    names = Worker._drain_stderr_bounded.__code__.co_varnames[1:4]
    assert names == ("first_line_wait", "idle_confirm", "hard_cap")
    assert Worker._drain_stderr_bounded.__defaults__ == (0.050, 0.005, 0.250)


def test_it_overlooks_the_batching_window_before_we_mind_it() -> None:
    # local/ministack_process.py replaces the receiving of a trigger's batch.
    poll = inspect.getsource(lambda_svc._poll_sqs)
    assert "BatchingWindow" not in poll
    assert "_sqs._receive_messages_for_esm(queue_url, batch_size)" in poll


def test_an_alarm_overlooks_its_dimensions(watcher: Watcher) -> None:
    # Hence local/adaptation.py gives every alarm a metric of its own.
    cloudwatch = watcher.cloud.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName="of-another",
        Namespace="Deviation",
        MetricName="Depth",
        Dimensions=[{"Name": "Queue", "Value": "one"}],
        Statistic="Maximum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
    )
    depth = {"MetricName": "Depth", "Value": 1, "Dimensions": [{"Name": "Queue", "Value": "two"}]}
    cloudwatch.put_metric_data(Namespace="Deviation", MetricData=[depth])
    (alarm,) = cloudwatch.describe_alarms(AlarmNames=["of-another"])["MetricAlarms"]
    assert alarm["StateValue"] == "ALARM"
    cloudwatch.delete_alarms(AlarmNames=["of-another"])


def test_an_alarm_on_metric_queries_is_refused(watcher: Watcher) -> None:
    # Else local/adaptation.py could say alarms that way, which MiniStack does not judge.
    alarm = {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {
            "ComparisonOperator": "GreaterThanThreshold",
            "EvaluationPeriods": 1,
            "Threshold": 0,
            "Metrics": [
                {
                    "Id": "m",
                    "MetricStat": {
                        "Metric": {"Namespace": "Deviation", "MetricName": "Depth"},
                        "Period": 60,
                        "Stat": "Maximum",
                    },
                }
            ],
        },
    }
    assert "Metrics" in stack_reason(watcher, "queries", {"Alarm": alarm})


def test_number_parameters_arrive_as_text_and_stop_the_poller(watcher: Watcher) -> None:
    # Hence local/adaptation.py fills them in as numbers.
    cloudformation = watcher.cloud.client("cloudformation")
    template = {
        "Parameters": {"AtOnce": {"Type": "Number", "Default": 3}},
        "Resources": {
            "Queue": {"Type": "AWS::SQS::Queue"},
            "Mapping": {
                "Type": "AWS::Lambda::EventSourceMapping",
                "Properties": {
                    "FunctionName": watcher.physical("SweepFunction"),
                    "EventSourceArn": {"Fn::GetAtt": ["Queue", "Arn"]},
                    "ScalingConfig": {"MaximumConcurrency": {"Ref": "AtOnce"}},
                },
            },
        },
    }
    cloudformation.create_stack(StackName="numbers", TemplateBody=json.dumps(template))
    try:
        deadline = time.monotonic() + 10
        complaint = "ESM SQS poller error: '>=' not supported between instances of 'int' and 'str'"
        while complaint not in watcher.cloud.state.log.read_text():
            assert time.monotonic() < deadline
            time.sleep(0.1)
    finally:
        cloudformation.delete_stack(StackName="numbers")


def test_our_mappings_have_numbers(watcher: Watcher) -> None:
    mapping = watcher.physical("RunTrialTrigger")
    found = watcher.cloud.client("lambda").get_event_source_mapping(UUID=mapping)
    assert found["ScalingConfig"]["MaximumConcurrency"] == 2


def test_a_template_of_more_than_51200_bytes_must_come_from_s3(watcher: Watcher) -> None:
    # As on AWS; ours does, and this says that it has to.
    body = json.dumps({"Description": "x" * 60_000, "Resources": {}})
    with pytest.raises(ClientError, match="51200"):
        watcher.cloud.client("cloudformation").create_stack(StackName="large", TemplateBody=body)


@pytest.mark.timed
def test_a_handler_that_raises_says_so_in_its_own_way_and_loses_its_worker(
    watcher: Watcher,
) -> None:
    # Hence functions are warmed with events that they answer.
    aws_lambda = watcher.cloud.client("lambda")
    function = watcher.physical("RunTrialFunction")

    def invoke(text: str) -> tuple[str | None, str]:
        event = {"Records": [{"messageId": "1", "body": json.dumps({"please": text})}]}
        answer = aws_lambda.invoke(FunctionName=function, Payload=json.dumps(event).encode())
        return answer.get("FunctionError"), answer["Payload"].read().decode()

    assert invoke("fail")[0] is None
    error, payload = invoke("crash")
    assert error == "Unhandled"
    assert json.loads(payload)["errorType"] == "Runtime.HandlerError"
    before = time.monotonic()
    assert invoke("fail")[0] is None
    cold = time.monotonic() - before
    before = time.monotonic()
    assert invoke("fail")[0] is None
    assert time.monotonic() - before < cold / 3


def test_sending_several_messages_wants_a_permission_that_aws_does_not_have(
    watcher: Watcher,
) -> None:
    # Hence local/adaptation.py gives it to every role that may send one.
    iam, sqs = watcher.cloud.client("iam"), watcher.cloud.client("sqs")
    queue = sqs.create_queue(QueueName="several")["QueueUrl"]
    iam.create_user(UserName="sender")
    statement = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    iam.put_user_policy(UserName="sender", PolicyName="send", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName="sender")["AccessKey"]
    sender = boto3.client(
        "sqs",
        endpoint_url=watcher.cloud.endpoint_url,
        region_name=watcher.cloud.outputs.region,
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
    )
    assert sender.send_message(QueueUrl=queue, MessageBody="one")["MessageId"]
    with pytest.raises(ClientError, match="sqs:SendMessageBatch"):
        sender.send_message_batch(QueueUrl=queue, Entries=[{"Id": "1", "MessageBody": "one"}])


def test_it_publishes_no_metrics_of_queues_and_apis(watcher: Watcher) -> None:
    # Hence local/metrics_pump.py, which fills the names that are looked for here only with
    # depths; were there a third metric, MiniStack would have published it.
    metrics = watcher.cloud.client("cloudwatch").list_metrics(Namespace="AWS/SQS")["Metrics"]
    names = {metric["MetricName"].partition("/")[0] for metric in metrics}
    assert names <= {"ApproximateNumberOfMessagesVisible", "ApproximateNumberOfMessagesNotVisible"}
    assert (
        watcher.cloud.client("cloudwatch").list_metrics(Namespace="AWS/ApiGateway")["Metrics"] == []
    )


def stack_reason(watcher: Watcher, name: str, resources: dict[str, object]) -> str:
    """Why a stack of its own cannot be created."""
    cloudformation = watcher.cloud.client("cloudformation")
    cloudformation.create_stack(
        StackName=name, TemplateBody=json.dumps({"Resources": resources}), OnFailure="DO_NOTHING"
    )
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
        for event in events:
            if event["ResourceStatus"] == "CREATE_FAILED":
                return str(event["ResourceStatusReason"])
        time.sleep(0.1)
    raise AssertionError(f"the stack {name} was created")
