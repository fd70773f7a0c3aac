"""Zips of functions and layers, named by the digest of what is in them."""

from __future__ import annotations

import hashlib
import io
import py_compile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import cache_from_source
from pathlib import Path
from tempfile import TemporaryDirectory

# A cold start reads bytecode instead of compiling; "unchecked" because unzipping changes the
# times by which Python would otherwise tell that bytecode belongs to its source.
_BYTECODE = py_compile.PycInvalidationMode.UNCHECKED_HASH


class CodeRefusedError(ValueError):
    """Code that the template names is not there, or is no Python."""


@dataclass(frozen=True)
class Package:
    """A zip on disk; equal digests hold equal code."""

    digest: str
    path: Path


def package_function(folder: Path, directory: Path) -> Package:
    """The zip of a function's folder, kept in `directory`; raises CodeRefusedError."""
    return _package(folder, folder, directory)


def package_layer(folder: Path, directory: Path) -> Package:
    """The zip of a layer's own code: what is under `python/`.

    Third-party packages stay out: workers run under the interpreter that runs MiniStack, whose
    environment has them. A layer of nothing else becomes an empty zip.
    """
    if not folder.is_dir():
        raise CodeRefusedError(f"{folder} is not there; template.yaml names it")
    return _package(folder, folder / "python", directory)


def _package(base: Path, folder: Path, directory: Path) -> Package:
    files = {str(path.relative_to(base)): path.read_bytes() for path in _files(folder)}
    if base == folder and not files:
        raise CodeRefusedError(f"{folder} has no code; template.yaml names it")
    digest = hashlib.sha256()
    for name, content in files.items():
        digest.update(f"{name} {len(content)} ".encode())
        digest.update(content)
    package = Package(digest.hexdigest()[:16], directory / f"{digest.hexdigest()[:16]}.zip")
    if not package.path.exists():
        directory.mkdir(parents=True, exist_ok=True)
        unfinished = package.path.with_suffix(".new")
        unfinished.write_bytes(_zip(files))
        unfinished.replace(package.path)
    return package


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts and path.name != ".DS_Store":
            yield path


def _zip(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    # Stored, not deflated: the zips are small and are unpacked at every cold start.
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content)
            if name.endswith(".py"):
                path, bytecode = _compile(name, content)
                archive.writestr(zipfile.ZipInfo(path), bytecode)
    return buffer.getvalue()


def _compile(name: str, source: bytes) -> tuple[str, bytes]:
    with TemporaryDirectory() as scratch:
        path, compiled = Path(scratch, "source.py"), Path(scratch, "compiled")
        path.write_bytes(source)
        try:
            py_compile.compile(
                str(path), str(compiled), name, doraise=True, invalidation_mode=_BYTECODE
            )
        except py_compile.PyCompileError as error:
            raise CodeRefusedError(f"{name} does not compile: {error.msg}") from None
        return cache_from_source(name), compiled.read_bytes()
