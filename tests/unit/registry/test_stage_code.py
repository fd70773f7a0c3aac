"""A stage's code digest covers every module that its handler's domain imports."""

import ast
from pathlib import Path

import pytest

import evergreen
from evergreen.registry.identity import STAGE_CODE

PACKAGE = Path(evergreen.__file__).parent
FUNCTIONS = Path(__file__).parents[3] / "functions"
FREE = ("contracts/", "registry/", "cloud/")
"""What stages are recorded and spoken with; it does not make their outputs."""
PRESENTATION = ("evaluation/card.py", "monitoring/report.py")


def imported(file: Path) -> set[Path]:
    modules = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("evergreen."):
            place = PACKAGE / node.module.removeprefix("evergreen.").replace(".", "/")
            modules.add(place.with_suffix(".py"))
    return {module for module in modules if module.exists()}


def reached(file: Path) -> set[str]:
    seen: set[Path] = set()
    waiting = imported(file)
    while waiting:
        module = waiting.pop()
        if module not in seen:
            seen.add(module)
            waiting |= imported(module)
    return {module.relative_to(PACKAGE).as_posix() for module in seen}


@pytest.mark.parametrize("stage", STAGE_CODE)
def test_what_a_stage_imports_is_part_of_its_identity(stage: str) -> None:
    covered = STAGE_CODE[stage]
    missing = {
        module
        for module in reached(FUNCTIONS / stage / "app.py")
        if not module.startswith((*FREE, *(f"{part}/" for part in covered)))
        and module not in (*covered, *PRESENTATION)
    }
    assert not missing
