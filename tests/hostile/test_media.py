"""Pictures and recordings that are none, alone and in archives."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image

from tests.hostile.attack import Attack, check, delivered


def picture(kind: str = "PNG", side: int = 32) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (side, side), (200, 100, 50)).save(buffer, kind)
    return buffer.getvalue()


def recording(seconds: float = 0.5) -> bytes:
    buffer = io.BytesIO()
    wave = np.sin(np.arange(int(8_000 * seconds)) / 5)
    soundfile.write(buffer, wave, 8_000, format="WAV")
    return buffer.getvalue()


def large_picture(side: int) -> bytes:
    """A PNG that says it is `side` pixels wide and high, and is packed nothing."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        told = kind + content
        return struct.pack(">I", len(content)) + told + struct.pack(">I", zlib.crc32(told))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(50_000_000), 9)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )


def archive(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in files.items():
            opened.writestr(name, content)
    return buffer.getvalue()


def among(bad: bytes, suffix: str, good: bytes) -> Attack:
    """One bad file of an archive: it alone is refused."""
    folders = {f"{'ab'[n % 2]}/{n}.{suffix}": good for n in range(10)}
    return Attack.of(archive({**folders, f"a/bad.{suffix}": bad}), rows=10, bad=1)


WAV = recording()
DAMAGED = ("damaged", "not_a_table", "not_a_picture", "not_a_recording", "too_many_bad_rows")
MEDIA = {
    "a PNG cut off": Attack.of(picture()[:-30], *DAMAGED),
    "a PNG of its first bytes": Attack.of(b"\x89PNG\r\n\x1a\n", *DAMAGED),
    "a PNG of rubbish": Attack.of(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 99, *DAMAGED),
    "a PNG of 10^10 pixels": Attack.of(large_picture(100_000), "too_many_pixels", *DAMAGED),
    "a JPEG cut off": Attack.of(picture("JPEG")[:200], *DAMAGED),
    "a JPEG of its first bytes": Attack.of(b"\xff\xd8\xff\xe0", *DAMAGED),
    "a WAV of 1 byte": Attack.of(b"R", "no_rows", *DAMAGED),
    "a WAV of its first bytes": Attack.of(b"RIFF", *DAMAGED),
    "a WAV without sound": Attack.of(WAV[:44], *DAMAGED),
    "a WAV that claims 4 GiB": Attack.of(WAV[:4] + b"\xff" * 4 + WAV[8:40] + b"\xff" * 4, *DAMAGED),
    "a WAV of rubbish": Attack.of(b"RIFF" + bytes(range(256)) * 99, *DAMAGED),
    "a FLAC of its first bytes": Attack.of(b"fLaC", *DAMAGED),
    "an Ogg of rubbish": Attack.of(b"OggS" + bytes(range(256)) * 99, *DAMAGED),
    "a damaged PNG among good ones": among(picture()[:-30], "png", picture()),
    "a huge PNG among good ones": among(large_picture(100_000), "png", picture()),
    "a WAV of 1 byte among good ones": among(b"R", "wav", WAV),
    "a WAV cut off among good ones": among(WAV[:40], "wav", WAV),
    "an archive of damaged pictures": Attack.of(
        archive({f"a/{n}.png": picture()[:50] for n in range(10)}), "no_rows", *DAMAGED
    ),
}


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return delivered(MEDIA, tmp_path_factory.mktemp("media"))


@pytest.mark.parametrize("name", MEDIA)
def test_hostile_media_are_answered(reports: dict[str, Any], name: str) -> None:
    check(MEDIA[name], reports[name])
