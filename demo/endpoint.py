"""The prediction endpoint, as a program calls it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import urllib3


class RequestRefusedError(RuntimeError):
    """The endpoint did not answer with predictions; status and problem are in the message."""


class Endpoint:
    """`POST /projects/{project}/predict` with an API key."""

    def __init__(self, api_url: str, api_key: str, project: str) -> None:
        self._url = f"{api_url}/projects/{project}/predict"
        self._key = api_key
        self._pool = urllib3.PoolManager(retries=urllib3.Retry(3, backoff_factor=0.2))

    def predict(
        self, rows: Sequence[Mapping[str, Any]], ids: Sequence[str] | None = None
    ) -> dict[str, Any]:
        """The answer to some rows; raises RequestRefusedError."""
        body = {"rows": list(rows), **({"ids": list(ids)} if ids else {})}
        answer = self._pool.request(
            "POST",
            self._url,
            body=json.dumps(body).encode(),
            headers={"x-api-key": self._key, "Content-Type": "application/json"},
            timeout=30.0,
        )
        if answer.status != 200:
            raise RequestRefusedError(f"{answer.status}: {answer.data.decode()[:500]}")
        return dict(json.loads(answer.data))
