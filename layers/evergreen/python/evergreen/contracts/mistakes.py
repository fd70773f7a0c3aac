"""A mistake in a project file as a sentence: in which line, what is wrong, what was meant."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from textwrap import shorten
from typing import Any

import yaml
from pydantic_core import ErrorDetails

from evergreen.contracts.section import WITHIN

Path = tuple[int | str, ...]

EXPECTED = {
    "list_type": "a list like [a, b]",
    "dict_type": "keys with values",
    "model_type": "keys with values",
    "model_attributes_type": "keys with values",
    "string_type": "a text",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "date_type": "a date like 2027-01-31",
    "date_from_datetime_parsing": "a date like 2027-01-31",
}
"""What is expected where something of another kind stands."""

QUOTES = {
    "mapping values are not allowed here": "a value with ': ' in it stands between quotes",
    "expected <block end>, but found '<scalar>'": "a value that begins with a quote must end with "
    "it; put the whole value between quotes of the other kind",
    "that cannot start any token": "lines are indented by spaces, and a value that begins with a "
    "special character stands between quotes",
}
"""What usually is behind an error of the YAML parser."""

LONGEST_VALUE = 80

_TAG = re.compile(r"\[key\]|constrained-str|[a-z]+\[.*\]|str|bool|int|float|date|datetime")
"""Parts of an error's path that may name one of several forms, and nothing in the file."""


def not_yaml(error: yaml.MarkedYAMLError) -> str:
    """What the YAML parser did not understand, and where."""
    line = error.problem_mark.line + 1 if error.problem_mark else 1
    hint = next((f"; {said}" for found, said in QUOTES.items() if found in str(error.problem)), "")
    return f"line {line}: not YAML: {error.problem}{hint}"


def repeated_keys(tree: yaml.Node | None) -> tuple[str, ...]:
    """Keys that stand twice in one mapping: YAML would silently take the last."""
    problems, ahead, seen = [], [tree] if tree else [], set[int]()
    while ahead:
        node = ahead.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            ahead += node.value
        if isinstance(node, yaml.MappingNode):
            first: dict[str, int] = {}
            for key, value in node.value:
                ahead += [key, value]
                line = key.start_mark.line + 1
                if isinstance(key, yaml.ScalarNode) and key.value in first:
                    before = first[key.value]
                    problems.append(
                        (line, f"'{key.value}' stands here already in line {before}; keep one")
                    )
                elif isinstance(key, yaml.ScalarNode):
                    first[key.value] = line
    return tuple(f"line {line}: {said}" for line, said in sorted(problems))


def line_of(tree: yaml.Node | None, path: Path) -> int:
    """The line of what is at a path, or else of what is nearest."""
    return _place(tree, path)[0]


def in_words(
    errors: Iterable[ErrorDetails], tree: yaml.Node | None, schema: dict[str, Any]
) -> tuple[str, ...]:
    """Each mistake that the model found as one sentence; what is said of several forms as one.

    `schema`: the JSON Schema of the project file, which knows the keys of its parts.
    """
    found: dict[Path, list[ErrorDetails]] = {}
    for error in errors:
        path = (*error["loc"], *error.get("ctx", {}).get(WITHIN, ()))
        found.setdefault(_in_file(path, tree), []).append(error)
    return tuple(_sentence(path, of_one, tree, schema) for path, of_one in found.items())


def _in_file(path: Path, tree: yaml.Node | None) -> Path:
    """Only what stands in the file, without the names of forms that a value could have had."""
    kept: Path = ()
    for part in path:
        _, _, node = _place(tree, (*kept, part))
        if node is not None or not _TAG.fullmatch(str(part)):
            kept = (*kept, part)
    return kept


def _sentence(
    path: Path, errors: Sequence[ErrorDetails], tree: yaml.Node | None, schema: dict[str, Any]
) -> str:
    where, (line, holder, node) = ".".join(str(part) for part in path), _place(tree, path)
    kind, given = errors[0]["type"], errors[0]["input"]
    if kind == "extra_forbidden":
        hint = _meant(path, holder, schema)
        return f"line {line}: '{where}' is not a key of project.yaml{hint}"
    if kind == "missing":
        return f"line {line}: '{where}' is missing"
    if given is None:
        # As in `{late: coalesce(a, b)}`, which YAML divides at the comma.
        cut = isinstance(node, yaml.ScalarNode) and not node.value and _in_braces(holder)
        hint = "; between { and } a value with a comma in it stands between quotes" if cut else ""
        return f"line {line}: '{where}' is empty; give it a value or leave it out{hint}"
    return f"line {line}: '{where}': {_wrong(errors, given)}"


