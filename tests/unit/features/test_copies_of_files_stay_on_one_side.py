"""A picture or a recording and its near copies are never learned from and judged by."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance, ImageOps

from evergreen.features import media_likeness
from evergreen.features.columnar import Columnar
from evergreen.features.duplicates import find_duplicates
from evergreen.media.grids import PICTURE_GRID, SIDE, SOUND_GRID
from evergreen.media.picture_numbers import describe_picture
from evergreen.media.sound_numbers import describe_sound
from tests.unit.features.workshop import Workshop
from tests.unit.media.files import PIXELS, SECONDS, picture, recording

RATE = 16_000


def photograph(chance: np.random.Generator) -> Image.Image:
    """Large and small patches of light, as photographs have them: amplitude falls as 1 / f."""
    height, width = 90, 120
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(height), np.fft.fftfreq(width), indexing="ij"))
    frequency[0, 0] = np.inf
    waves = np.fft.fft2(chance.normal(size=(height, width))) / frequency
    light = np.fft.ifft2(waves).real
    light = 128 + 45 * (light - light.mean()) / light.std()
    return Image.fromarray(np.clip(light, 0, 255).astype(np.uint8)).convert("RGB")


def cropped(made: Image.Image, share: float) -> Image.Image:
    x, y = round(made.width * share), round(made.height * share)
    return made.crop((x, y, made.width - x, made.height - y))


PICTURE_COPIES: dict[str, Callable[[Image.Image], bytes]] = {
    "as JPEG": lambda made: picture(made, "JPEG", quality=60),
    "half the size": lambda made: picture(made.resize((60, 45))),
    "larger": lambda made: picture(made.resize((180, 135)), "JPEG", quality=80),
    "brighter": lambda made: picture(ImageEnhance.Brightness(made).enhance(1.15)),
    "less contrast": lambda made: picture(ImageEnhance.Contrast(made).enhance(0.8)),
    "cropped": lambda made: picture(cropped(made, 0.03), "JPEG", quality=85),
    "mirrored": lambda made: picture(ImageOps.mirror(made)),
    "grey": lambda made: picture(made.convert("L")),
}


def utterance(chance: np.random.Generator) -> np.ndarray:
    """A sentence: syllables of changing pitch and formants."""
    made = []
    for _ in range(chance.integers(8, 16)):
        time = np.arange(round(RATE * chance.uniform(0.1, 0.25))) / RATE
        pitch = chance.uniform(90, 250)
        sound = sum(
            np.sin(2 * np.pi * pitch * n * time) / (1 + ((pitch * n - formant) / 200) ** 2)
            for formant in chance.uniform(250, 1_900, 2)
            for n in range(1, 12)
        )
        made.append(chance.uniform(0.3, 1) * np.hanning(len(time)) * sound)
    whole = np.concatenate(made)
    louder: np.ndarray = 0.5 * whole / np.abs(whole).max()
    return louder


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(RATE * seconds))


SOUND_COPIES: dict[str, Callable[[np.ndarray], bytes]] = {
    "FLAC": lambda sound: recording(sound, "FLAC", RATE),
    "Vorbis": lambda sound: recording(sound, "OGG", RATE),
    "Opus": lambda sound: recording(sound, "OGG", RATE, subtype="OPUS"),
    "8 bits": lambda sound: recording(sound, rate=RATE, subtype="PCM_U8"),
    "half the rate": lambda sound: recording((sound[:-1:2] + sound[1::2]) / 2, rate=RATE // 2),
    "quieter": lambda sound: recording(0.2 * sound, rate=RATE),
    "clipped": lambda sound: recording(np.clip(2.5 * sound, -1, 1), rate=RATE),
    "silence before": lambda sound: recording(np.concatenate([silence(0.3), sound]), rate=RATE),
    "silence after": lambda sound: recording(np.concatenate([sound, silence(0.3)]), rate=RATE),
    "stereo": lambda sound: recording(np.column_stack([sound, 0.5 * sound]), rate=RATE),
}


def light_of(content: bytes) -> list[float]:
    found = describe_picture(BytesIO(content), PIXELS)
    return [found[name] for name in PICTURE_GRID]


def levels_of(content: bytes) -> list[float]:
    found = describe_sound(BytesIO(content), SECONDS)
    return [found[name] for name in SOUND_GRID]


def pairs(grids: Any, *, mirrored: bool) -> set[tuple[int, int]]:
    found = media_likeness.pairs_of_alike(np.array(grids, dtype=np.float32), mirrored=mirrored)
    return {(int(a), int(b)) for a, b in found}


def test_the_copies_of_pictures_are_found_and_no_others() -> None:
    chance = np.random.default_rng(1)
    made = [photograph(chance) for _ in range(80)]
    whole = [light_of(picture(each)) for each in made]
    assert pairs(whole, mirrored=True) == set()
    for name, copy in PICTURE_COPIES.items():
        copies = [light_of(copy(each)) for each in made[:20]]
        expected = {(place, 80 + place) for place in range(20)}
        assert pairs(whole + copies, mirrored=True) == expected, name


def test_the_copies_of_recordings_are_found_and_no_others() -> None:
    chance = np.random.default_rng(2)
    made = [utterance(chance) for _ in range(80)]
    whole = [levels_of(recording(each, rate=RATE)) for each in made]
    assert pairs(whole, mirrored=False) == set()
    for name, copy in SOUND_COPIES.items():
        copies = [levels_of(copy(each)) for each in made[:20]]
        expected = {(place, 80 + place) for place in range(20)}
        assert pairs(whole + copies, mirrored=False) == expected, name


def test_a_recording_played_backwards_is_another() -> None:
    chance = np.random.default_rng(3)
    made = [utterance(chance) for _ in range(40)]
    backwards = [levels_of(recording(each[::-1], rate=RATE)) for each in made]
    whole = [levels_of(recording(each, rate=RATE)) for each in made]
    assert pairs(whole + backwards, mirrored=False) == set()


@given(seed=st.integers(0, 10**6), rows=st.sampled_from([30, 300, 2_000]), smooth=st.booleans())
@settings(max_examples=15, deadline=None)
def test_unrelated_grids_are_no_copies(seed: int, rows: int, smooth: bool) -> None:  # noqa: FBT001
    grids = np.random.default_rng(seed).normal(size=(rows, SIDE, SIDE))
    if smooth:
        # Of fewer different directions, so that two are more often nearly the same.
        near = [np.roll(grids, (r, c), (1, 2)) for r in range(3) for c in range(3)]
        grids = np.sum(near, axis=0)
    assert pairs(0.1 * grids.reshape(rows, -1), mirrored=True) == set()


def test_what_all_pictures_share_makes_no_copies_of_them() -> None:
    chance = np.random.default_rng(4)
    vignette = -np.hypot(*(np.indices((SIDE, SIDE)) - 3.5)) / 5
    grids = vignette.ravel() + 0.03 * chance.normal(size=(200, SIDE * SIDE))
    grids[100] = grids[0] + 0.002 * chance.normal(size=SIDE * SIDE)
    assert np.corrcoef(grids[:100])[np.triu_indices(100, 1)].min() > 0.9
    assert pairs(grids, mirrored=True) == {(0, 100)}


def test_regular_patterns_are_no_copies_of_each_other() -> None:
    """Tiles of a brick wall, among photographs: alike in the few waves that bricks make."""
    chance = np.random.default_rng(9)
    wave = np.cos(np.pi / SIDE * (np.arange(SIDE) + 0.5) * 4)
    bricks = 0.2 * np.outer(wave, np.ones(SIDE)).ravel()
    grids = 0.1 * chance.normal(size=(200, SIDE * SIDE))
    grids[:8] = bricks + 0.03 * chance.normal(size=(8, SIDE * SIDE))
    assert pairs(grids, mirrored=True) == set()


def test_plain_pictures_and_rows_without_one_are_no_copies() -> None:
    chance = np.random.default_rng(5)
    grids = np.concatenate(
        [
            0.5 + 0.01 * np.tile(chance.normal(size=SIDE * SIDE), (10, 1)),
            np.full((10, SIDE * SIDE), np.nan),
            0.2 * chance.normal(size=(10, SIDE * SIDE)),
        ]
    )
    assert pairs(grids, mirrored=True) == set()


@pytest.mark.parametrize("rows", [0, 1, 2, 3])
def test_few_rows_are_no_trouble(rows: int) -> None:
    grids = np.random.default_rng(6).normal(size=(rows, SIDE * SIDE))
    assert pairs(grids, mirrored=True) == set()


def test_a_cloud_of_pictures_is_let_go_and_the_copies_beside_it_are_kept() -> None:
    chance = np.random.default_rng(7)
    grids = 0.2 * chance.normal(size=(400, SIDE * SIDE))
    # A camera that hardly moves, and one picture twice.
    grids[:60] = grids[0] + 0.02 * chance.normal(size=(60, SIDE * SIDE))
    grids[399] = grids[398] + 0.002 * chance.normal(size=SIDE * SIDE)
    numbers = np.arange(400, dtype=np.float32)[:, np.newaxis]
    encoded = Columnar(numbers, np.zeros((400, 0), dtype=np.int32), ())
    found = find_duplicates(encoded, [(grids.astype(np.float32), True)])
    assert len(np.unique(found.copies)) == 399
    assert found.copies[398] == found.copies[399]
    assert any(note.startswith("60 pictures or recordings are alike") for note in found.notes)


def test_no_copy_of_a_picture_straddles_the_holdout(workshop: Workshop) -> None:
    chance = np.random.default_rng(8)
    made = [photograph(chance) for _ in range(120)]
    copies = [PICTURE_COPIES["cropped"](each) for each in made[:60]]
    contents = [picture(each) for each in made] + copies
    described = [describe_picture(BytesIO(content), PIXELS) for content in contents]
    columns = ", ".join(
        f'unnest({[row[name] for row in described]!r}) AS "{name}"' for name in described[0]
    )
    query = f"SELECT unnest(range(180)) % 60 % 3 = 0 AS y, {columns}"
    prepared = workshop.prepare(query)
    held = prepared.training_set.holdout
    assert (held[:60] == held[120:]).all()
    assert prepared.holdout.together.rows == 120
    # With the light dropped there is nothing left to tell them by.
    dropped = workshop.prepare(query, {"drop": list(PICTURE_GRID)})
    assert dropped.holdout.together.rows == 0
