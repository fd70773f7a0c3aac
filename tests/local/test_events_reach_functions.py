"""Real events wake deployed functions, through their queues, with their roles."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import boto3
import pytest
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from local.cloud import CHECKOUT
from tests.local.watching import Watcher

http = urllib3.PoolManager(retries=False)


@pytest.mark.parametrize(
    ("key", "stage"),
    [
        ("projects/p/project.yaml", "register_project"),
        ("labels/p/labels.csv", "ingest_labels"),
        ("scoring/p/rows.csv", "score_batch"),
    ],
)
def test_an_upload_wakes_the_stage_of_its_prefix(watcher: Watcher, key: str, stage: str) -> None:
    began = watcher.upload(key)
    event = watcher.noted(stage, began)["body"]
    assert event["detail-type"] == "Object Created"
    assert event["detail"]["object"]["key"] == key


def test_a_fact_wakes_the_next_stage_and_so_on_to_the_end(watcher: Watcher) -> None:
    began = watcher.upload("uploads/p/d/rows.csv")
    assert watcher.noted("ingest_upload", began)
    assert watcher.noted("prepare_training_set", began)["body"]["detail-type"] == "DatasetIngested"
    assert watcher.noted("plan_search", began)
    assert watcher.noted("promote_model", began)["body"]["detail-type"] == "ModelEvaluated"


@pytest.mark.parametrize(
    ("fact", "stage"),
    [
        ("DriftCheckRequested", "check_drift"),
        ("LabelsJoined", "decide_retrain"),
        ("ModelPromoted", "list_for_labelling"),
    ],
)
def test_a_fact_from_elsewhere_wakes_its_stage(watcher: Watcher, fact: str, stage: str) -> None:
    began = watcher.say(fact, {"project": "p"})
    assert watcher.noted(stage, began)["body"]["detail-type"] == fact


def test_messages_wake_trials_and_captures(watcher: Watcher) -> None:
    began = time.time()
    sqs = watcher.cloud.client("sqs")
    for queue in ("RunTrialQueue", "CapturePredictionsQueue"):
        sqs.send_message(QueueUrl=watcher.physical(queue), MessageBody=json.dumps({"to": queue}))
    assert watcher.noted("run_trial", began)["body"] == {"to": "RunTrialQueue"}
    assert watcher.noted("capture_predictions", began)["body"] == {"to": "CapturePredictionsQueue"}


def test_captures_are_gathered_for_their_window(watcher: Watcher) -> None:
    sqs, queue = watcher.cloud.client("sqs"), watcher.physical("CapturePredictionsQueue")
    began = time.time()
    for count in (10, 5):
        entries = [{"Id": str(n), "MessageBody": '{"window": true}'} for n in range(count)]
        sqs.send_message_batch(QueueUrl=queue, Entries=entries)
    assert watcher.noted("capture_predictions", began)["batch"] == 15


def test_functions_run_under_the_interpreter_of_the_checkout(watcher: Watcher) -> None:
    began = watcher.say("LabelsJoined", {"project": "p"})
    assert watcher.noted("decide_retrain", began)["python"] == sys.prefix


def test_a_message_that_fails_five_times_is_kept_apart(watcher: Watcher) -> None:
    sqs = watcher.cloud.client("sqs")
    queue = watcher.physical("SweepQueue")
    dead = watcher.physical("SweepDeadLetterQueue")
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "0"})
    sqs.send_message(QueueUrl=queue, MessageBody=json.dumps({"please": "fail"}))
    answer = sqs.receive_message(QueueUrl=dead, WaitTimeSeconds=15)
    (message,) = answer["Messages"]
    assert json.loads(message["Body"]) == {"please": "fail"}
    sqs.delete_message(QueueUrl=dead, ReceiptHandle=message["ReceiptHandle"])


def test_predictions_want_the_key(watcher: Watcher) -> None:
    outputs = watcher.cloud.outputs
    url = f"{outputs.api_url}/projects/p/predict"
    answer = http.request("POST", url, body=b"{}", headers={"x-api-key": outputs.api_key})
    assert (answer.status, answer.json()["stage"]) == (200, "predict")
    assert http.request("POST", url, body=b"{}").status == 403
    assert http.request("POST", url, body=b"{}", headers={"x-api-key": "guess"}).status == 403


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/projects"),
        ("GET", "/projects/p"),
        ("GET", "/projects/p/models"),
        ("POST", "/projects/p/actions/retrain"),
        ("GET", "/lineage/abc"),
    ],
)
def test_the_console_wants_a_signature(watcher: Watcher, method: str, path: str) -> None:
    outputs = watcher.cloud.outputs
    request = AWSRequest(method, outputs.api_url + path)
    signer = SigV4Auth(Credentials("test", "test"), "execute-api", outputs.region)
    signer.add_auth(request)
    answer = http.request(method, outputs.api_url + path, headers=dict(request.headers))
    assert (answer.status, answer.json()["stage"]) == (200, "console_api")
    assert http.request(method, outputs.api_url + path).status == 403


def test_a_role_may_do_no_more_than_the_template_says(watcher: Watcher) -> None:
    cloud = watcher.cloud
    role = watcher.physical("PredictFunctionRole")
    session = cloud.client("sts").assume_role(
        RoleArn=f"arn:aws:iam::000000000000:role/{role}", RoleSessionName="test"
    )["Credentials"]
    table = boto3.client(
        "dynamodb",
        endpoint_url=cloud.endpoint_url,
        region_name=cloud.outputs.region,
        aws_access_key_id=session["AccessKeyId"],
        aws_secret_access_key=session["SecretAccessKey"],
        aws_session_token=session["SessionToken"],
    )
    key = {"pk": {"S": "a"}, "sk": {"S": "b"}}
    assert "Item" not in table.get_item(TableName=cloud.outputs.table, Key=key)
    with pytest.raises(ClientError, match="AccessDenied"):
        table.put_item(TableName=cloud.outputs.table, Item=key)


def test_what_functions_print_is_found_in_their_logs(watcher: Watcher) -> None:
    watcher.noted("decide_retrain", watcher.say("LabelsJoined", {"project": "p"}))
    time.sleep(0.2)
    directory = str(watcher.cloud.state.path)
    printed = subprocess.run(
        [sys.executable, "-m", "local", "logs", "decide_retrain", "--directory", directory],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert '{"stage": "decide_retrain", "edition": "first"}' in printed
