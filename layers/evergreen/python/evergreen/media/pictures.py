"""PNG and JPEG pictures opened with care: few pixels in memory, upright, without transparency."""

from __future__ import annotations

import os
import re
import warnings
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from evergreen.media.damage import MediaRefusedError, told

FORMATS = ("PNG", "JPEG")
WORKING_SIDE = 256
"""The longer side of the picture that is described; larger ones are made smaller first."""

SQUARE_SIDE = 64
"""The side of the square that shapes are described in, whatever the picture's own sides."""

MOST_SCANS = 200
"""In which a JPEG is drawn, one over the other; programs make ten. Each takes time for all pixels,
and as few bytes as somebody likes."""

SCAN, END = b"\xda", b"\xd9"
"""Markers of a JPEG: before the data of a scan, and behind the picture."""

MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd7\xff])")
"""One that a length follows, or the end; in the data of a scan none of these can stand."""

BYTES_AT_ONCE = 1 << 20

LARGEST_SAMPLE = 65_535
"""Of a PNG picture with 16 bits."""


@dataclass(frozen=True)
class Picture:
    """Values 0 to 1. `rgb`: float32 (height, width, 3), as the picture is but for its size.

    `square`: float32 (SQUARE_SIDE, SQUARE_SIDE), the grey of the whole picture.
    """

    rgb: NDArray[np.float32]
    square: NDArray[np.float32]

    @property
    def grey(self) -> NDArray[np.float32]:
        """Luma (height, width) of `rgb`, by ITU-R BT.601 as Pillow has it."""
        weights = np.array([0.299, 0.587, 0.114], dtype=np.float32)
        grey: NDArray[np.float32] = self.rgb @ weights
        return grey


def open_picture(file: BinaryIO, pixels: int) -> Picture:
    """Decode a picture of at most so many pixels; raises MediaRefusedError.

    Turned as its EXIF says; transparent parts are white; of several frames the first counts.
    """
    try:
        with warnings.catch_warnings():
            # A picture so large that Pillow warns is refused.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            _refuse_scans(file)
            with Image.open(file, formats=FORMATS) as opened:
                return _picture(opened, pixels)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise MediaRefusedError("too_many_pixels", _too_many(pixels)) from None
    except UnidentifiedImageError:
        raise MediaRefusedError("not_a_picture", "is no PNG or JPEG picture") from None
    except MediaRefusedError:
        raise
    except Exception as error:
        # What Pillow raises for a broken file is not promised, and varies with where it is broken.
        raise MediaRefusedError("damaged", f"is a damaged picture: {told(error)}") from error


def _picture(opened: Image.Image, pixels: int) -> Picture:
    if opened.width * opened.height > pixels:
        raise MediaRefusedError("too_many_pixels", _too_many(pixels))
    # A JPEG can be decoded at an eighth of its size; for all else this does nothing.
    opened.draft("RGB", (2 * WORKING_SIDE, 2 * WORKING_SIDE))
    working = _resizable(opened)
    working.thumbnail((WORKING_SIDE, WORKING_SIDE), Image.Resampling.BOX, reducing_gap=None)
    plain = _opaque(ImageOps.exif_transpose(working))
    square = plain.convert("L").resize((SQUARE_SIDE, SQUARE_SIDE), Image.Resampling.BILINEAR)
    return Picture(_shares(plain), _shares(square))


def _refuse_scans(file: BinaryIO) -> None:
    """Refuse a JPEG of more scans than any program makes."""
    scans = _scans(file) if file.read(2) == b"\xff\xd8" else 0
    file.seek(0)
    if scans > MOST_SCANS:
        problem = f"is drawn in {scans:,} scans; at most {MOST_SCANS} are taken; save it anew"
        raise MediaRefusedError("damaged", problem)


def _scans(file: BinaryIO) -> int:
    """How many scans follow, up to the end of the picture.

    What stands behind that, or in what programs note down beside it, is none, whatever it is like.
    """
    scans, chunk, at = 0, file.read(BYTES_AT_ONCE), 0
    while True:
        found = MARKER.search(chunk, at)
        if found is None or found.end() + 2 > len(chunk):
            more = file.read(BYTES_AT_ONCE)
            if not more:
                return scans
            left = found.start() if found else max(at, len(chunk) - 1)
            chunk, at = chunk[left:] + more, 0
            continue
        if found[1] == END:
            return scans
        scans += found[1] == SCAN
        at = found.end() + int.from_bytes(chunk[found.end() : found.end() + 2], "big")
        if at > len(chunk):
            file.seek(at - len(chunk), os.SEEK_CUR)
            chunk, at = file.read(BYTES_AT_ONCE), 0


def _too_many(pixels: int) -> str:
    return f"has more than {pixels:,} pixels; make it smaller"


def _resizable(opened: Image.Image) -> Image.Image:
    """A picture whose values can be averaged: a palette as its colours, 16 bits as 8."""
    if opened.mode.startswith("I"):
        # Converting would cut values off instead of scaling them.
        values = np.asarray(opened, dtype=np.float32) * np.float32(255 / LARGEST_SAMPLE)
        scaled = Image.fromarray(np.clip(np.round(values), 0, 255).astype(np.uint8))
        scaled.info = dict(opened.info)
        return scaled
    if opened.mode in {"P", "PA", "1"} or "transparency" in opened.info:
        return opened.convert("RGBA" if opened.has_transparency_data else "RGB")
    return opened


def _opaque(picture: Image.Image) -> Image.Image:
    if picture.has_transparency_data:
        layered = picture.convert("RGBA")
        white = Image.new("RGBA", layered.size, "white")
        return Image.alpha_composite(white, layered).convert("RGB")
    return picture.convert("RGB")


def _shares(picture: Image.Image) -> NDArray[np.float32]:
    return np.asarray(picture, dtype=np.float32) / np.float32(255)
