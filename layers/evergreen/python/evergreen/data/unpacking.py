"""Compressed files, unpacked into scratch under a meter."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import zstandard

from evergreen.data.archive import CHUNK, Meter
from evergreen.data.limits import Limits
from evergreen.data.refusal import Reason, UploadRefusedError, printable

ZSTD_INPUT = 2048
"""Bytes given to zstd at once: a block of 4 can hold 128 KiB, and all that comes out is held."""

ZSTD_WINDOW = 1 << 27
"""How far back zstd may look, which is memory."""


def unpacked(source: Path, name: str, target: Path, limits: Limits) -> Path:
    """Write what a gzip or zstd file holds to `target`; raises UploadRefusedError.

    Nothing is believed of what the file says about its size.
    """
    with source.open("rb") as file:
        head = file.read(4)
    content = next(read for magic, read in PACKED.items() if head.startswith(magic))
    meter = Meter(source.stat().st_size, name, limits)
    try:
        with target.open("wb") as file:
            for chunk in content(source):
                meter.add(len(chunk))
                file.write(chunk)
    except (EOFError, gzip.BadGzipFile, zlib.error, zstandard.ZstdError) as error:
        message = f"'{name}' is damaged: {printable(str(error))}; upload it anew"
        raise UploadRefusedError([Reason("damaged", message)]) from error
    return target


def _gzip(source: Path) -> Iterator[bytes]:
    with gzip.open(source) as file:
        while chunk := file.read(CHUNK):
            yield chunk


def _zstd(source: Path) -> Iterator[bytes]:
    decompressor = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW)
    frame = decompressor.decompressobj()
    with source.open("rb") as file:
        while packed := file.read(ZSTD_INPUT):
            while packed:
                if frame.eof:
                    frame = decompressor.decompressobj()
                yield frame.decompress(packed)
                packed = frame.unused_data if frame.eof else b""
    # zstandard's own reader takes a file that breaks off for one that ends.
    if not frame.eof:
        raise EOFError("it ends in the middle")


PACKED: dict[bytes, Callable[[Path], Iterator[bytes]]] = {
    b"\x1f\x8b": _gzip,
    b"(\xb5/\xfd": _zstd,
}
