"""Zips follow what is in them, not when or where it was written."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from local.packages import CodeRefusedError, package_function, package_layer


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_equal_code_makes_one_package_wherever_and_whenever_it_was_written(tmp_path: Path) -> None:
    one = write(tmp_path / "one", app="A = 1\n")
    two = write(tmp_path / "two", app="A = 1\n")
    os.utime(two / "app.py", (0, 0))
    (two / "__pycache__").mkdir()
    (two / "__pycache__/app.cpython-311.pyc").write_bytes(b"stale")
    first = package_function(one, tmp_path / "zips")
    assert package_function(two, tmp_path / "zips") == first
    assert [path.name for path in (tmp_path / "zips").iterdir()] == [f"{first.digest}.zip"]


def test_changed_code_or_names_make_another_package(tmp_path: Path) -> None:
    folder = write(tmp_path / "code", app="A = 1\n")
    digests = {package_function(folder, tmp_path / "zips").digest}
    write(folder, app="A = 2\n")
    digests.add(package_function(folder, tmp_path / "zips").digest)
    (folder / "app.py").rename(folder / "other.py")
    digests.add(package_function(folder, tmp_path / "zips").digest)
    assert len(digests) == 3


def test_unzipped_code_runs_from_its_bytecode(tmp_path: Path) -> None:
    folder = write(tmp_path / "layer", python__evergreen_probe__inner="A = __cached__\n")
    package = package_layer(folder, tmp_path / "zips")
    with zipfile.ZipFile(package.path) as archive:
        archive.extractall(tmp_path / "out")
    place = tmp_path / "out/python/evergreen_probe"
    (bytecode,) = (place / "__pycache__").glob("inner.*.pyc")
    before = bytecode.stat().st_mtime_ns
    # Source that no longer compiles is not looked at: the bytecode is taken as it is.
    (place / "inner.py").write_text("not python")
    program = "import evergreen_probe.inner as inner; print(inner.A)"
    said = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path / "out/python",
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    assert Path(said) == bytecode
    assert bytecode.stat().st_mtime_ns == before


def test_a_layer_of_third_party_packages_is_an_empty_zip(tmp_path: Path) -> None:
    folder = tmp_path / "layer"
    folder.mkdir()
    (folder / "requirements.txt").write_text("duckdb==2.0.0\n")
    with zipfile.ZipFile(package_layer(folder, tmp_path / "zips").path) as archive:
        assert archive.namelist() == []


def test_missing_or_broken_code_is_refused_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(CodeRefusedError, match="nowhere has no code"):
        package_function(tmp_path / "nowhere", tmp_path / "zips")
    with pytest.raises(CodeRefusedError, match="nowhere is not there"):
        package_layer(tmp_path / "nowhere", tmp_path / "zips")
    folder = write(tmp_path / "code", app="def handler(:\n")
    with pytest.raises(CodeRefusedError, match=r"app\.py does not compile"):
        package_function(folder, tmp_path / "zips")
