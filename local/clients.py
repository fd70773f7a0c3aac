"""boto3 clients of a local cloud."""

from __future__ import annotations

from typing import Any


def client(service: str, endpoint_url: str, region: str) -> Any:
    """A client with credentials that only a local cloud takes."""
    # Half a second of imports that the keeper spares MiniStack and the first deployment.
    import boto3
    from botocore.config import Config

    session: Any = boto3.Session("test", "test", region_name=region)
    return session.client(
        service, endpoint_url=endpoint_url, config=Config(retries={"total_max_attempts": 2})
    )
