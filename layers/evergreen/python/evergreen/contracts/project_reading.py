"""Reading a project file: YAML to the model, every mistake with its line and what was meant."""

from __future__ import annotations

import re
from typing import Any

import yaml
from pydantic import ValidationError

from evergreen.contracts.mistakes import in_words, line_of, not_yaml, repeated_keys
from evergreen.contracts.project_file import ProjectFile

MAXIMUM_BYTES = 262_144
MAXIMUM_KEYS = 10_000
"""Of one mapping."""
MOST_PROBLEMS = 50
"""What the owner of a file reads, and what one event carries."""

_OWN = {
    "tag:yaml.org,2002:bool": (r"(?:true|false)$", "tf"),
    "tag:yaml.org,2002:int": (r"[-+]?(?:0|[1-9][0-9_]*)$", "-+0123456789"),
    "tag:yaml.org,2002:float": (
        r"(?:[-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9]+)(?:[eE][-+][0-9]+)?|[-+]?\.inf|\.nan)$",
        "-+0123456789.",
    ),
}
"""What is no text: the whole form, and the characters that it begins with."""


class _Loader(yaml.SafeLoader):
    """YAML 1.2 where it matters: `on`, `off`, `yes`, `no`, `10:30` and `00501` are texts."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML declares it so
        first: [(tag, form) for tag, form in resolvers if tag not in _OWN]
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
for _tag, (_form, _first) in _OWN.items():
    _Loader.add_implicit_resolver(_tag, re.compile(_form), list(_first))


class ProjectFileRefusedError(ValueError):
    """A project file is not valid; `problems` has one located sentence each, so many at most."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        more = len(problems) - MOST_PROBLEMS
        rest = (f"and {more:,} more problems",) if more > 0 else ()
        self.problems = (*problems[:MOST_PROBLEMS], *rest)
        super().__init__("; ".join(self.problems))


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
        raise ProjectFileRefusedError((not_yaml(error),)) from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ProjectFileRefusedError((f"not YAML: {str(error).splitlines()[0]}",)) from None
    if not isinstance(plain, dict):
        raise ProjectFileRefusedError(("line 1: a project file is a mapping of keys to values",))
    if repeated := repeated_keys(tree):
        raise ProjectFileRefusedError(repeated)
    try:
        file = ProjectFile.model_validate(plain)
    except ValidationError as error:
        raise ProjectFileRefusedError(
            in_words(error.errors(), tree, ProjectFile.model_json_schema())
        ) from None
    if file.project != project:
        line = line_of(tree, ("project",))
        raise ProjectFileRefusedError(
            (f"line {line}: project is '{file.project}', but it was uploaded as '{project}'",)
        )
    return file
