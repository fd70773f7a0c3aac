"""Answer prediction requests with the champion's graph, and capture what was answered."""

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from aws_lambda_powertools import Logger

from evergreen.cloud.clients import client
from evergreen.cloud.event_table import DynamoEventStore
from evergreen.cloud.lake import S3Lake
from evergreen.cloud.settings import Settings
from evergreen.features.signature import Signature
from evergreen.registry.identity import graph_key, model_file_key, model_reference_key
from evergreen.serving.answers import answers
from evergreen.serving.captures import capture_messages
from evergreen.serving.graph import ServingGraph
from evergreen.serving.requests import PredictRequest, RequestInvalidError, read_request

if TYPE_CHECKING:
    from evergreen.serving.step_engine import StepEngine

CHAMPION_SECONDS = 2.0
"""How long a warm worker trusts what it last knew of the champion."""

MODELS_KEPT = 4
"""How many models a warm worker holds."""

logger = Logger()
settings = Settings.from_environment()
_graphs: dict[str, "Served"] = {}
_champions: dict[str, tuple[float, dict[str, Any]]] = {}


@dataclass(frozen=True)
class Served:
    """A model in memory."""

    model: str
    signature: Signature
    graph: ServingGraph

    @property
    def engine(self) -> "StepEngine":
        """What does the model's steps: a new one after a fault that broke the last."""
        if self._engine.is_broken:
            logger.warning("engine started anew", model=self.model)
            del self.__dict__["_engine"]
        return self._engine

    @cached_property
    def _engine(self) -> "StepEngine":
        """Started, and its library imported, when first needed."""
        from evergreen.serving.completion import recipe_of
        from evergreen.serving.step_engine import StepEngine

        lake, recipe = S3Lake(settings["LAKE_BUCKET"]), recipe_of(self.signature)
        return StepEngine.load(
            recipe, lambda digest: lake.read(model_reference_key(self.model, digest))
        )


class NotServedError(LookupError):
    """The project has no champion."""


def champion_of(project: str) -> dict[str, Any]:
    """The champion alias: its model, and the project's time column."""
    known = _champions.get(project)
    if known and time.monotonic() - known[0] < CHAMPION_SECONDS:
        return known[1]
    answer = client("dynamodb").get_item(
        TableName=settings["CATALOGUE_TABLE"],
        Key={"pk": {"S": f"PROJECT#{project}"}, "sk": {"S": "ALIAS#champion"}},
    )
    if "Item" not in answer:
        raise NotServedError(
            f"project '{project}' has no model yet; GET /projects/{project} says what is missing"
        )
    alias: dict[str, Any] = json.loads(answer["Item"]["body"]["S"])
    _champions[project] = (time.monotonic(), alias)
    return alias


def served(model: str) -> Served:
    """A model, loaded once per worker; the last few stay."""
    if model not in _graphs:
        lake = S3Lake(settings["LAKE_BUCKET"])
        signature = Signature.from_json(lake.read(model_file_key(model, "signature.json")))
        graph = ServingGraph.load(lake.read(graph_key(model)), signature)
        while len(_graphs) >= MODELS_KEPT:
            del _graphs[next(iter(_graphs))]
        _graphs[model] = Served(model, signature, graph)
    return _graphs[model]


def completed(request: PredictRequest, project: str, champion: Served) -> PredictRequest:
    """The request with what the model's steps make of it, and its features, as of now.

    What it takes is imported when first needed: most models start without.
    """
    signature = champion.signature
    if not signature.lookups and not (signature.recipe and signature.recipe.actions):
        return request
    from evergreen.serving.completion import complete
    from evergreen.serving.lookups import Lookups

    lookups = None
    if signature.lookups:
        lookups = Lookups(project, DynamoEventStore(settings["FEATURE_TABLE"]), datetime.now(UTC))
    return complete(request, signature, lookups, lambda: champion.engine)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """POST /projects/{project}/predict."""
    project = event["pathParameters"]["project"]
    try:
        alias = champion_of(project)
        champion = served(alias["model"])
        keys = alias.get("keys", ())
        request = read_request(event.get("body") or "", champion.signature.aside(keys))
        request = completed(request, project, champion)
    except NotServedError as error:
        return problem(404, str(error))
    except RequestInvalidError as error:
        return problem(400, str(error), field=error.field)
    predictions = champion.graph.predict(request.encoded)
    answer = answers(predictions, request, champion.signature, champion.model, lambda: uuid4().hex)
    captured = capture_messages(
        project,
        champion.model,
        champion.signature,
        datetime.now(UTC),
        request,
        answer,
        time_column=alias.get("time"),
        keys=keys,
    )
    for message in captured:
        client("sqs").send_message(QueueUrl=settings["CAPTURE_QUEUE_URL"], MessageBody=message)
    logger.info("predicted", project=project, model=champion.model, rows=len(request.rows))
    return reply(200, answer)


def reply(status: int, body: Any) -> dict[str, Any]:
    """An answer of the REST API."""
    return {
        "statusCode": status,
        "headers": {"Content-Type": "application/json"},
        "body": json.dumps(body, allow_nan=False),
    }


def problem(status: int, detail: str, **more: str) -> dict[str, Any]:
    """A problem as RFC 9457 has it."""
    logger.info("refused", status=status)
    titles = {400: "The request is not valid", 404: "Nothing is served here"}
    body = {"title": titles[status], "status": status, "detail": detail, **more}
    return reply(status, body) | {"headers": {"Content-Type": "application/problem+json"}}


if "CATALOGUE_TABLE" in settings.environment:
    # Clients cost 100 ms and more each: made during init, which Lambda does at full speed.
    for service in ("dynamodb", "s3", "sqs"):
        client(service)
