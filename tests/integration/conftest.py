"""One local cloud for all integration tests, and a person's way of using it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from local.cloud import LocalCloud

EXAMPLES = Path(__file__).parents[2] / "examples"


@dataclass
class Person:
    """Uploads files, reads the journey, asks the endpoint."""

    cloud: LocalCloud

    def __post_init__(self) -> None:
        from evergreen.cloud.lake import S3Lake
        from evergreen.cloud.table import DynamoTable
        from evergreen.registry.catalogue import Catalogue

        self.table = DynamoTable(self.cloud.outputs.table)
        self.catalogue = Catalogue(self.table)
        self.lake = S3Lake(self.cloud.outputs.lake_bucket)
        self.http = urllib3.PoolManager(retries=False)

    def upload(self, key: str, content: bytes | str) -> None:
        """Put an object into the uploads bucket."""
        body = content.encode() if isinstance(content, str) else content
        bucket = self.cloud.outputs.uploads_bucket
        self.cloud.client("s3").put_object(Bucket=bucket, Key=key, Body=body)

    def journey(self, project: str) -> list[dict[str, Any]]:
        """All that happened in a project so far."""
        from evergreen.registry.journey import read_journey

        return list(read_journey(self.table, project, limit=500))

    def wait_for(
        self, project: str, *names: str, count: int = 1, seconds: float = 90
    ) -> dict[str, Any]:
        """The `count`-th entry with one of the names; fails with the journey when it stays away."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = [entry for entry in self.journey(project) if entry["name"] in names]
            if len(found) >= count:
                return found[count - 1]
            time.sleep(0.1)
        story = "\n".join(f"{e['name']}: {e['summary']}" for e in self.journey(project))
        raise AssertionError(f"{names} did not happen {count} time(s) in {seconds} s:\n{story}")

    def settle(self, project: str, quiet: float = 2.0) -> list[dict[str, Any]]:
        """The journey when nothing new has come for a while."""
        entries, last = self.journey(project), time.monotonic()
        while time.monotonic() - last < quiet:
            now = self.journey(project)
            if len(now) != len(entries):
                entries, last = now, time.monotonic()
            time.sleep(0.2)
        return entries

    def ask(self, path: str) -> Any:
        """What the console answers to a signed GET."""
        outputs = self.cloud.outputs
        request = AWSRequest("GET", outputs.api_url + path)
        SigV4Auth(Credentials("test", "test"), "execute-api", outputs.region).add_auth(request)
        url, headers = outputs.api_url + path, dict(request.headers)
        return self.http.request("GET", url, headers=headers, timeout=30.0).json()

    def predict(self, project: str, body: str, key: str | None = None) -> tuple[int, Any]:
        """Status and answer of the endpoint."""
        outputs = self.cloud.outputs
        answer = self.http.request(
            "POST",
            f"{outputs.api_url}/projects/{project}/predict",
            body=body.encode(),
            headers={
                "x-api-key": outputs.api_key if key is None else key,
                "Content-Type": "application/json",
            },
            timeout=30.0,
        )
        return answer.status, answer.json()


@pytest.fixture(scope="session")
def person(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    """Someone with a local cloud of their own."""
    with LocalCloud.started(tmp_path_factory.mktemp("cloud")) as cloud:
        os.environ.update(cloud.outputs.environment)
        try:
            yield Person(cloud)
        finally:
            os.environ.pop("AWS_ENDPOINT_URL")


@pytest.fixture(scope="session")
def penguins(person: Person) -> Person:
    """The penguins, uploaded and served."""
    person.upload(
        "uploads/penguins/penguins/penguins.csv", (EXAMPLES / "penguins/penguins.csv").read_bytes()
    )
    person.upload(
        "projects/penguins/project.yaml", (EXAMPLES / "penguins/project.yaml").read_bytes()
    )
    person.wait_for("penguins", "ModelPromoted", seconds=120)
    return person
