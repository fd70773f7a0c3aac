"""What the project file could declare of a dataset: as it was seen, for somebody to review."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from evergreen.contracts.data_section import MISSING, DatasetDeclaration, DeclaredColumn
from evergreen.data.observations import Observed, ObservedColumn
from evergreen.data.schema import Schema

PERSONAL: Mapping[str, str] = {
    "email": r"e[-_ ]?mail|mail",
    "phone": r"phone|mobile|fax|telephone",
    "name": r"(first|last|full|sur|maiden|family)?[-_ ]?name",
    "address": r"(.+[-_. ])?address|street|home[._ -]?dest",
    "birth date": r"(date[-_ ]of[-_ ])?birth([-_ ]?(day|date))?|dob",
    "identity": r"ssn|passport|social[-_ ]security.*",
    "location": r"lat(itude)?|lon(gitude)?|ip([-_ ]address)?",
}
"""Tag of personal data → the column names that suggest it."""


def propose(
    dataset: str, version: str, seen: Observed, schema: Schema, declared: DatasetDeclaration
) -> str:
    """The `data` section of a dataset as YAML: what is declared, and for the rest what was seen.

    The files that it was seen in pass it without an anomaly.
    """
    section: dict[str, Any] = {}
    if declared.owner:
        section["owner"] = declared.owner
    section["missing"] = list(MISSING if declared.missing is None else declared.missing)
    key = declared.key or _key(seen)
    if key:
        section["key"] = list(key)
    section["most_bad_rows"] = declared.most_bad_rows
    section["columns"] = {
        column.name: _column(column, schema, declared.column(column.name) or DeclaredColumn())
        for column in seen.columns
    }
    rest = declared.model_dump(mode="json", by_alias=True, exclude_none=True)
    for name in ("anomalies", "constraints", "waivers"):
        if rest[name]:
            section[name] = rest[name]
    text = yaml.safe_dump(
        {"data": {dataset: section}},
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=None,
        width=100,
    )
    return (
        f"# Proposed from the {seen.rows:,} rows of version {version}. Review it, correct it,\n"
        "# and put it into project.yaml: ranges, categories and gaps are those seen so far.\n"
        f"{text}"
    )


def _key(seen: Observed) -> list[str]:
    return next(([each.name] for each in seen.columns if each.surely_unique), [])


def _column(seen: ObservedColumn, schema: Schema, declared: DeclaredColumn) -> dict[str, Any]:
    known = schema.column(seen.name)
    found: dict[str, Any] = {"type": seen.type}
    if known and known.format and seen.type in ("date", "timestamp"):
        found["format"] = known.format
    if seen.minimum is not None and not seen.surely_unique:
        found["range"] = [seen.minimum, seen.maximum]
    if seen.categories and seen.type == "text":
        found["categories"] = list(seen.categories)
    if seen.count and not seen.nulls:
        found["most_missing"] = 0
    personal = next((tag for tag, form in PERSONAL.items() if _is(form, seen.name)), None)
    if personal:
        found["pii"] = personal
    own = declared.model_dump(mode="json", exclude_none=True)
    if "type" in own and own["type"] != seen.type:
        return own
    return {**found, **own}


def _is(form: str, name: str) -> bool:
    return re.fullmatch(form, name.strip().casefold()) is not None
