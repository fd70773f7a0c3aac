"""`predict` starts without the libraries of training."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
PROBE = """
import json, sys
sys.path[:0] = [{package!r}, {functions!r}]
import app
print(json.dumps(sorted(sys.modules)))
"""


def test_predict_imports_none_of_the_libraries_of_training() -> None:
    probe = PROBE.format(
        package=str(ROOT / "layers/evergreen/python"), functions=str(ROOT / "functions/predict")
    )
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True, cwd=ROOT
    )
    modules = {name.split(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}
    assert "onnxruntime" in modules
    assert not modules & {
        *("pandas", "sklearn", "scipy", "pyarrow", "duckdb", "pydantic", "yaml"),
        *("PIL", "soundfile"),
    }
