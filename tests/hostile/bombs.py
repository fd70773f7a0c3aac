"""Small files that are large inside, written in moments."""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path

import zstandard

PIECE = 64 << 20
GIB = 1 << 30


def gzip_bomb(path: Path, content: bytes = b"\0", size: int = GIB) -> None:
    """Members one after the other, each of 64 MiB."""
    _repeat(path, gzip.compress(content * (PIECE // len(content)), 9, mtime=0), size)


def zstd_bomb(path: Path, content: bytes = b"1,2\n", size: int = GIB) -> None:
    _repeat(path, zstandard.compress(content * (PIECE // len(content)), 19), size)


def _repeat(path: Path, packed: bytes, size: int) -> None:
    with path.open("wb") as file:
        for _ in range(size // PIECE):
            file.write(packed)


def zip_bomb(
    path: Path,
    name: bytes = b"t.csv",
    *,
    size: int = GIB,
    declared: int = GIB,
    content: bytes = b"1,2\n",
) -> None:
    """One deflated member; `declared` is what the directory says of its size."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = compressor.compress(content * (PIECE // len(content)))
    block += compressor.flush(zlib.Z_FULL_FLUSH)
    packed = block * (size // PIECE) + compressor.flush(zlib.Z_FINISH)
    sizes = struct.pack("<III", 0, len(packed), declared)
    local = b"PK\x03\x04" + struct.pack("<HHHHH", 20, 0, 8, 0, 33) + sizes
    local += struct.pack("<HH", len(name), 0) + name
    central = b"PK\x01\x02" + struct.pack("<HHHHHH", 20, 20, 0, 8, 0, 33) + sizes
    central += struct.pack("<HHHHHII", len(name), 0, 0, 0, 0, 0, 0) + name
    place = len(local) + len(packed)
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(central), place, 0)
    path.write_bytes(local + packed + central + end)


def many_members(path: Path, count: int = 300_000) -> None:
    """A directory of nothing but names."""
    entries = b"".join(
        b"PK\x01\x02"
        + struct.pack("<HHHHHHIII", 20, 20, 0, 0, 0, 33, 0, 0, 0)
        + struct.pack("<HHHHHII", 6, 0, 0, 0, 0, 0, 0)
        + b"%06x" % n
        for n in range(count)
    )
    end = struct.pack("<HHHHIIH", 0, 0, count & 0xFFFF, count & 0xFFFF, len(entries), 4, 0)
    path.write_bytes(b"PK\x03\x04" + entries + b"PK\x05\x06" + end)
