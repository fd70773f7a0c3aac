"""The proposal of a dataset can be put into its project file, and its data pass it."""

from __future__ import annotations

from pathlib import Path

import pytest

from evergreen.contracts.data_section import NOTHING_DECLARED
from evergreen.contracts.project_reading import read_project_file
from evergreen.data.proposal import propose
from tests.unit.data.uploads import Uploader

EXAMPLES = Path(__file__).parents[3] / "examples"
DIRTY = "id,day,score,city,Telephone,yes,gap\n" + "".join(
    f"{i},{1 + i % 28}.02.2026,{i % 7}.5,{'Bern' if i % 2 else 'None'},+41 {i},"
    f"{'true' if i % 3 else 'false'},"
    f"{'?' if i % 5 else i % 4}\n"
    for i in range(200)
)


@pytest.mark.parametrize(
    "content", [DIRTY, (EXAMPLES / "penguins/penguins.csv").read_text()], ids=["dirty", "penguins"]
)
def test_the_data_pass_their_proposal(uploader: Uploader, content: str) -> None:
    first = uploader.take(content)
    text = propose("d", "v", first.observed, first.schema, NOTHING_DECLARED)
    file = read_project_file(f"project: p\ndataset: d\ntarget: t\n{text}".encode(), "p")
    declared = file.declared("d").model_dump(mode="json", by_alias=True)
    rows = uploader.rows()
    again = uploader.take(content, declared=declared)
    assert (again.anomalies, again.quarantined_rows) == ((), 0)
    assert again.schema == first.schema
    assert uploader.rows() == rows


def test_the_proposal_says_what_was_seen(uploader: Uploader) -> None:
    part = uploader.take(DIRTY)
    text = propose("d", "v", part.observed, part.schema, NOTHING_DECLARED)
    assert "from the 200 rows of version v" in text
    declared = read_project_file(
        f"project: p\ndataset: d\ntarget: t\n{text}".encode(), "p"
    ).declared("d")
    assert declared.key == ["id"]
    assert declared.columns["day"].format == "%d.%m.%Y"
    assert declared.columns["city"].categories == ["Bern", "None"]
    assert declared.columns["score"].range == [0.5, 6.5]
    assert declared.columns["Telephone"].pii == "phone"
    assert (declared.columns["id"].most_missing, declared.columns["gap"].most_missing) == (0, None)


def test_what_is_declared_stays(uploader: Uploader) -> None:
    part = uploader.take(DIRTY)
    section = """\
project: p
dataset: d
target: t
data:
  d:
    owner: ada
    columns: {score: {range: [0, 100], pii: mark}}
    constraints: [{column: city, in: [Bern]}]
"""
    declared = read_project_file(section.encode(), "p").declared("d")
    text = propose("d", "v", part.observed, part.schema, declared)
    again = read_project_file(f"project: p\ndataset: d\ntarget: t\n{text}".encode(), "p")
    assert again.declared("d").owner == "ada"
    assert again.declared("d").columns["score"].range == [0, 100]
    assert again.declared("d").constraints == declared.constraints