def _wrong(errors: Sequence[ErrorDetails], given: Any) -> str:
    """What is wrong with a value, in the words of all forms that it could have had."""
    nouns = [EXPECTED[each["type"]] for each in errors if each["type"] in EXPECTED]
    literal = [each["ctx"]["expected"] for each in errors if each["type"] == "literal_error"]
    nouns += [each.replace("False", "false") for each in literal]
    if not nouns or len(errors) > len(nouns):
        message = errors[0]["msg"].removeprefix("Value error, ")
        if errors[0]["type"] == "string_pattern_mismatch":
            message = "small letters, digits, '_' and '-' make a name, and it begins with no sign"
        elif message.startswith("Input should"):
            message = f"{_shown(given)} {message.removeprefix('Input ')}"
        return f"{message[0].lower()}{message[1:]}"
    if errors[0]["type"] == "literal_error" and isinstance(given, str):
        values = re.findall(r"'([^']*)'", nouns[0])
        near = get_close_matches(given, values, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        return f"{_shown(given)} is none of {nouns[0]}{hint}"
    hint = "; put it between quotes" if errors[0]["type"] == "string_type" else ""
    hint = "" if isinstance(given, list | dict) else hint
    return f"expected {' or '.join(dict.fromkeys(nouns))}, not {_shown(given)}{hint}"


def _shown(given: Any) -> str:
    if isinstance(given, list | dict):
        return "a list" if isinstance(given, list) else "keys with values"
    plain = str(given).lower() if isinstance(given, bool) else str(given)
    short = shorten(plain, LONGEST_VALUE, placeholder="…")
    return f"'{short}'" if isinstance(given, str) else short


def _meant(path: Path, holder: yaml.Node | None, schema: dict[str, Any]) -> str:
    """What an unknown key may have been meant as: a part that is not indented, or a known key."""
    key = str(path[-1])
    for each, value in holder.value if isinstance(holder, yaml.MappingNode) else ():
        empty = isinstance(value, yaml.ScalarNode) and value.tag == "tag:yaml.org,2002:null"
        if empty and key in _known_keys((*path[:-1], each.value), schema):
            return f"; it belongs to '{each.value}': indent it further than that"
    known = _known_keys(path[:-1], schema)
    near = get_close_matches(key, known, n=1)
    listed = f"; there are {', '.join(known)}" if known else ""
    return f"; did you mean '{near[0]}'?" if near else listed


def _known_keys(path: Path, schema: dict[str, Any]) -> list[str]:
    forms = _forms(schema, schema)
    for part in path:
        following = [
            form.get("items")
            if isinstance(part, int)
            else form.get("properties", {}).get(part) or _value_of_any_key(form)
            for form in forms
        ]
        forms = [each for node in following if node for each in _forms(node, schema)]
    return [key for form in forms for key in form.get("properties", {})]


def _forms(node: dict[str, Any], schema: dict[str, Any]) -> list[dict[str, Any]]:
    """A part of the schema, or each of the several forms that it may have."""
    if "$ref" in node:
        return _forms(schema["$defs"][node["$ref"].rsplit("/", 1)[1]], schema)
    options = [*node.get("allOf", []), *node.get("anyOf", [])]
    return [form for option in options for form in _forms(option, schema)] if options else [node]


def _value_of_any_key(node: dict[str, Any]) -> dict[str, Any] | None:
    """The schema of the values of a mapping whose keys are names that people choose."""
    by_pattern = node.get("patternProperties") or {}
    found = next(iter(by_pattern.values()), node.get("additionalProperties"))
    return found if isinstance(found, dict) else None


def _in_braces(node: yaml.Node | None) -> bool:
    return isinstance(node, yaml.MappingNode) and bool(node.flow_style)


def _place(tree: yaml.Node | None, path: Path) -> tuple[int, yaml.Node | None, yaml.Node | None]:
    """The line of what is at a path, or else of what is nearest; what holds it; what it is."""
    line, holder, node = tree.start_mark.line + 1 if tree else 1, tree, tree
    for part in path:
        holder, found = node, None
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == str(part):
                    line, found = key.start_mark.line + 1, value
                    break
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            found = node.value[part] if part < len(node.value) else None
            line = found.start_mark.line + 1 if found else line
        if found is None:
            return line, holder, None
        node = found
    return line, holder, node
