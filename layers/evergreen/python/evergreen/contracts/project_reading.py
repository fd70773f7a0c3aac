"""Reading a project file: YAML to the model, every mistake with its line and what was meant."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from evergreen.contracts.project_file import ProjectFile
from evergreen.contracts.section import WITHIN

MAXIMUM_BYTES = 262_144
MAXIMUM_KEYS = 10_000
"""Of one mapping."""


class _Loader(yaml.SafeLoader):
    """YAML 1.2 in one respect: `on`, `off`, `yes` and `no` are texts, and so may be keys."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML declares it so
        first: [(tag, form) for tag, form in resolvers if tag != "tag:yaml.org,2002:bool"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Take in the keys of `<<`; a few lines can name the same mapping a million times."""
        super().flatten_mapping(node)
        if len(node.value) > MAXIMUM_KEYS:
            problem = f"'<<' makes it more than {MAXIMUM_KEYS:,} keys"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


def _moment(loader: _Loader, node: yaml.ScalarNode) -> Any:
    """A date or time; one that no calendar has stays text, which is refused in its place."""
    try:
        return loader.construct_yaml_timestamp(node)
    except ValueError:
        return node.value


_Loader.add_constructor("tag:yaml.org,2002:timestamp", _moment)
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("true|false"), list("tf"))


class ProjectFileRefusedError(ValueError):
    """A project file is not valid; `problems` has one located sentence each."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def read_project_file(content: bytes, project: str) -> ProjectFile:
    """The project file of `project`; raises ProjectFileRefusedError with all problems."""
    if len(content) > MAXIMUM_BYTES:
        raise ProjectFileRefusedError((f"larger than {MAXIMUM_BYTES:,} bytes",))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ProjectFileRefusedError((f"not UTF-8 text at byte {error.start}",)) from None
    try:
        tree = yaml.compose(text, Loader=_Loader)
        plain = yaml.load(text, Loader=_Loader)  # noqa: S506 - it is a safe one
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ProjectFileRefusedError((f"line {line}: not YAML: {error.problem}",)) from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ProjectFileRefusedError((f"not YAML: {str(error).splitlines()[0]}",)) from None
    if not isinstance(plain, dict):
        raise ProjectFileRefusedError(("line 1: a project file is a mapping of keys to values",))
    try:
        file = ProjectFile.model_validate(plain)
    except ValidationError as error:
        raise ProjectFileRefusedError(
            tuple(_problem(detail, tree) for detail in error.errors())
        ) from None
    if file.project != project:
        line = _line(tree, ("project",))
        raise ProjectFileRefusedError(
            (f"line {line}: project is '{file.project}', but it was uploaded as '{project}'",)
        )
    return file


def _problem(detail: ErrorDetails, tree: yaml.Node | None) -> str:
    path = (*detail["loc"], *detail.get("ctx", {}).get(WITHIN, ()))
    where = ".".join(str(part) for part in path)
    line = _line(tree, path)
    if detail["type"] == "extra_forbidden":
        near = get_close_matches(str(path[-1]), _known_keys(path[:-1]), n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        return f"line {line}: '{where}' is not a key of project.yaml{hint}"
    if detail["type"] == "missing":
        return f"line {line}: '{where}' is missing"
    message = detail["msg"].removeprefix("Value error, ")
    return f"line {line}: '{where}': {message[0].lower()}{message[1:]}"


def _known_keys(path: tuple[int | str, ...]) -> list[str]:
    schema = ProjectFile.model_json_schema()
    definitions = schema.get("$defs", {})
    node = schema
    for part in path:
        following = (
            node.get("items")
            if isinstance(part, int)
            else node.get("properties", {}).get(part) or _value_of_any_key(node)
        )
        node = following or {}
        for option in [node, *node.get("allOf", []), *node.get("anyOf", [])]:
            if "$ref" in option:
                node = definitions[option["$ref"].rsplit("/", 1)[1]]
                break
    # A part that may be written shorter is one of several forms.
    forms = [node, *node.get("anyOf", [])]
    return [key for form in forms for key in form.get("properties", {})]


def _value_of_any_key(node: dict[str, Any]) -> dict[str, Any]:
    """The schema of the values of a mapping whose keys are names that people choose."""
    by_pattern = node.get("patternProperties") or {}
    return next(iter(by_pattern.values()), node.get("additionalProperties") or {})


def _line(node: yaml.Node | None, path: tuple[int | str, ...]) -> int:
    line = node.start_mark.line + 1 if node else 1
    for part in path:
        found: yaml.Node | None = None
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == str(part):
                    line, found = key.start_mark.line + 1, value
                    break
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            found = node.value[part] if part < len(node.value) else None
            line = found.start_mark.line + 1 if found else line
        if found is None:
            break
        node = found
    return line
