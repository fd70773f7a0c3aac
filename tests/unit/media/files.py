"""Pictures and recordings that tests make, as the bytes of files."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
import soundfile
from PIL import Image

PIXELS = 1_000_000
SECONDS = 60


def checkers(side: int = 8, height: int = 48, width: int = 64) -> np.ndarray:
    """A picture (height, width, 3) of squares, lighter to the right."""
    rows, columns = np.indices((height, width))
    squares = ((rows // side + columns // side) % 2) * 120 + columns
    return np.repeat(squares.astype(np.uint8)[:, :, np.newaxis], 3, axis=2)


def picture(values: Any = None, form: str = "PNG", **options: Any) -> bytes:
    made = (
        values
        if isinstance(values, Image.Image)
        else Image.fromarray(checkers() if values is None else values)
    )
    buffer = BytesIO()
    made.save(buffer, form, **options)
    return buffer.getvalue()


def tone(hertz: float, seconds: float = 0.5, rate: int = 8_000) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def recording(sound: Any = None, form: str = "WAV", rate: int = 8_000, **options: Any) -> bytes:
    buffer = BytesIO()
    soundfile.write(buffer, tone(440) if sound is None else sound, rate, format=form, **options)
    return buffer.getvalue()
