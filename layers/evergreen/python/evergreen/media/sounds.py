"""WAV, FLAC and OGG recordings read in blocks, so that a long one needs no more memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import soundfile
from numpy.typing import NDArray

from evergreen.media.damage import MediaRefusedError, told

FORMATS = frozenset({"WAV", "WAVEX", "RF64", "FLAC", "OGG"})
WINDOW_SECONDS = 0.025
STEP_SECONDS = 0.010
"""Length of a window of sound, and from one to the next: the usual ones for speech."""

WINDOWS_AT_ONCE = 200
MOST_CHANNELS = 16
SLOWEST, FASTEST = 2_000, 192_000
"""Samples per second between which a recording is taken."""


PIPED = 0x7FFF_F000

UNKNOWN = 2**63 - 1
"""Frames of a FLAC stream that does not say how long it is."""

FIRST_PAGE = b"OggS\0\2"
"""Begins a recording in an OGG file; the library reads the first of several."""


@dataclass(frozen=True)
class Sound:
    """An open recording: `rate` samples per second, `seconds` long."""

    rate: int
    seconds: float
    _file: Any

    @property
    def window(self) -> int:
        """Samples of a window."""
        return round(self.rate * WINDOW_SECONDS)

    def windows(self) -> Iterator[NDArray[np.float32]]:
        """All windows, some at a time, float32 (windows, samples): the mean of the channels.

        A recording shorter than one window is followed by silence. Raises MediaRefusedError.
        """
        step = round(self.rate * STEP_SECONDS)
        overlap = self.window - step
        length = step * WINDOWS_AT_ONCE + overlap
        blocks = self._file.blocks(length, overlap, dtype="float32", always_2d=True)
        for number, block in enumerate(blocks):
            sound = block.mean(axis=1)
            if not np.isfinite(sound).all():
                raise MediaRefusedError("damaged", "holds samples that are no numbers")
            if len(sound) < self.window:
                if number:
                    break
                sound = np.pad(sound, (0, self.window - len(sound)))
            yield np.lib.stride_tricks.sliding_window_view(sound, self.window)[::step]
        if self._file.tell() < self._file.frames:
            told = self._file.tell() / self.rate
            raise MediaRefusedError("damaged", f"breaks off after {told:.2f} seconds")


@contextmanager
def open_sound(file: BinaryIO, seconds: int) -> Iterator[Sound]:
    """Open a recording of at most so many seconds; raises MediaRefusedError, also while reading."""
    try:
        _check_whole(file)
        with soundfile.SoundFile(file) as opened:
            _check(opened, seconds)
            yield Sound(opened.samplerate, opened.frames / opened.samplerate, opened)
    except soundfile.SoundFileError as error:
        said = told(ValueError(getattr(error, "error_string", "")))
        problem = f"is no WAV, FLAC or OGG recording, or a damaged one: {said}"
        raise MediaRefusedError("damaged", problem) from error


def _check_whole(file: BinaryIO) -> None:
    """Refuse what would be read as a shorter one.

    A WAV file that says it is longer than it is, and an OGG file of several recordings.
    """
    head = file.read(8)
    if head[:4] == FIRST_PAGE[:4]:
        _check_single(file)
    length = file.seek(0, os.SEEK_END)
    file.seek(0)
    said = int.from_bytes(head[4:8], "little")
    # What was recorded into a pipe does not know its length and says the greatest number.
    if head[:4] == b"RIFF" and length < said < PIPED:
        raise MediaRefusedError(
            "damaged", f"breaks off: {length:,} of {said + 8:,} bytes are there"
        )


def _check_single(file: BinaryIO) -> None:
    recordings, last = 0, b""
    file.seek(0)
    while chunk := file.read(1 << 20):
        recordings += (last + chunk).count(FIRST_PAGE)
        last = chunk[1 - len(FIRST_PAGE) :]
    if recordings > 1:
        problem = f"holds {recordings:,} recordings one after the other; make each a file"
        raise MediaRefusedError("damaged", problem)


def _check(opened: Any, seconds: int) -> None:
    if opened.format not in FORMATS:
        problem = f"is a recording in the format {opened.format}; WAV, FLAC and OGG are taken"
        raise MediaRefusedError("not_a_recording", problem)
    if not SLOWEST <= opened.samplerate <= FASTEST:
        problem = (
            f"has {opened.samplerate:,} samples per second; {SLOWEST:,} to {FASTEST:,} are taken"
        )
        raise MediaRefusedError("damaged", problem)
    if opened.channels > MOST_CHANNELS:
        problem = f"has {opened.channels:,} channels; at most {MOST_CHANNELS} are taken"
        raise MediaRefusedError("damaged", problem)
    if opened.frames <= 0:
        raise MediaRefusedError("damaged", "holds no sound")
    if opened.frames == UNKNOWN:
        raise MediaRefusedError("damaged", "does not say how long it is; save it anew as a file")
    if opened.frames > seconds * opened.samplerate:
        raise MediaRefusedError("too_long", f"is longer than {seconds:,} seconds; divide it")
