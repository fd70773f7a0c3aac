"""`predict` starts without the libraries of training."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
PROBE = """
import json, sys
sys.path[:0] = [{package!r}, {functions!r}]
{then}
print(json.dumps(sorted(sys.modules)))
"""
NEVER = {"pandas", "sklearn", "scipy", "pyarrow", "pydantic", "yaml"}


def imported(then: str) -> set[str]:
    """The libraries in memory after a statement in a fresh interpreter."""
    probe = PROBE.format(
        package=str(ROOT / "layers/evergreen/python"),
        functions=str(ROOT / "functions/predict"),
        then=then,
    )
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return {name.split(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}


def test_predict_imports_none_of_the_libraries_of_training() -> None:
    modules = imported("import app")
    assert "onnxruntime" in modules
    assert not modules & {*NEVER, "duckdb", "PIL", "soundfile"}


def test_steps_bring_their_engine_and_nothing_else() -> None:
    modules = imported("import app; from evergreen.serving.step_engine import StepEngine")
    assert "duckdb" in modules
    assert not modules & NEVER
