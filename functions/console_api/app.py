"""The projects as people and programs see them: state, collections, lineage, actions."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from aws_lambda_powertools.event_handler.exceptions import BadRequestError, NotFoundError

from evergreen.cloud.runtime import Message, Stage, now
from evergreen.contracts.facts import DriftCheckRequested, Fact, RetrainRequested
from evergreen.data.version_diff import compare_versions
from evergreen.registry.catalogue import EXPLORATION, DatasetVersion
from evergreen.registry.derivations import RECORD
from evergreen.registry.identity import dataset_version
from evergreen.registry.journey import read_journey

logger = Logger()
stage = Stage("console_api")
app = APIGatewayRestResolver()

DEPTH = 8
"""How many derivations a lineage goes back."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


@app.get("/projects")
def projects() -> dict[str, Any]:
    """All projects."""
    return {"projects": list(stage.catalogue.projects())}


@app.get("/projects/<project>")
def project(project: str) -> dict[str, Any]:
    """Champion, state of the journey, open questions, last decisions."""
    known(project)
    champion = stage.catalogue.alias(project)
    journey = read_journey(stage.table, project, limit=20)
    return {
        "project": project,
        "champion": with_alias(project, champion.body) if champion else None,
        "challenger": None,
        "journey": journey,
        "state": journey[-1]["summary"] if journey else "nothing was uploaded yet",
        "open_incidents": [],
        "decisions": list(stage.catalogue.newest(project, "DECISION", 5)),
    }


def with_alias(project: str, alias: Mapping[str, Any]) -> dict[str, Any]:
    """The champion's model with the time it was promoted."""
    return {**(stage.catalogue.model(project, alias["model"]) or {}), **alias}


def datasets(project: str) -> list[dict[str, Any]]:
    """The newest versions; `profile` and `exploration` are lake keys, once they exist."""
    explored = {
        each["dataset"]: each for each in stage.catalogue.newest(project, EXPLORATION, 10_000)
    }
    made = ("profile", "exploration")
    file = stage.catalogue.project_file(project)
    return [
        {
            "dataset": version.dataset,
            "owner": file.declared(version.dataset).owner if file else None,
            "pii": file.declared(version.dataset).pii if file else {},
            "proposal": proposal(project, version),
            "version": version.version,
            "rows": version.rows,
            "parts": dict(version.parts),
            **{
                name: explored[version.dataset][name]
                for name in made
                if explored.get(version.dataset, {}).get("version") == version.version
            },
        }
        for version in stage.catalogue.datasets(project)
    ]


def proposal(project: str, version: DatasetVersion) -> str | None:
    """What the project file could declare of a dataset, as YAML."""
    identity = f"{version.dataset}#{version.version}"
    record = stage.catalogue.get(project, "DATASETVERSION", identity) or {}
    return stage.lake.read(record["proposal"]).decode() if "proposal" in record else None


@app.get("/projects/<project>/datasets/<dataset>/versions")
def versions(project: str, dataset: str) -> dict[str, Any]:
    """Every version that a dataset has had, the newest first."""
    known(project)
    return {"versions": list(versions_of(project, dataset))}


def versions_of(project: str, dataset: str) -> Sequence[Mapping[str, Any]]:
    """The records of a dataset's versions; answers 404 where there are none."""
    found = stage.catalogue.versions(project, dataset)
    if not found:
        raise NotFoundError(f"project '{project}' has no dataset '{dataset}'")
    return found


@app.get("/projects/<project>/datasets/<dataset>/diff")
def diff(project: str, dataset: str) -> dict[str, Any]:
    """What changed from one version to another: `from` and `to`, else the last two."""
    known(project)
    found = versions_of(project, dataset)
    newest = stage.catalogue.dataset(project, dataset)
    current = newest.version if newest else ""
    to = app.current_event.get_query_string_value("to", current)
    before = version_before(found, to, current)
    asked = {"from": app.current_event.get_query_string_value("from", before), "to": to}
    records = {str(each["version"]): each for each in found}
    for name, version in asked.items():
        if version not in records:
            listed = ", ".join(list(records)[:5])
            raise NotFoundError(
                f"'{name}' is '{version}', no version of '{dataset}'; the newest are {listed}"
            )
    compared = [records[str(asked[name])] for name in ("from", "to")]
    contents = [json.loads(stage.lake.read(each["record"])) for each in compared]
    profiles = [
        json.loads(stage.lake.read(each["profile"]))["profile"] if "profile" in each else None
        for each in compared
    ]
    return compare_versions(contents[0], contents[1], (profiles[0], profiles[1])).to_plain()


