"""Write batches of captured predictions as Parquet, by project."""

import json
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from aws_lambda_powertools import Logger

from evergreen.cloud.runtime import Stage
from evergreen.monitoring.captures import CaptureInvalidError, check_message, write_captures
from evergreen.registry.identity import capture_key, digest_of

logger = Logger()
stage = Stage("capture_predictions", lease_seconds=180)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """One object per project and batch; what cannot be stored is delivered again alone."""
    records, failed = defaultdict(list), []
    for record in event["Records"]:
        try:
            message = json.loads(record["body"])
            check_message(message)
            records[message["project"]].append((record, message))
        except (CaptureInvalidError, KeyError, json.JSONDecodeError):
            # After its last delivery it lies in the dead-letter queue, where somebody can look.
            logger.exception("no capture", message_id=record["messageId"])
            failed.append(record)
    for project, batch in records.items():
        try:
            write(project, [message for _, message in batch])
        except Exception:
            logger.exception("captures not written", project=project)
            failed += [record for record, _ in batch]
    logger.info("captured", messages=len(event["Records"]), failed=len(failed))
    return {"batchItemFailures": [{"itemIdentifier": record["messageId"]} for record in failed]}


def write(project: str, messages: list[dict[str, Any]]) -> None:
    """Write one batch under the digest of its content, and list it."""
    batch = digest_of(messages)
    key = capture_key(project, batch)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "captures.parquet")
        summary = write_captures(messages, path)
        if summary.earliest is None or summary.latest is None:
            return
        stage.lake.store(path, key)
    stage.catalogue.put(
        project,
        "CAPTURE",
        batch,
        {
            "key": key,
            "rows": summary.rows,
            "earliest": summary.earliest.isoformat(),
            "latest": summary.latest.isoformat(),
            "models": sorted(summary.models),
        },
    )
