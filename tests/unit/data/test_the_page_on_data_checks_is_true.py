"""What docs/data-checks.md shows is accepted, and does what the page says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from evergreen.contracts.data_section import KINDS, SEVERITIES, Anomaly
from evergreen.contracts.project_reading import read_project_file
from tests.unit.data.uploads import Uploader

PAGE = (Path(__file__).parents[3] / "docs/data-checks.md").read_text()
(EXAMPLE,) = re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)
HEADER = "trip_id,started,ended,fare,city,email,payment\n"


def rides(count: int = 200, **changed: str) -> str:
    row = {
        "started": "09.01.2026 10:00",
        "ended": "09.01.2026 11:00",
        "fare": "7.5",
        "city": "None",
        "email": "a@b.org",
        "payment": "card",
        **changed,
    }
    good = "".join(
        f"{i:05},09.01.2026 10:00,09.01.2026 11:00,7,Bern,a@b.org,cash\n" for i in range(count)
    )
    return f"{HEADER}{good}{count:05},{','.join(row.values())}\n"


def test_the_example_shows_one_constraint_of_each_kind() -> None:
    declared = read_project_file(EXAMPLE.encode(), "rides").declared("trips")
    assert sorted(each.kind for each in declared.constraints) == sorted(KINDS)


def test_the_example_does_what_it_says(uploader: Uploader) -> None:
    declared = read_project_file(EXAMPLE.encode(), "rides").declared("trips")
    plain = declared.model_dump(mode="json", by_alias=True)
    part = uploader.take(rides(), declared=plain)
    assert (part.rows, part.quarantined_rows, part.warnings) == (201, 0, ())
    assert uploader.rows()[0][0] == "00000"
    assert uploader.rows()[-1][4] == "None"
    assert uploader.take(rides(fare="-1"), declared=plain).rows == 201
    assert uploader.rows()[-1][3] is None
    for changed, codes in (
        ({"started": "31.02.2026 10:00"}, ["out_of_range"]),
        ({"started": "soon"}, ["not_timestamp"]),
        ({"ended": "09.01.2026 09:00"}, ["row"]),
        ({"city": "Ulm"}, ["new_category"]),
        ({"payment": "gold"}, ["in"]),
    ):
        uploader.take(rides(**changed), declared=plain)
        assert uploader.codes() == [(202, codes)]
    waived = uploader.take(rides(email="nobody"), declared=plain)
    assert waived.rows == 201
    assert "(waived by ada until 2027-01-31: old app sent none)" in waived.warnings[0]


def test_every_anomaly_is_explained_with_its_default() -> None:
    for anomaly in get_args(Anomaly):
        (line,) = [line for line in PAGE.splitlines() if re.match(rf"\| .*`{anomaly}`.* \|", line)]
        assert line.endswith(f"| {SEVERITIES[anomaly]} |")
