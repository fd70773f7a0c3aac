"""Parquet files written byte by byte, so that they can lie: the format's Thrift, as far as needed.

See https://parquet.apache.org/docs/file-format/ and Thrift's compact protocol.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import zstandard

I32, I64, BINARY, LIST, STRUCT = 5, 6, 8, 9, 12
PLAIN, RLE_DICTIONARY, RLE = 0, 8, 3
BYTE_ARRAY, UTF8, REQUIRED = 6, 0, 0
ZSTD = 6

Field = tuple[int, int, Any]


def varint(value: int) -> bytes:
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*written, value])


def zigzag(value: int) -> bytes:
    return varint((value << 1) ^ (value >> 63))


def struct_of(*fields: Field) -> bytes:
    """A Thrift struct in the compact protocol."""
    written, last = b"", 0
    for number, kind, value in fields:
        step = number - last
        head = bytes([step << 4 | kind]) if step < 16 else bytes([kind]) + zigzag(number)
        written += head + value_of(kind, value)
        last = number
    return written + b"\0"


def value_of(kind: int, value: Any) -> bytes:
    if kind in {I32, I64}:
        return zigzag(value)
    if kind == BINARY:
        return varint(len(value)) + value
    if kind == LIST:
        inner, items = value
        size = len(items)
        head = bytes([size << 4 | inner]) if size < 15 else bytes([0xF0 | inner]) + varint(size)
        return head + b"".join(value_of(inner, item) for item in items)
    return bytes(value)  # a struct, written before


def column_of_one_text(text: bytes, rows: int, *, page_bytes: int | None = None) -> bytes:
    """A file with a column `a` that holds one text `rows` times, in a few bytes.

    `page_bytes` is what the page claims to unpack to, if not the truth.
    """
    pack = zstandard.ZstdCompressor(level=19).compress
    value = struct.pack("<I", len(text)) + text
    dictionary = page(2, page_bytes or len(value), pack(value), (7, ((1, I32, 1), (2, I32, PLAIN))))
    # Bit width 1, then a run of `rows` times index 0.
    run = b"\x01" + varint(rows << 1) + b"\0"
    levels = (1, I32, rows), (2, I32, RLE_DICTIONARY), (3, I32, RLE), (4, I32, RLE)
    data = page(0, len(run), pack(run), (5, levels))
    chunk = struct_of(
        (1, I32, BYTE_ARRAY),
        (2, LIST, (I32, [PLAIN, RLE_DICTIONARY, RLE])),
        (3, LIST, (BINARY, [b"a"])),
        (4, I32, ZSTD),
        (5, I64, rows),
        (6, I64, len(value) + len(run)),
        (7, I64, len(dictionary) + len(data)),
        (9, I64, 4 + len(dictionary)),
        (11, I64, 4),
    )
    group = struct_of(
        (1, LIST, (STRUCT, [struct_of((2, I64, 4), (3, STRUCT, chunk))])),
        (2, I64, len(value) + len(run)),
        (3, I64, rows),
    )
    return file_of(dictionary + data, [b"a"], rows, [group])


def page(kind: int, unpacked: int, packed: bytes, header: tuple[int, Sequence[Field]]) -> bytes:
    number, fields = header
    return (
        struct_of(
            (1, I32, kind),
            (2, I32, unpacked),
            (3, I32, len(packed)),
            (number, STRUCT, struct_of(*fields)),
        )
        + packed
    )


def file_of(pages: bytes, columns: Sequence[bytes], rows: int, groups: Sequence[bytes]) -> bytes:
    """A file with these pages and a footer that says these things."""
    root = struct_of((4, BINARY, b"schema"), (5, I32, len(columns)))
    leaves = [
        struct_of((1, I32, BYTE_ARRAY), (3, I32, REQUIRED), (4, BINARY, name), (6, I32, UTF8))
        for name in columns
    ]
    footer = struct_of(
        (1, I32, 1),
        (2, LIST, (STRUCT, [root, *leaves])),
        (3, I64, rows),
        (4, LIST, (STRUCT, list(groups))),
    )
    return b"PAR1" + pages + footer + struct.pack("<I", len(footer)) + b"PAR1"
