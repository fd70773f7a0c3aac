"""Pictures and recordings made to harm are refused by themselves, beside others that are taken."""

from __future__ import annotations

import io
import random
import struct
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

import pytest
from PIL import Image

from tests.hostile.attack import Attack, check, delivered
from tests.unit.media.files import picture, recording, tone

INNOCENT: Mapping[str, bytes] = {f"a/{i}.png": picture() for i in range(9)}
RUBBISH = bytes(range(256)) * 99
HEARD: Mapping[str, bytes] = {f"a/{i}.wav": recording() for i in range(9)}


def packed(*collections: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for files in collections:
            for name, content in files.items():
                archive.writestr(name, content)
    return buffer.getvalue()


def pixels(side: int) -> bytes:
    return picture(Image.new("1", (side, side)))


def chunk(kind: bytes, content: bytes) -> bytes:
    checked = kind + content
    return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))


def with_texts(count: int, length: int) -> bytes:
    """A picture with compressed texts that are large when they are read."""
    content = picture()
    texts = chunk(b"zTXt", b"k\0\0" + zlib.compress(b"x" * length)) * count
    return content[:33] + texts + content[33:]


def drawn_over(scans: int) -> bytes:
    """A JPEG of a megapixel whose last scan is there so many times."""
    content = picture(Image.new("L", (1_000, 1_000), 128), "JPEG", progressive=True, optimize=True)
    last, end = content.rindex(b"\xff\xda"), content.rindex(b"\xff\xd9")
    tables = content.rindex(b"\xff\xc4", 0, last)
    return content[:end] + content[tables:end] * scans + content[end:]


def scrambled(content: bytes, seed: int) -> bytes:
    chance = random.Random(seed)  # noqa: S311
    changed = bytearray(content)
    for _ in range(20):
        changed[chance.randrange(8, len(changed))] = chance.randrange(256)
    return bytes(changed)


def claimed_channels() -> bytes:
    content = bytearray(recording())
    content[22:24] = struct.pack("<H", 65_535)
    return bytes(content)


def of_unknown_length() -> bytes:
    """A FLAC as a pipe writes it: its number of samples is 0."""
    content = bytearray(recording(form="FLAC"))
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    return bytes(content)


def claimed_seconds() -> bytes:
    content = bytearray(recording())
    content[4:8] = content[40:44] = struct.pack("<I", 0xFFFF_FF00)
    return bytes(content)


ATTACKS = {
    "a picture of 400 million pixels": Attack.of(pixels(20_000), "too_many_pixels"),
    "a picture of 10^18 pixels": Attack.of(
        picture()[:8]
        + chunk(b"IHDR", struct.pack(">IIBBBBB", 10**9, 10**9, 8, 2, 0, 0, 0))
        + picture()[33:],
        "too_many_pixels",
    ),
    "a picture with texts of 2 GB": Attack.of(with_texts(200, 10_000_000), "damaged"),
    "a picture drawn 100,000 times": Attack.of(drawn_over(100_000), "damaged"),
    "a picture drawn as often as programs do": Attack.of(drawn_over(10), rows=1),
    "a picture cut off": Attack.of(picture()[:100], "damaged"),
    "a picture cut off near its end": Attack.of(picture(form="JPEG")[:-30], "damaged"),
    "a mark and no picture": Attack.of(b"\xff\xd8\xff", "not_a_picture"),
    "a mark and rubbish": Attack.of(b"\x89PNG\r\n\x1a\n" + RUBBISH, "not_a_picture"),
    "a recording of 65,535 channels": Attack.of(claimed_channels(), "damaged"),
    "a recording that claims 4 GB, as from a pipe": Attack.of(claimed_seconds(), rows=1),
    "a recording of 11 minutes": Attack.of(recording(tone(440, 660), "FLAC"), "too_long"),
    "a recording that does not say how long it is": Attack.of(of_unknown_length(), "damaged"),
    "recordings in a chain": Attack.of(recording(form="OGG") * 3, "damaged"),
    "a recording of one byte": Attack.of(b"R", "no_rows"),
    "a recording of its mark": Attack.of(b"fLaC", "damaged"),
    "a recording of half a mark": Attack.of(b"RIFF", "not_a_table"),
    "a recording of half a mark and rubbish": Attack.of(b"RIFF" + RUBBISH, "not_a_table"),
    "a recording of rubbish": Attack.of(b"OggS" + RUBBISH, "damaged"),
    "a recording without sound": Attack.of(recording()[:44], "damaged"),
    "a recording that claims 4 GB and ends": Attack.of(
        recording()[:4] + b"\xff" * 4 + recording()[8:40] + b"\xff" * 4, "damaged"
    ),
    "a recording cut off beside others": Attack.of(
        packed(HEARD, {"cut.wav": recording()[:40]}), rows=9, bad=1
    ),
    "pictures that are all cut off": Attack.of(
        packed({f"{i}.png": picture()[:50] for i in range(9)}), "no_rows", "damaged"
    ),
    "a recording of one byte beside others": Attack.of(
        packed(HEARD, {"one.wav": b"R"}), rows=9, bad=1
    ),
    "scrambled pictures": Attack.of(
        packed({f"{i}.png": scrambled(picture(), i) for i in range(50)}),
        *("no_rows", "damaged", "not_a_picture", "too_many_pixels", "too_many_bad_rows"),
    ),
    "scrambled recordings": Attack.of(
        packed({f"{i}.flac": scrambled(recording(form="FLAC"), i) for i in range(50)}),
        *("no_rows", "damaged", "not_a_recording", "too_long", "too_many_bad_rows"),
    ),
    "a picture that leads out": Attack.of(
        packed(INNOCENT, {"../../pwned.png": picture()}), "odd_member"
    ),
    "a zip of zips of pictures": Attack.of(packed({"inner.zip": packed(INNOCENT)}), "nested"),
}


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return delivered(ATTACKS, tmp_path_factory.mktemp("media"))


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_by_picture_or_sound_is_answered(reports: dict[str, Any], name: str) -> None:
    check(ATTACKS[name], reports[name])
