"""What the builder of layers takes away, what it leaves, and what it does without its tools."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from types import ModuleType

import pytest

from tests.sam.held_journey import CHECKOUT


@pytest.fixture(scope="module")
def builder() -> ModuleType:
    """The script that `sam build` runs through each layer's Makefile."""
    path = CHECKOUT / "layers" / "build_layer.py"
    spec = importlib.util.spec_from_file_location("build_layer", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x = 1\n")


def left(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_what_no_function_reads_is_removed(builder: ModuleType, tmp_path: Path) -> None:
    write(
        tmp_path,
        *("bin/f2py", "pkg/tests/test_a.py", "pkg/include/a.h", "pkg/a.pyi", "pkg/a.pyx"),
        *("pkg/__pycache__/a.cpython-311.pyc", "pkg-1.dist-info/RECORD", "other-stubs/a.py"),
        *("onnxruntime/capi/libonnxruntime.so.1", "onnx/backend/test/model.onnx"),
    )
    builder.prune(tmp_path)
    assert left(tmp_path) == set()


def test_what_a_function_may_read_stays(builder: ModuleType, tmp_path: Path) -> None:
    kept = (
        *("pkg/a.py", "pkg/testing/b.py", "pkg/py.typed", "pkg/data.json", "numpy/f2py/a.py"),
        *("pkg-1.dist-info/METADATA", "pkg-1.dist-info/licenses/LICENSE", "RECORD"),
        *("onnx/bin/checker.py", "onnxruntime/capi/onnxruntime_pybind11_state.so"),
    )
    write(tmp_path, *kept)
    builder.prune(tmp_path)
    assert left(tmp_path) == set(kept)


def test_a_layers_own_code_comes_without_the_caches_of_this_machine(
    builder: ModuleType, tmp_path: Path
) -> None:
    layer, target = tmp_path / "layer", tmp_path / "target"
    write(layer / "python", "own/a.py", "own/__pycache__/a.cpython-311.pyc", "own/.a.py.swp")
    builder.copy_own_packages(layer, target)
    assert left(target) == {"own/a.py"}


def test_libraries_that_stripping_breaks_are_left_alone(
    builder: ModuleType, tmp_path: Path
) -> None:
    write(tmp_path, "numpy/core.cpython-313.so", "numpy.libs/libopenblas.so.0")
    assert list(builder.strippable(tmp_path)) == [tmp_path / "numpy/core.cpython-313.so"]


def test_a_name_without_an_interpreter_behind_it_is_passed_over(
    builder: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shim = tmp_path / "python3.13"
    shim.write_text("#!/bin/sh\nexit 127\n")
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "none"))
    monkeypatch.setattr(builder.sys, "executable", shutil.which("false", path="/bin:/usr/bin"))
    assert builder.interpreter_of_lambda() is None
    assert builder.compile_bytecode(tmp_path) is False


@pytest.mark.parametrize(
    ("folder", "name"), [("data", "DataLayer"), ("speech_models", "SpeechModelsLayer")]
)
def test_a_layer_is_named_as_in_the_template(builder: ModuleType, folder: str, name: str) -> None:
    assert builder.logical_name(Path(folder)) == name
