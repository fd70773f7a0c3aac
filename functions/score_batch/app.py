"""Answer a whole file of rows with the champion, through the code that serves single requests."""

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

from evergreen.cloud.event_table import DynamoEventStore
from evergreen.cloud.lake import UploadNotFetchedError, fetch_upload
from evergreen.cloud.runtime import Message, Stage, on_messages
from evergreen.contracts.facts import BatchRefused, BatchScored
from evergreen.contracts.objects import KeyRefusedError, UploadedObject, project_of_scoring
from evergreen.data.ingestion import UploadRefusedError
from evergreen.data.limits import Limits
from evergreen.data.rows import read_rows, write_rows
from evergreen.data.schema import ColumnType
from evergreen.features.signature import Signature
from evergreen.registry.derivations import Outcome
from evergreen.registry.identity import (
    Derivation,
    digest_of_file,
    graph_key,
    model_file_key,
    model_reference_key,
    scored_key,
)
from evergreen.serving.answers import answers
from evergreen.serving.completion import complete, recipe_of
from evergreen.serving.graph import ServingGraph
from evergreen.serving.lookups import Lookups
from evergreen.serving.requests import (
    LONGEST_ID,
    MAXIMUM_BYTES,
    MAXIMUM_ROWS,
    RequestInvalidError,
    asked_of_file,
    read_request,
)
from evergreen.serving.step_engine import StepEngine

MAXIMUM_FILE_BYTES = 1024**3
LIMITS = Limits(rows=1_000_000)
"""All answers are held at once."""

FRAME_BYTES = 50
"""Of a request for each row: its id, commas."""

OF_FILES = frozenset({"image.brightness", "audio.seconds"})
"""Columns that only pictures and recordings have."""

LONGEST_STEM = 200
"""Characters of the file's name in the name of its answers: a key has 1,024 bytes."""

stage = Stage("score_batch")


def take(message: Message) -> None:
    """Score one file, once for equal bytes and champion."""
    upload = UploadedObject.from_event(message.body)
    try:
        project = project_of_scoring(upload.key)
    except KeyRefusedError as error:
        stage.say(message, BatchRefused(project="unknown", key=upload.key, problem=str(error)))
        return
    alias = stage.catalogue.alias(project)
    if alias is None:
        problem = f"project '{project}' has no champion yet; upload the file again when it has"
        stage.say(message, BatchRefused(project=project, key=upload.key, problem=problem))
        return
    model = str(alias.body["model"])
    signature = Signature.from_json(stage.lake.read(model_file_key(model, "signature.json")))
    # Features change while the bytes do not: each upload asks anew, a redelivered one does not.
    asked_at = {"asked_at": message.body["time"]} if signature.lookups else {}
    with tempfile.TemporaryDirectory() as directory:
        try:
            source = fetch_upload(upload, Path(directory, "source"), MAXIMUM_FILE_BYTES)
            content = digest_of_file(source)
            inputs = {"model": model, "content": content, "key": upload.key, **asked_at}
            stage.derive(
                message, project, inputs, lambda work: score(work, project, signature, source)
            )
        except (UploadNotFetchedError, UploadRefusedError, RequestInvalidError) as error:
            refused = BatchRefused(project=project, key=upload.key, problem=str(error))
            stage.say(message, refused)


def score(derivation: Derivation, project: str, signature: Signature, source: Path) -> Outcome:
    """Answer every row, in the file's order; raises RequestInvalidError for a wrong row."""
    key, model = str(derivation.inputs["key"]), str(derivation.inputs["model"])
    graph = ServingGraph.load(stage.lake.read(graph_key(model)), signature)
    lookups = lookups_of(derivation, project) if signature.lookups else None
    engine = cache(lambda: engine_of(model, signature))
    scored: list[dict[str, Any]] = []
    for chunk in chunks(read_rows(source, key, types_of(signature), LIMITS)):
        ids = [id_of(row, len(scored) + index) for index, row in enumerate(chunk)]
        try:
            rows = [asked_of_file(row, signature) if described(row) else row for row in chunk]
            request = read_request(
                json.dumps({"rows": rows, "ids": ids}, default=as_text), signature
            )
            request = complete(request, signature, lookups, engine)
        except RequestInvalidError as error:
            raise RequestInvalidError(
                error.field, f"{error.problem} (rows count from 0 after row {len(scored)})"
            ) from None
        answered = answers(graph.predict(request.encoded), request, signature, model, lambda: "")
        for answer in answered["predictions"]:
            probabilities = answer.get("probabilities") or {}
            scored.append(
                {
                    "id": answer["id"],
                    "prediction": answer["prediction"],
                    **{f"probability.{name}": share for name, share in probabilities.items()},
                    "notes": "; ".join(answer["notes"]) or None,
                }
            )
    result = scored_key(project, f"{derivation.key}/{Path(key).stem[:LONGEST_STEM]}.parquet")
    target = source.with_name("scored.parquet")
    write_rows(target, scored)
    stage.lake.store(target, result)
    fact = BatchScored(project=project, key=key, result=result, rows=len(scored), model=model)
    return Outcome((fact,), {"scored": derivation.key, "result": result})


def lookups_of(derivation: Derivation, project: str) -> Lookups:
    """Features are those of the moment of the upload."""
    store = DynamoEventStore(stage.settings["FEATURE_TABLE"])
    return Lookups(project, store, datetime.fromisoformat(derivation.inputs["asked_at"]))


def engine_of(model: str, signature: Signature) -> StepEngine:
    """What does the model's steps."""
    return StepEngine.load(
        recipe_of(signature), lambda digest: stage.lake.read(model_reference_key(model, digest))
    )


def types_of(signature: Signature) -> dict[str, ColumnType]:
    """Columns that hold text in uploads: in one file alone, codes of digits look like numbers.

    And ids, which are to be found again as they were written: `1.10`, `1e3`, `true`.
    """
    given = signature.recipe.given if signature.recipe else ()
    return {"id": "text", **{each.name: "text" for each in given if each.type == "text"}}


def id_of(row: dict[str, Any], place: int) -> str:
    """The id of a row, which is taken out of it; of a file its path in the archive; or its place.

    What an archive says of a file beside its content is no value to be asked with. Raises
    RequestInvalidError for a missing id, which two rows may share.
    """
    file = None
    if described(row):
        file, _ = row.pop("file"), row.pop("label", None)
    named = row.pop("id", file if file and len(file) <= LONGEST_ID else place)
    if named is None:
        problem = f"is missing in row {place} (from 0); give every row one, or leave the column out"
        raise RequestInvalidError("id", problem)
    return str(named)


def described(row: Mapping[str, Any]) -> bool:
    """Whether a row is what ingestion makes of a picture or a recording."""
    return not OF_FILES.isdisjoint(row)


def chunks(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Rows in requests of a size that is taken: a picture's numbers and a text are long."""
    chunk: list[dict[str, Any]] = []
    size = 0
    for row in rows:
        length = len(json.dumps(row, default=as_text)) + FRAME_BYTES
        if chunk and (len(chunk) == MAXIMUM_ROWS or size + length > MAXIMUM_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(row)
        size += length
    if chunk:
        yield chunk


def as_text(value: Any) -> str:
    """Moments as requests carry them."""
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(type(value).__name__)


handler = on_messages(take)
