"""Compressed files, unpacked into scratch under a meter."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import zstandard

from evergreen.data.archive import Meter
from evergreen.data.limits import Limits
from evergreen.data.refusal import Reason, UploadRefusedError, printable

PACKED_INPUT = 2048
"""Bytes unpacked at once: in zstd a block of 4 can hold 128 KiB, and all that comes out is held."""

GZIP = 31
"""What zlib calls a gzip frame."""

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
    except (EOFError, zlib.error, zstandard.ZstdError) as error:
        said = printable(str(error).rpartition(" data: ")[2])
        message = f"'{name}' is damaged: {said}; upload it anew"
        raise UploadRefusedError([Reason("damaged", message)]) from error
    return target


def _gzip(source: Path) -> Iterator[bytes]:
    # Python's own reader spends a microsecond or two on each byte of a name in a header, and a file
    # can be one header.
    return _frames(source, lambda: zlib.decompressobj(wbits=GZIP), padding=b"\0")


def _zstd(source: Path) -> Iterator[bytes]:
    # zstandard's own reader takes a file that breaks off for one that ends.
    decompressor = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW)
    return _frames(source, decompressor.decompressobj)


class _Frame(Protocol):
    """One of the packed pieces that a file is made of."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, /) -> bytes: ...


def _frames(source: Path, begin: Callable[[], _Frame], padding: bytes = b"") -> Iterator[bytes]:
    """What frames hold that stand one after the other; raises EOFError if the last breaks off.

    `padding` may follow a frame.
    """
    frame = begin()
    with source.open("rb") as file:
        while packed := file.read(PACKED_INPUT):
            while packed:
                if frame.eof:
                    packed = packed.lstrip(padding) if padding else packed
                    if not packed:
                        break
                    frame = begin()
                yield frame.decompress(packed)
                packed = frame.unused_data if frame.eof else b""
    if not frame.eof:
        raise EOFError("it ends in the middle")


PACKED: dict[bytes, Callable[[Path], Iterator[bytes]]] = {
    b"\x1f\x8b": _gzip,
    b"(\xb5/\xfd": _zstd,
}
