"""The SAM template as the plain CloudFormation template that the local cloud takes."""

from __future__ import annotations

import copy
import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from local.ministack import REGION
from local.packages import Package
from local.state import read_json, write_whole

ARTIFACTS_BUCKET = "evergreen-artifacts"

_FUNCTION, _LAYER = "AWS::Serverless::Function", "AWS::Serverless::LayerVersion"


@dataclass(frozen=True)
class Expanded:
    """A CloudFormation template, and which folder of the checkout stands behind which code."""

    template: dict[str, Any]
    functions: Mapping[str, str]
    """Logical id of a function → its folder, relative to the checkout."""
    layers: Mapping[str, str]
    """Logical id of a layer version in the expanded template → its folder."""


def expand(source: Path, values: Mapping[str, str], cache: Path) -> Expanded:
    """Expand a SAM template, code left as `s3://…/<folder>`; kept in `cache` until it changes.

    `values` are those of its parameters: SAM fills some of them in, such as an API's throttle.
    """
    text = source.read_text()
    identity = json.dumps([version("aws-sam-translator"), dict(values), text])
    digest = hashlib.sha256(identity.encode()).hexdigest()
    kept = read_json(cache)
    if kept is None or kept["digest"] != digest:
        kept = {"digest": digest, **_expand(text, values)}
        cache.parent.mkdir(parents=True, exist_ok=True)
        write_whole(cache, json.dumps(kept))
    return Expanded(kept["template"], kept["functions"], kept["layers"])


def _expand(text: str, values: Mapping[str, str]) -> dict[str, Any]:
    # A second of imports that a deployment with an unchanged template does without.
    import boto3
    from samtranslator.parser.parser import Parser
    from samtranslator.translator.translator import Translator
    from samtranslator.yaml_helper import yaml_parse

    logging.getLogger("samtranslator").setLevel(logging.ERROR)
    template = yaml_parse(text)
    resources = template["Resources"]
    folders = {_FUNCTION: {}, _LAYER: {}}  # type: dict[str, dict[str, str]]
    for name, resource in resources.items():
        if resource["Type"] in folders:
            key = "CodeUri" if resource["Type"] == _FUNCTION else "ContentUri"
            folder = resource["Properties"][key]
            folders[resource["Type"]][name] = folder
            resource["Properties"][key] = f"s3://{ARTIFACTS_BUCKET}/{folder}"
    session = boto3.Session(region_name=REGION)
    expanded = Translator({}, Parser(), boto_session=session).translate(template, dict(values))
    layer_folders = {f"{ARTIFACTS_BUCKET}/{folder}": folder for folder in folders[_LAYER].values()}
    layers = {
        name: layer_folders[f"{content['S3Bucket']}/{content['S3Key']}"]
        for name, resource in expanded["Resources"].items()
        if resource["Type"] == "AWS::Lambda::LayerVersion"
        for content in [resource["Properties"]["Content"]]
    }
    return {"template": expanded, "functions": folders[_FUNCTION], "layers": layers}


def with_code(
    expanded: Expanded, functions: Mapping[str, Package], layers: Mapping[str, Package]
) -> dict[str, Any]:
    """The template with each folder's package in its place (both keyed by logical id)."""
    template = copy.deepcopy(expanded.template)
    for name, package in functions.items():
        code = template["Resources"][name]["Properties"]["Code"]
        code.update({"S3Bucket": ARTIFACTS_BUCKET, "S3Key": package.path.name})
    for name, package in layers.items():
        content = template["Resources"][name]["Properties"]["Content"]
        content.update({"S3Bucket": ARTIFACTS_BUCKET, "S3Key": package.path.name})
    text = json.dumps(template)
    for name, package in layers.items():
        # A layer version cannot change; as SAM does, new content gets a new logical id.
        text = text.replace(f'"{name}"', f'"{name[:-10]}{package.digest[:10]}"')
    return dict(json.loads(text))
