"""What `sam build` makes fits into Lambda, and only what is meant for Lambda is in it."""

from __future__ import annotations

import filecmp
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sam.build_output import BuildOutput, size_of
from tests.sam.held_journey import CHECKOUT

BUDGET = 240 * 2**20  # Lambda's limit is 250 MiB, unpacked
LAYERS = ("EvergreenLayer", "DataLayer", "LearningLayer", "InferenceLayer", "MediaLayer")
ELF_X86_64 = (62).to_bytes(2, "little")

pytestmark = pytest.mark.timeout(600)  # the first test builds


def python_of_lambda() -> str | None:
    """An interpreter that the builder compiles with, asked of the builder itself."""
    script = (
        "import sys; sys.path.insert(0, 'layers'); import build_layer; "
        "print(build_layer.interpreter_of_lambda() or '')"
    )
    asked = subprocess.run([sys.executable, "-c", script], cwd=CHECKOUT, capture_output=True)
    return asked.stdout.decode().strip() or None


def test_every_function_is_built(build_output: BuildOutput) -> None:
    folders = {path.parent.name for path in (CHECKOUT / "functions").glob("*/app.py")}
    assert len(build_output.functions) == len(folders)
    for name, folder in build_output.functions.items():
        assert (folder / "app.py").is_file(), name


def test_every_function_with_its_layers_stays_within_its_budget(build_output: BuildOutput) -> None:
    sizes = {name: build_output.sizes_of(name) for name in build_output.functions}
    lines = [
        f"{name:<30} {sum(of.values()) / 2**20:6.1f} MiB  {', '.join(list(of)[1:])}"
        for name, of in sorted(sizes.items(), key=lambda item: -sum(item[1].values()))
    ]
    print(*lines, sep="\n")  # the table that `pytest -s` and every failure show
    assert max(sum(of.values()) for of in sizes.values()) <= BUDGET


def test_a_function_is_its_handler_alone(build_output: BuildOutput) -> None:
    for name, folder in build_output.functions.items():
        others = {path.name for path in folder.rglob("*.py")} - {"app.py"}
        assert not others, f"{name} brings {others}"
        assert size_of(folder) < 2**20, name


def test_the_shared_package_is_the_one_of_the_checkout(build_output: BuildOutput) -> None:
    built = build_output.layers["EvergreenLayer"] / "python" / "evergreen"
    source = CHECKOUT / "layers" / "evergreen" / "python" / "evergreen"
    files = [path.relative_to(source) for path in source.rglob("*") if path.suffix != ".pyc"]
    files = [path for path in files if (source / path).is_file()]
    _, different, missing = filecmp.cmpfiles(source, built, map(str, files), shallow=False)
    assert not different
    assert not missing


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_holds_no_tests_headers_or_stubs(layer: str, build_output: BuildOutput) -> None:
    folder = build_output.layers[layer] / "python"
    dead = [
        path
        for path in folder.rglob("*")
        if path.name in {"tests", "test", "include"} or path.suffix in {".pyi", ".h", ".a"}
    ]
    assert not dead


@pytest.mark.parametrize("layer", LAYERS)
def test_every_library_of_a_layer_is_for_lambdas_machine(
    layer: str, build_output: BuildOutput
) -> None:
    for path in (build_output.layers[layer] / "python").rglob("*.so*"):
        head = path.read_bytes()[:20]
        assert head[:4] == b"\x7fELF", path
        assert head[18:20] == ELF_X86_64, path
        if "cpython" in path.name:
            assert "cpython-313-x86_64-linux" in path.name


@pytest.mark.parametrize("layer", LAYERS)
def test_every_module_of_a_layer_comes_with_its_bytecode(
    layer: str, build_output: BuildOutput
) -> None:
    if python_of_lambda() is None:
        pytest.skip("no Python 3.13 is on this machine, so layers are built without bytecode")
    without = [
        module
        for module in build_output.modules(layer)
        if not (module.parent / "__pycache__" / f"{module.stem}.cpython-313.pyc").exists()
    ]
    assert not without
    foreign = [
        path
        for path in build_output.layers[layer].rglob("*.pyc")
        if not path.name.endswith(".cpython-313.pyc")
    ]
    assert not foreign


def test_what_answers_and_what_moves_data_has_no_library_of_training(
    build_output: BuildOutput,
) -> None:
    for layer in ("EvergreenLayer", "DataLayer", "InferenceLayer"):
        there = {path.name for path in (build_output.layers[layer] / "python").iterdir()}
        assert not there & {"sklearn", "scipy", "pandas", "pyarrow"}, layer
    assert not list(Path(build_output.folder).rglob("pyarrow"))
