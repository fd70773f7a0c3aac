"""A recording as named numbers: its spectrum, how it moves, its loudness. Nothing is fitted."""

from __future__ import annotations

from functools import lru_cache
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from evergreen.media.grids import SIDE, SOUND_GRID
from evergreen.media.sounds import Sound, open_sound

BANDS = 32
LOWEST_HERTZ, HIGHEST_HERTZ = 60.0, 8_000.0
"""Where the bands begin and end; those beyond half the sampling rate are silent."""

COEFFICIENTS = 13
QUARTERS = 4
"""The recording is also divided so, because words and sounds have a beginning and an end."""

VOICED = slice(1, 1 + 2 * SIDE)
"""The bands from 180 Hz to 2 kHz, which every codec and telephone keeps (Haitsma and Kalker, *A
highly robust audio fingerprinting system*, 2002, take 300 Hz to 2 kHz)."""

DEPTH = 30.0
"""Decibels below the loudest; what is less loud is lost in the noise of 8 bits or of a room."""

SILENCE = 1e-10
"""Power (of 1 at full scale) below which there is nothing to hear: 100 dB down."""

DIGITS = 6
"""Decimals that are kept: what is stored, sent and captured is the same number."""

NAMES: tuple[str, ...] = (
    "audio.seconds",
    *(
        f"audio.{what}_{how}"
        for what in ("loudness", "crossings", "centre")
        for how in ("mean", "spread")
    ),
    *(f"audio.band{i:02}_{how}" for how in ("mean", "spread") for i in range(BANDS)),
    *(
        f"audio.mfcc{i:02}_{how}"
        for how in ("mean", "spread", "change")
        for i in range(COEFFICIENTS)
    ),
    *(f"audio.mfcc{i:02}_quarter{q + 1}" for q in range(QUARTERS) for i in range(COEFFICIENTS)),
    *SOUND_GRID,
)
"""What the numbers are called, in order."""


def describe_sound(file: BinaryIO, seconds: int) -> dict[str, float]:
    """Open a recording of at most so many seconds and describe it; raises MediaRefusedError."""
    with open_sound(file, seconds) as sound:
        values = numbers_of(sound)
    return {name: round(float(v), DIGITS) for name, v in zip(NAMES, values, strict=True)}


def numbers_of(sound: Sound) -> NDArray[np.float64]:
    """The numbers in the order of NAMES; float64 (names,)."""
    spectra, shapes = [], []
    for windows in sound.windows():
        power = _power(windows)
        spectra.append(np.log(_bands(sound.rate, power.shape[1]) @ power.T + SILENCE).T)
        shapes.append(_shape(windows, power, sound.rate))
    bands, shape = np.concatenate(spectra), np.concatenate(shapes)
    coefficients = bands @ _cosines().T
    changes = np.abs(np.diff(coefficients, axis=0)) if len(coefficients) > 1 else coefficients * 0
    quarters = [
        part.mean(axis=0) if len(part) else coefficients.mean(axis=0)
        for part in np.array_split(coefficients, QUARTERS)
    ]
    return np.concatenate(
        [
            [sound.seconds],
            np.column_stack([shape.mean(axis=0), shape.std(axis=0)]).ravel(),
            bands.mean(axis=0),
            bands.std(axis=0),
            coefficients.mean(axis=0),
            coefficients.std(axis=0),
            changes.mean(axis=0),
            *quarters,
            _levels(np.exp(bands[:, VOICED])),
        ]
    )


def _levels(power: NDArray[np.float64]) -> NDArray[np.float64]:
    """A grid of loudness in equal times and bands, 0 to 1 from DEPTH below its loudest place up.

    `power`: (windows, 2 * SIDE). Of the recording that part counts that is between the first and
    the last window within DEPTH of the loudest one: silence around it changes nothing.
    """
    total = power.sum(axis=1)
    sounds = np.flatnonzero(total >= total.max() * 10 ** (-DEPTH / 10))
    pairs = power[sounds[0] : sounds[-1] + 1].reshape(-1, SIDE, 2).sum(axis=2)
    # Shares of a window count where a time begins within it.
    running = np.concatenate([np.zeros((1, SIDE)), np.cumsum(pairs, axis=0)])
    ends = np.linspace(0, len(pairs), SIDE + 1)
    before = np.column_stack([np.interp(ends, np.arange(len(running)), c) for c in running.T])
    decibels = 10 * np.log10(np.maximum(np.diff(before, axis=0), SILENCE))
    levels: NDArray[np.float64] = np.maximum(1 + (decibels - decibels.max()) / DEPTH, 0)
    return levels.ravel()


def _power(windows: NDArray[np.float32]) -> NDArray[np.float64]:
    """Power spectra (windows, frequencies) under a Hann window, alike for all lengths of window."""
    hann = np.hanning(windows.shape[1])
    spectra = np.fft.rfft(windows * hann, axis=1)
    scale = (hann**2).sum() * windows.shape[1]
    power: NDArray[np.float64] = (spectra.real**2 + spectra.imag**2) / scale
    return power


def _shape(
    windows: NDArray[np.float32], power: NDArray[np.float64], rate: int
) -> NDArray[np.float64]:
    """Log power, share of changes of sign, and centre of the spectrum in kHz; (windows, 3)."""
    loudness = np.log((windows.astype(np.float64) ** 2).mean(axis=1) + SILENCE)
    crossings = (np.diff(np.signbit(windows), axis=1)).mean(axis=1)
    frequencies = np.fft.rfftfreq(windows.shape[1], 1 / rate) / 1_000
    centre = (power @ frequencies) / (power.sum(axis=1) + SILENCE)
    return np.column_stack([loudness, crossings, centre])


@lru_cache(maxsize=8)
def _bands(rate: int, frequencies: int) -> NDArray[np.float64]:
    """Triangular filters, equally far apart in mel: 2595 log10(1 + f / 700) (O'Shaughnessy 1987).

    (BANDS, frequencies), each with the sum of 1; a filter that falls between two frequencies takes
    the nearest of them. Filters beyond half the rate are 0.
    """
    centres = np.linspace(0, rate / 2, frequencies)
    ends = np.array([LOWEST_HERTZ, HIGHEST_HERTZ])
    low, high = 2595 * np.log10(1 + ends / 700)
    hertz = 700 * (10 ** (np.linspace(low, high, BANDS + 2) / 2595) - 1)
    filters = np.zeros((BANDS, frequencies))
    for band in range(BANDS):
        left, middle, right = hertz[band : band + 3]
        if middle > rate / 2:
            continue
        rising = (centres - left) / (middle - left)
        falling = (right - centres) / (right - middle)
        filters[band] = np.maximum(np.minimum(rising, falling), 0)
        if not filters[band].any():
            filters[band, np.argmin(np.abs(centres - middle))] = 1
        filters[band] /= filters[band].sum()
    return filters


@lru_cache(maxsize=1)
def _cosines() -> NDArray[np.float64]:
    """The orthonormal DCT-II that makes cepstral coefficients (Davis and Mermelstein 1980)."""
    order, band = np.indices((COEFFICIENTS, BANDS))
    cosines = np.sqrt(2 / BANDS) * np.cos(np.pi / BANDS * (band + 0.5) * order)
    cosines[0] /= np.sqrt(2)
    made: NDArray[np.float64] = cosines
    return made