def version_before(found: Sequence[Mapping[str, Any]], to: str, current: str) -> str:
    """What a version is compared with: the last one before it that there was time to profile.

    A dataset that became again what it was before is not its latest version by date.
    """
    versions = [str(each["version"]) for each in found]
    first = versions.index(to) + 1 if to in versions and to != current else 0
    earlier = [each for each in found[first:] if each["version"] != to]
    settled = [each for each in earlier if "profile" in each]
    return str((settled or earlier or [{"version": to}])[0]["version"])


COLLECTIONS: dict[str, Callable[[str], Iterable[Any]]] = {
    "datasets": datasets,
    "runs": lambda project: read_journey(
        stage.table, project, after=app.current_event.get_query_string_value("after", ""), limit=500
    ),
    "models": lambda project: stage.catalogue.newest(project, "MODEL"),
    "windows": lambda project: stage.catalogue.newest(project, "WINDOW"),
    "decisions": lambda project: stage.catalogue.newest(project, "DECISION"),
    "quarantine": lambda project: stage.catalogue.newest(project, "QUARANTINE"),
}
"""What can be listed of a project."""


@app.get("/projects/<project>/labelling")
def labelling(project: str) -> dict[str, Any]:
    """The rows that are worth labelling, and the file to fill in."""
    known(project)
    listed = stage.catalogue.get(project, "LABELLING")
    if listed is None:
        raise NotFoundError(
            f"nothing of project '{project}' is listed for labelling: that takes `labelling` in "
            "project.yaml and rows of its dataset"
        )
    content: dict[str, Any] = json.loads(stage.lake.read(str(listed["json"])))
    return {**listed, **content}


@app.get("/projects/<project>/<collection>")
def collection(project: str, collection: str) -> dict[str, Any]:
    """One of a project's collections."""
    known(project)
    read = COLLECTIONS.get(collection)
    if read is None:
        raise NotFoundError(f"'{collection}' is none of {', '.join(COLLECTIONS)}")
    return {collection: list(read(project))}


@app.get("/lineage/<digest>")
def lineage(digest: str) -> dict[str, Any]:
    """What an output was derived from, back to the uploads."""
    return derived_from(digest, DEPTH)


def derived_from(digest: str, depth: int) -> dict[str, Any]:
    """The derivation that made a digest, and those that made its inputs."""
    pointers = stage.table.query(f"OUTPUT#{digest}")
    key = str(pointers[0].body["derivation"]) if pointers else digest
    record = stage.table.get(f"DERIVATION#{key}", RECORD)
    if record is None:
        if depth == DEPTH:
            raise NotFoundError(f"nothing is known under '{digest}'")
        return {"digest": digest}
    names = {text for text in texts(record.body["inputs"]) if re.fullmatch(r"[0-9a-f]{32}", text)}
    return {
        "digest": digest,
        "derivation": key,
        **{
            name: record.body.get(name)
            for name in ("stage", "status", "seconds", "dollars", "output")
        },
        "inputs": [derived_from(name, depth - 1) for name in sorted(names)]
        if depth
        else sorted(names),
    }


def texts(value: Any) -> list[str]:
    """All texts in a JSON value."""
    if isinstance(value, str):
        return [value]
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for item in items for text in texts(item)]


@app.post("/projects/<project>/actions/<action>")
def act(project: str, action: str) -> dict[str, Any]:
    """Ask for something now."""
    known(project)
    make = ACTIONS.get(action)
    if make is None:
        raise NotFoundError(f"'{action}' is none of {', '.join(ACTIONS)}")
    fact = make(project)
    stage.say(Message(app.current_event.request_context.request_id or "", {}), fact)
    return {"said": fact.name}


def retrain(project: str) -> Fact:
    """A retraining that a person asks for, with all labels there are."""
    parts = [str(body["part"]) for body in stage.catalogue.newest(project, "LABELLED", 10_000)]
    identity = f"{now().isoformat()}#asked"
    reason = "a person asked for it"
    body = {"kind": "retraining", "at": now().isoformat(), "decision": "retrain", "reason": reason}
    stage.catalogue.put(project, "DECISION", identity, body)
    feedback = dataset_version(parts) if parts else None
    return RetrainRequested(project=project, reason=reason, feedback=feedback, decision=identity)


ACTIONS: dict[str, Callable[[str], Fact]] = {
    "retrain": retrain,
    "check-drift": lambda project: DriftCheckRequested(project=project),
}
"""What can be asked for."""


def known(project: str) -> None:
    """Answers 400 for what is no name and 404 for a project that nothing is known of."""
    if not _NAME.fullmatch(project):
        raise BadRequestError(f"'{project}' is not a project's name")
    if project not in stage.catalogue.projects():
        raise NotFoundError(f"project '{project}' is not known: nothing was uploaded for it")


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """GET and POST of the console."""
    logger.info("asked", path=event.get("path"))
    return app.resolve(event, context)
