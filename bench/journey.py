"""How long it takes from an upload to a champion that answers, and what of it is fitting."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bench.one_cloud import wait_for_answer
from demo.endpoint import Endpoint
from evergreen.cloud.clients import client
from local.cloud import LocalCloud

FITTING = ("run_trial", "fit_model")


@dataclass(frozen=True)
class JourneyTime:
    """Seconds from the upload to the first answer, and those in which any model was fitted."""

    total: float
    fitting: float

    @property
    def rest(self) -> float:
        """Everything that is not model fitting."""
        return self.total - self.fitting


def measure_journey(cloud: LocalCloud, project: str, example: Path) -> JourneyTime:
    """Upload an example under a project's name, and wait until its endpoint answers."""
    s3, bucket = client("s3"), cloud.outputs.uploads_bucket
    text = (
        (example / "project.yaml").read_text().replace("project: penguins", f"project: {project}")
    )
    # Other bytes each time: equal bytes would find the work done.
    data = (example / "penguins.csv").read_text().rstrip().splitlines()
    data = [data[0], *data[1 + len(project) % 7 :]]
    endpoint = Endpoint(cloud.outputs.api_url, cloud.outputs.api_key, project)
    began = time.time()
    s3.put_object(Bucket=bucket, Key=f"projects/{project}/project.yaml", Body=text.encode())
    s3.put_object(
        Bucket=bucket, Key=f"uploads/{project}/penguins/a.csv", Body="\n".join(data).encode()
    )
    wait_for_answer(endpoint, {})
    return JourneyTime(time.time() - began, _fitting_seconds(cloud, project))


def _fitting_seconds(cloud: LocalCloud, project: str) -> float:
    """Length of the union of the intervals in which a fitting stage worked for the project."""
    pages = client("dynamodb").get_paginator("scan").paginate(TableName=cloud.outputs.table)
    intervals = []
    for page in pages:
        for item in page["Items"]:
            if item["pk"]["S"].startswith("DERIVATION#"):
                body = json.loads(item["body"]["S"])
                if body["project"] == project and body["stage"] in FITTING:
                    intervals.append(
                        tuple(
                            datetime.fromisoformat(body[k]).timestamp()
                            for k in ("started_at", "ended_at")
                        )
                    )
    covered, reached = 0.0, 0.0
    for start, end in sorted(intervals):
        covered += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return covered
