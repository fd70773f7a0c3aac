#!/usr/bin/env python3
"""Build one Lambda layer from its pinned requirements, on any machine and without a container.

Called by `sam build` through the layer's Makefile:

    python layers/build_layer.py layers/data "$ARTIFACTS_DIR"

Wheels for Lambda (CPython 3.13, x86_64) are unpacked into ``$ARTIFACTS_DIR/python``; what a running
function never reads is removed, symbols are stripped, and bytecode is added, because without it
Lambda compiles every import of every cold start anew (its file system is read-only).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

PYTHON_OF_LAMBDA = "3.13"
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux2014_x86_64")

# Directories and files that no function reads, in whatever package they are.
DEAD_DIRECTORIES = frozenset({"tests", "test", "include", "__pycache__"})
DEAD_SUFFIXES = frozenset(
    {".pyi", ".h", ".hpp", ".pxd", ".pyx", ".pxi", ".c", ".cc", ".cpp", ".f", ".f90", ".a", ".tp"}
)
# pip's notes on an installation that is no longer what pip made; METADATA and licences stay.
DEAD_RECORDS = frozenset({"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"})

# Parts of single packages, each with the reason why nothing misses it.
DEAD_PARTS = {
    "bin": "programs for a shell",
    "share": "manual pages",
    "*-stubs": "types",
    "adbc_driver_duckdb": "another way into DuckDB",
    "cffi": "makes bindings; soundfile brings its own, made",
    "duckdb/experimental": "the Spark interface",
    "onnx/backend/test": "test models",
    "onnxruntime/capi/libonnxruntime.so*": "the C library; Python's binding contains it too",
    "onnxruntime/quantization": "model rewriting",
    "onnxruntime/tools": "model rewriting",
    "onnxruntime/transformers": "model rewriting",
    "onnxruntime/datasets": "sample models",
    "pycparser": "read by cffi",
    **{
        f"pillow.libs/lib{library}-*": "what PNG and JPEG pictures do not need"
        for library in (
            *("avif", "brotlicommon", "brotlidec", "freetype", "harfbuzz", "lcms2", "png16"),
            *("sharpyuv", "webp", "webpdemux", "webpmux"),
        )
    },
    **{
        f"PIL/_{module}.*": "links what PNG and JPEG pictures do not need"
        for module in ("avif", "imagingcms", "imagingft", "imagingtk", "webp")
    },
    "sklearn/datasets/data": "sample data",
    "sklearn/datasets/images": "sample data",
    "sklearn/datasets/descr": "sample data",
}


class LayerBuildError(Exception):
    """The layer cannot be built; the message says which command failed or what is missing."""


def run(*command: str | Path) -> None:
    """Run a command, letting its output through.

    Raises
    ------
    LayerBuildError
        The command did not end with exit code 0.
    """
    if subprocess.run([str(part) for part in command], check=False).returncode:
        raise LayerBuildError(f"failed: {' '.join(str(part) for part in command)}")


def install(requirements: Path, target: Path) -> None:
    """Unpack wheels that Lambda can load; nothing is resolved, the requirements are complete."""
    platforms = [f"--platform={platform}" for platform in PLATFORMS]
    run(
        *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
        *("--require-hashes", "--no-deps", "--no-compile", "--only-binary=:all:", *platforms),
        *(f"--python-version={PYTHON_OF_LAMBDA}", "--implementation=cp", "--target", target),
        *("--requirement", requirements),
    )


def copy_own_packages(layer: Path, target: Path) -> None:
    """Add the layer's own code, where it has any, without the caches of this machine."""
    if (own := layer / "python").is_dir():
        ignored = shutil.ignore_patterns("__pycache__", ".*")
        shutil.copytree(own, target, dirs_exist_ok=True, ignore=ignored)


def prune(target: Path) -> None:
    """Remove what a running function never reads."""
    for pattern in DEAD_PARTS:
        for path in target.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for folder, directories, files in os.walk(target):
        here = Path(folder)
        for name in DEAD_DIRECTORIES.intersection(directories):
            shutil.rmtree(here / name)
            directories.remove(name)
        recorded = here.suffix == ".dist-info"
        for name in files:
            if Path(name).suffix in DEAD_SUFFIXES or (recorded and name in DEAD_RECORDS):
                (here / name).unlink()


def strippable(target: Path) -> Iterator[Path]:
    """Yield the extension modules; libraries in ``*.libs`` break when they are stripped."""
    for path in sorted(target.rglob("*.so*")):
        if not any(part.endswith(".libs") for part in path.relative_to(target).parts):
            yield path


def strip_symbols(target: Path) -> bool:
    """Strip extension modules; False where this machine has no strip for Linux x86_64."""
    strip = shutil.which("x86_64-linux-gnu-strip") or shutil.which("strip")
    if strip is None:
        return False
    for path in strippable(target):
        stripped = path.with_name(path.name + ".stripped")
        command = [strip, "--strip-unneeded", "-o", str(stripped), str(path)]
        if subprocess.run(command, check=False, capture_output=True).returncode:
            stripped.unlink(missing_ok=True)
            return False
        shutil.copymode(path, stripped)
        stripped.replace(path)
    return True


def interpreter_of_lambda() -> str | None:
    """Find a CPython of Lambda's version, under its name or under pyenv's folder.

    Each is asked: a name on the PATH may be a shim with nothing behind it.
    """
    candidates = [sys.executable, shutil.which(f"python{PYTHON_OF_LAMBDA}")]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    candidates += sorted(map(str, pyenv.glob(f"versions/{PYTHON_OF_LAMBDA}.*/bin/python")))
    question = "import sys; print('%d.%d' % sys.version_info[:2])"
    for candidate in filter(None, candidates):
        answer = subprocess.run([candidate, "-c", question], capture_output=True, check=False)
        if answer.stdout.decode().strip() == PYTHON_OF_LAMBDA:
            return candidate
    return None


def compile_bytecode(target: Path) -> bool:
    """Add bytecode; False where no interpreter of Lambda's version is on this machine.

    The bytecode names its sources as Lambda sees them and is never checked against them: a deployed
    layer does not change, and the packaging does not keep the times that a check would compare.
    """
    interpreter = interpreter_of_lambda()
    if interpreter is None:
        return False
    run(
        *(interpreter, "-m", "compileall", "-q", "-f", "-j", "0"),
        *("--invalidation-mode", "unchecked-hash"),
        *("-s", target, "-p", "/opt/python", target),
    )
    return True


def logical_name(layer: Path) -> str:
    """Name the layer as the template does: ``layers/data`` is ``DataLayer``."""
    return re.sub(r"(?:^|_)(\w)", lambda match: match[1].upper(), layer.name) + "Layer"


def build(layer: Path, artifacts: Path) -> None:
    """Build the layer in its folder into SAM's artifacts directory and say what came of it."""
    target = artifacts / "python"
    target.mkdir(parents=True, exist_ok=True)
    install(layer / "requirements.txt", target)
    copy_own_packages(layer, target)
    prune(target)
    said = []
    if not strip_symbols(target):
        said.append("symbols not stripped, because no strip for Linux x86_64 is here")
    if not compile_bytecode(target):
        said.append(
            f"no bytecode, because no Python {PYTHON_OF_LAMBDA} is here: cold starts will be slower"
        )
    size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    print(f"{logical_name(layer)}: {'; '.join([f'{size / 2**20:.1f} MiB', *said])}")


if __name__ == "__main__":
    try:
        build(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve())
    except LayerBuildError as error:
        sys.exit(f"{sys.argv[1]}: {error}")
