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


def endless_name(path: Path, size: int = 200 << 20) -> None:
    """A gzip file that is nothing but the name of what it holds."""
    with path.open("wb") as file:
        file.write(b"\x1f\x8b\x08\x08\0\0\0\0\0\xff")
        for _ in range(size >> 20):
            file.write(b"n" * (1 << 20))


def overlapping(path: Path, count: int = 200, size: int = 20 << 20) -> None:
    """Members that all are the same bytes, so that each costs only its name (Fifield 2019)."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = compressor.compress(b"1,2\n" * (size // 4)) + compressor.flush()
    sizes = struct.pack("<III", zlib.crc32(b"1,2\n" * (size // 4)), len(packed), size)
    local = b"PK\x03\x04" + struct.pack("<HHHHH", 20, 0, 8, 0, 33) + sizes
    local += struct.pack("<HH", 5, 0) + b"0.txt"
    entries = b"".join(
        b"PK\x01\x02"
        + struct.pack("<HHHHHH", 20, 20, 0, 8, 0, 33)
        + sizes
        + struct.pack("<HHHHHII", len(b"%d.txt" % n), 0, 0, 0, 0, 0, 0)
        + b"%d.txt" % n
        for n in range(count)
    )
    place = len(local) + len(packed)
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, count, count, len(entries), place, 0)
    path.write_bytes(local + packed + entries + end)


def claimed_in_zip64(path: Path, claimed: int = 1 << 62) -> None:
    """One stored member of which the long form of the directory says that it is endless."""
    content = b"a,b\n1,2\n"
    longer = struct.pack("<HHQQ", 1, 16, claimed, len(content))
    sizes = struct.pack("<III", zlib.crc32(content), 0xFFFF_FFFF, 0xFFFF_FFFF)
    local = b"PK\x03\x04" + struct.pack("<HHHHH", 45, 0, 0, 0, 33) + sizes
    local += struct.pack("<HH", 1, len(longer)) + b"a" + longer + content
    entry = b"PK\x01\x02" + struct.pack("<HHHHHH", 45, 45, 0, 0, 0, 33) + sizes
    entry += struct.pack("<HHHHHII", 1, len(longer), 0, 0, 0, 0, 0) + b"a" + longer
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(entry), len(local), 0)
    path.write_bytes(local + entry + end)


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
