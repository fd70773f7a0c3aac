"""What docs/labels.md shows is what is taken."""

from __future__ import annotations

import re
from pathlib import Path

from evergreen.contracts.project_reading import read_project_file

PAGE = Path(__file__).parents[3] / "docs/labels.md"


def test_its_project_file_is_valid() -> None:
    shown = re.search(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert shown
    file = read_project_file(shown[1].encode(), "claims")
    assert file.labelling is not None
    assert file.labels is not None
    assert file.labelling.policy == "majority"


def test_it_names_every_policy_and_setting() -> None:
    text = PAGE.read_text()
    for name in ("agreement", "latest", "majority", "expert", "voices", "rows", "random", "within"):
        assert f"`{name}" in text
