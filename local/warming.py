"""Start each function's worker before its first event comes, so that nobody waits for imports."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from local.functions import DeployedFunction

# As many at once as starting processes gain from on a small laptop.
_AT_ONCE = 2
_NOTHING_TO_DO: dict[str, Any] = {"Records": []}
_NO_SUCH_PROJECT = {
    "resource": "/",
    "path": "/",
    "httpMethod": "GET",
    "headers": {},
    "multiValueHeaders": {},
    "queryStringParameters": None,
    "multiValueQueryStringParameters": None,
    "pathParameters": {"project": "-"},
    "stageVariables": None,
    "requestContext": {"stage": "warming", "path": "/", "httpMethod": "GET", "requestId": "0"},
    "body": None,
    "isBase64Encoded": False,
}


def warm(aws_lambda: Any, functions: Sequence[DeployedFunction]) -> None:
    """Invoke functions with an event that asks for nothing; returns when all have answered.

    They are begun in the order given, which should be that of the journey; one that runs several
    times at once gets as many workers. A function that fails is left cold: its first real event
    will say why.
    """

    def invoke(function: DeployedFunction) -> None:
        event = _NOTHING_TO_DO if function.queue_woken else _NO_SUCH_PROJECT
        request = {"FunctionName": function.name, "Payload": json.dumps(event).encode()}
        # Together, or the first worker would take the second event as well.
        with ThreadPoolExecutor(function.at_once) as together:
            for _ in range(function.at_once):
                together.submit(aws_lambda.invoke, **request)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(invoke, functions))
