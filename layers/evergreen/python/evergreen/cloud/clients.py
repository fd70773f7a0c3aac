"""One boto3 session and one client per service, made when first used."""

from __future__ import annotations

from functools import cache
from typing import Any

import boto3
from botocore.config import Config


@cache
def _session() -> Any:  # its typed overloads want the name of the service as a literal
    return boto3.session.Session()


@cache
def client(service: str) -> Any:
    """The shared client of a service; throttles and dropped connections are retried by it."""
    return _session().client(
        service,
        config=Config(
            retries={"mode": "standard", "total_max_attempts": 5},
            connect_timeout=5,
            read_timeout=60,
            max_pool_connections=16,
        ),
    )
