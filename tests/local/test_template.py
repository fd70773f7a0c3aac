"""What holds for every block of the template, read from what SAM makes of it."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from cfnlint.api import lint

from local.cloud import CHECKOUT, LOCAL_VALUES
from local.expansion import Expanded, expand
from local.outputs import Outputs
from local.state import write_whole

TEMPLATE = CHECKOUT / "template.yaml"
# SAM fills the throttle's parameters in, and adds a DependsOn where a Ref says it already.
SAMS_OWN_DOING = {"W2001", "W3005"}
AWS_OWNED = ("AWSLambdaBasicExecutionRole", "AWSXrayWriteOnlyAccess")


@pytest.fixture(scope="module")
def expanded(tmp_path_factory: pytest.TempPathFactory) -> Expanded:
    return expand(TEMPLATE, {}, tmp_path_factory.mktemp("expanded") / "template.json")


def of_type(expanded: Expanded, kind: str) -> dict[str, dict[str, Any]]:
    """Properties of the resources of one type, by logical id."""
    return {
        name: resource["Properties"]
        for name, resource in expanded.template["Resources"].items()
        if resource["Type"] == kind
    }


def queue_of(arn: dict[str, Any]) -> str:
    """The logical id in a GetAtt of an ARN."""
    name, attribute = arn["Fn::GetAtt"]
    assert attribute == "Arn"
    return str(name)


def test_source_lints_clean() -> None:
    assert [str(match) for match in lint(TEMPLATE.read_text())] == []


def test_expanded_template_lints_clean(expanded: Expanded) -> None:
    matches = lint(json.dumps(expanded.template))
    assert [str(match) for match in matches if match.rule.id not in SAMS_OWN_DOING] == []


def test_every_function_folder_has_its_block_and_its_sample_event(expanded: Expanded) -> None:
    folders = {path.parent.name for path in CHECKOUT.glob("functions/*/app.py")}
    assert {Path(folder).name for folder in expanded.functions.values()} == folders
    assert {path.stem for path in CHECKOUT.glob("events/*.json")} == folders
    for name, folder in expanded.functions.items():
        words = Path(folder).name.split("_")
        assert name == "".join(word.capitalize() for word in words) + "Function"


def test_every_queue_gives_up_into_a_dead_letter_queue_after_five_attempts(
    expanded: Expanded,
) -> None:
    queues = of_type(expanded, "AWS::SQS::Queue")
    for name, queue in queues.items():
        if name.endswith("DeadLetterQueue"):
            assert queue["MessageRetentionPeriod"] == 14 * 24 * 3600
        else:
            redrive = queue["RedrivePolicy"]
            assert redrive["maxReceiveCount"] >= 5
            target = queue_of({"Fn::GetAtt": redrive["deadLetterTargetArn"]["Fn::GetAtt"]})
            assert target == name.removesuffix("Queue") + "DeadLetterQueue"
            assert target in queues


def test_every_queue_waits_six_times_as_long_as_its_function_may_run(expanded: Expanded) -> None:
    functions = of_type(expanded, "AWS::Lambda::Function")
    queues = of_type(expanded, "AWS::SQS::Queue")
    triggers = of_type(expanded, "AWS::Lambda::EventSourceMapping")
    assert len(triggers) == len(functions) - 2  # predict and console_api are woken by HTTP
    for trigger in triggers.values():
        queue = queues[queue_of(trigger["EventSourceArn"])]
        function = functions[trigger["FunctionName"]["Ref"]]
        window = trigger.get("MaximumBatchingWindowInSeconds", 0)
        if isinstance(window, dict):
            window = expanded.template["Parameters"][window["Ref"]]["MaxValue"]
        assert queue["VisibilityTimeout"] >= 6 * function["Timeout"] + window
        assert trigger["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_every_rule_retries_and_keeps_what_it_could_not_deliver(expanded: Expanded) -> None:
    for rule in of_type(expanded, "AWS::Events::Rule").values():
        for target in rule["Targets"]:
            queue = queue_of(target["Arn"])
            assert target["RetryPolicy"]["MaximumRetryAttempts"] > 0
            dead = queue_of(target["DeadLetterConfig"]["Arn"])
            assert dead == queue.removesuffix("Queue") + "DeadLetterQueue"


def test_every_rule_may_write_to_its_queue_and_no_other_rule_may(expanded: Expanded) -> None:
    allowed: dict[str, set[str]] = {}
    for policy in of_type(expanded, "AWS::SQS::QueuePolicy").values():
        (statement,) = policy["PolicyDocument"]["Statement"]
        rules = {queue_of(arn) for arn in statement["Condition"]["ArnEquals"]["aws:SourceArn"]}
        for queue in policy["Queues"]:
            allowed[queue["Ref"]] = rules
    wanted: dict[str, set[str]] = {}
    for name, rule in of_type(expanded, "AWS::Events::Rule").items():
        for target in rule["Targets"]:
            for arn in (target["Arn"], target["DeadLetterConfig"]["Arn"]):
                wanted.setdefault(queue_of(arn), set()).add(name)
    assert allowed == wanted


def test_no_role_may_do_anything_with_a_wildcard(expanded: Expanded) -> None:
    roles = of_type(expanded, "AWS::IAM::Role")
    assert len(roles) == len(expanded.functions)
    for name, role in roles.items():
        managed = [str(arn).rsplit("/", 1)[-1].rstrip("'}]") for arn in role["ManagedPolicyArns"]]
        assert set(managed) <= set(AWS_OWNED), name
        for policy in role["Policies"]:
            for statement in policy["PolicyDocument"]["Statement"]:
                actions, resources = statement["Action"], statement["Resource"]
                for action in actions if isinstance(actions, list) else [actions]:
                    assert "*" not in action, name
                for resource in resources if isinstance(resources, list) else [resources]:
                    # Objects under one prefix of one bucket, or one thing.
                    text = str(resource)
                    assert "*" not in text or re.search(r"Bucket\.Arn}/\w+/\*'", text), name


def test_every_function_and_dead_letter_queue_has_an_alarm_that_tells_somebody(
    expanded: Expanded,
) -> None:
    watched = set()
    for alarm in of_type(expanded, "AWS::CloudWatch::Alarm").values():
        assert alarm["AlarmActions"] == [{"Ref": "AlarmTopic"}]
        for dimension in alarm["Dimensions"]:
            value = dimension["Value"]
            if isinstance(value, dict):
                watched.add(value.get("Ref") or value["Fn::GetAtt"][0])
    queues = of_type(expanded, "AWS::SQS::Queue")
    assert watched >= set(expanded.functions)
    assert watched >= {name for name in queues if name.endswith("DeadLetterQueue")}


def test_every_function_logs_as_json_into_a_group_that_forgets(expanded: Expanded) -> None:
    groups = of_type(expanded, "AWS::Logs::LogGroup")
    for function in of_type(expanded, "AWS::Lambda::Function").values():
        logging = function["LoggingConfig"]
        assert logging["LogFormat"] == "JSON"
        assert groups[logging["LogGroup"]["Ref"]]["RetentionInDays"] == {"Ref": "LogRetentionDays"}


def test_buckets_are_encrypted_versioned_private_and_refuse_plain_http(
    expanded: Expanded,
) -> None:
    buckets = of_type(expanded, "AWS::S3::Bucket")
    policies = {
        policy["Bucket"]["Ref"]: policy["PolicyDocument"]["Statement"]
        for policy in of_type(expanded, "AWS::S3::BucketPolicy").values()
    }
    assert set(buckets) == {"UploadsBucket", "LakeBucket"}
    for name, bucket in buckets.items():
        assert bucket["BucketEncryption"]
        assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
        assert all(bucket["PublicAccessBlockConfiguration"].values())
        (statement,) = policies[name]
        assert (statement["Effect"], statement["Principal"]) == ("Deny", "*")
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": False}}


def test_predictions_need_a_key_and_the_console_needs_iam(expanded: Expanded) -> None:
    api = of_type(expanded, "AWS::ApiGateway::RestApi")["EvergreenApi"]
    for path, methods in api["Body"]["paths"].items():
        for method in methods.values():
            wanted = "api_key" if path.endswith("/predict") else "AWS_IAM"
            assert wanted in [name for need in method["security"] for name in need], path


def test_what_answers_with_steps_has_their_engine_beside_it(expanded: Expanded) -> None:
    functions = of_type(expanded, "AWS::Lambda::Function")
    layers = {
        name: {layer["Ref"].rstrip("0123456789abcdef") for layer in properties["Layers"]}
        for name, properties in functions.items()
    }
    assert "DataLayer" in layers["PredictFunction"]
    # Together they are within Lambda's size: `tests/sam/test_build.py` weighs every function.
    assert layers["PredictFunction"] == layers["ScoreBatchFunction"]


def test_every_parameter_is_explained_and_bounded(expanded: Expanded) -> None:
    bounds = {"AllowedPattern", "AllowedValues", "MinValue"}
    for name, parameter in expanded.template["Parameters"].items():
        assert parameter["Description"], name
        assert "Default" in parameter, name
        assert bounds & set(parameter), name
    assert set(LOCAL_VALUES) <= set(expanded.template["Parameters"])


def test_the_stack_has_the_outputs_that_the_local_cloud_writes(expanded: Expanded) -> None:
    pascal = {
        "".join(word.capitalize() for word in field.name.split("_")) for field in fields(Outputs)
    }
    assert set(expanded.template["Outputs"]) == pascal - {"EndpointUrl"}


def test_expansion_is_kept_until_template_or_values_change(tmp_path: Path) -> None:
    source, kept = tmp_path / "template.yaml", tmp_path / "kept.json"
    write_whole(source, TEMPLATE.read_text())
    expand(source, {}, kept)
    first = kept.stat().st_mtime_ns
    expand(source, {}, kept)
    assert kept.stat().st_mtime_ns == first
    changed = expand(source, {"PredictRateLimit": "7"}, kept)
    plan = of_type(changed, "AWS::ApiGateway::UsagePlan")["EvergreenApiUsagePlan"]
    assert plan["Throttle"]["RateLimit"] == "7"
