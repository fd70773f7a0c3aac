"""The `data` section says one thing per rule; what cannot be meant is refused with its line."""

from __future__ import annotations

import pytest

from evergreen.contracts.project_file import ProjectFile
from evergreen.contracts.project_reading import ProjectFileRefusedError, read_project_file
from evergreen.data.schema import COLUMN_TYPES

HEAD = "project: p\ndataset: d\ntarget: t\ndata:\n  d:\n"


def read(section: str) -> ProjectFile:
    return read_project_file((HEAD + section).encode(), "p")


def waiver(constraint: str, reason: str = "b", until: str = "2026-01-01") -> str:
    said = f"constraint: {constraint}, author: a, reason: {reason}, until: {until}"
    return f"    waivers:\n    - {{{said}}}\n"


WRONG = [
    (
        "    colums: {}\n",
        "line 6: 'data.d.colums' is not a key of project.yaml; did you mean 'columns'",
    ),
    ("    columns: {a: {typ: text}}\n", "'data.d.columns.a.typ' is not a key"),
    ("    columns: {a: {type: string}}\n", "'data.d.columns.a.type'"),
    ("    columns: {a: {format: '%Y'}}\n", "a format belongs to a type: date or timestamp"),
    ("    columns: {a: {}, A: {}}\n", "two columns have the same name"),
    (
        "    constraints:\n    - {severity: warn}\n",
        "line 7: 'data.d.constraints.0': a constraint is",
    ),
    ("    constraints:\n    - {not_null: a, unique: a}\n", "a constraint is exactly one of"),
    ("    constraints:\n    - {range: [0, 1]}\n", "'range' needs a column"),
    ("    constraints:\n    - {not_null: a, column: b}\n", "'not_null' has no column"),
    ("    constraints:\n    - {rows: [1, 2], severity: quarantine}\n", "is about the whole file"),
    ("    constraints:\n    - {not_null: a}\n    - {not_null: a}\n", "are called 'not_null:a'"),
    ("    anomalies: {new_column: quarantine}\n", "'new_column' is about the whole file"),
    ("    anomalies: {ragged_row: warn}\n", "'ragged_row' cannot be taken"),
    ("    anomalies: {odd: warn}\n", "'data.d.anomalies.odd"),
    (
        "    waivers:\n    - {constraint: x, author: a, reason: b, until: 2026-01-01}\n",
        "line 7: 'data.d.waivers.0.constraint': no constraint or anomaly is called 'x'; there are",
    ),
    (
        (
            f"    constraints:\n    - {{column: fare, range: [0, 1]}}\n{waiver('new_column')}"
            "    - {constraint: 'rnage:fare', author: a, reason: b, until: 2026-01-01}\n"
        ),
        (
            "line 10: 'data.d.waivers.1.constraint': no constraint or anomaly is called "
            "'rnage:fare'; did you mean 'range:fare'?"
        ),
    ),
    (
        waiver("'new_category:'"),
        "is called 'new_category:'; did you mean 'new_category'?",
    ),
    (
        waiver("new_category", reason="' '"),
        "line 7: 'data.d.waivers.0.reason': string should have at least 1 character",
    ),
    (
        "    waivers:\n    - {constraint: new_category, author: a, until: 2026-01-01}\n",
        "line 7: 'data.d.waivers.0.reason' is missing",
    ),
    (
        waiver("new_category", until="2026-02-30"),
        "line 7: 'data.d.waivers.0.until'",
    ),
    (
        "    waivers:\n    - {constraint: new_category, reason: b, until: 2026-01-01}\n",
        "'data.d.waivers.0.author' is missing",
    ),
    (
        "    waivers:\n    - {constraint: new_category, author: a, reason: b}\n",
        "'data.d.waivers.0.until' is missing",
    ),
]


@pytest.mark.parametrize(("section", "said"), WRONG)
def test_what_cannot_be_meant_is_refused(section: str, said: str) -> None:
    with pytest.raises(ProjectFileRefusedError) as refused:
        read(section)
    assert said in "; ".join(refused.value.problems)


WHOLE = """\
    owner: ops@example.org
    missing: ["", "?", -1]
    key: id
    columns:
      day: {type: date, format: "%d.%m.%Y", range: [2020-01-01, null]}
      mail: {pii: email}
    anomalies: {new_category: quarantine}
    constraints:
    - {column: paid, in: [true, false, no]}
    - {freshness: 2 days, column: day, severity: warn}
    waivers:
    - {constraint: "in:paid", author: ada, reason: migration, until: 2026-01-31}
"""


def test_a_section_survives_its_record() -> None:
    file = read(WHOLE)
    assert ProjectFile.model_validate(file.model_dump(mode="json")) == file
    declared = file.declared("d")
    assert declared.markers("day") == ("", "?", "-1")
    assert declared.columns["day"].range == ["2020-01-01", None]
    assert declared.constraints[0].among == ["true", "false", "no"]
    assert declared.pii == {"mail": "email"}


def test_severities_have_defaults() -> None:
    file = read("    constraints:\n    - {not_null: a}\n    - {rows: [1, null]}\n")
    assert [each.effect for each in file.declared("d").constraints] == ["quarantine", "refuse"]
    assert file.declared("other").severity("ragged_row") == "quarantine"
    assert file.declared("other").severity("new_column") == "warn"


def test_column_types_are_those_of_schemas() -> None:
    for kind in COLUMN_TYPES:
        assert read(f"    columns: {{a: {{type: {kind}}}}}\n").declared("d").column("A")
