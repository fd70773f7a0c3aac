"""A handler for every function: notes what woke it, says what follows, fails when told to."""

import json
import os
import time

import boto3

NEXT = {
    "ingest_upload": "DatasetIngested",
    "prepare_training_set": "TrainingSetPrepared",
    "plan_search": "TrialFinished",
    "advance_search": "SearchFinished",
    "fit_model": "ModelFitted",
    "evaluate_model": "ModelEvaluated",
}
STAGE = os.environ["POWERTOOLS_SERVICE_NAME"]
EDITION = "first"

table = boto3.client("dynamodb")
bus = boto3.client("events")


def handler(event: dict, _: object) -> dict:
    print(json.dumps({"stage": STAGE, "edition": EDITION}))
    if "httpMethod" in event:
        return {"statusCode": 200, "body": json.dumps({"stage": STAGE, "edition": EDITION})}
    failures = []
    for record in event["Records"]:
        body = json.loads(record["body"])
        if "crash" in json.dumps(body):
            raise RuntimeError("told to crash")
        if "fail" in json.dumps(body):
            failures.append({"itemIdentifier": record["messageId"]})
            continue
        note = {
            "edition": EDITION,
            "body": body,
            "python": os.sys.prefix,
            "batch": len(event["Records"]),
        }
        table.put_item(
            TableName=os.environ["CATALOGUE_TABLE"],
            Item={
                "pk": {"S": STAGE},
                "sk": {"S": f"{time.time():.6f}"},
                "note": {"S": json.dumps(note)},
            },
        )
        if STAGE in NEXT:
            said = {
                "EventBusName": os.environ["LIFECYCLE_BUS"],
                "Source": f"evergreen.{STAGE}",
                "DetailType": NEXT[STAGE],
                "Detail": json.dumps({"project": "any"}),
            }
            assert bus.put_events(Entries=[said])["FailedEntryCount"] == 0
    return {"batchItemFailures": failures}
