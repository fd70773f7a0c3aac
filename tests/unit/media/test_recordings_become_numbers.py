"""A recording is read in blocks and described by numbers whose names fix what they mean."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evergreen.media.damage import MediaRefusedError
from evergreen.media.sound_numbers import BANDS, NAMES, describe_sound
from tests.unit.media.files import SECONDS, recording, tone


def described(content: bytes, seconds: int = SECONDS) -> dict[str, float]:
    return describe_sound(BytesIO(content), seconds)


def refused(content: bytes, seconds: int = SECONDS) -> MediaRefusedError:
    with pytest.raises(MediaRefusedError) as caught:
        described(content, seconds)
    return caught.value


def loudest_band(found: dict[str, float]) -> int:
    return int(np.argmax([found[f"audio.band{i:02}_mean"] for i in range(BANDS)]))


def test_a_number_keeps_its_meaning_or_gets_another_name() -> None:
    """Known of a tone beforehand where that can be; a change of the others needs new names."""
    found = described(recording())
    assert tuple(found) == NAMES
    assert len(set(NAMES)) == len(NAMES) == 226
    assert found["audio.seconds"] == 0.5
    assert found["audio.loudness_mean"] == pytest.approx(np.log(0.5**2 / 2), abs=0.01)
    assert found["audio.crossings_mean"] == pytest.approx(2 * 440 / 8_000, abs=0.002)
    assert found["audio.centre_mean"] == pytest.approx(0.44, abs=0.01)
    pinned = {
        "audio.band04_mean": -4.146406,
        "audio.band12_mean": -22.961158,
        "audio.mfcc03_mean": 1.780269,
        "audio.mfcc01_quarter2": 13.405341,
    }
    assert {name: found[name] for name in pinned} == pytest.approx(pinned, abs=2e-4)


def test_bands_rise_with_the_tone_whatever_the_rate() -> None:
    for rate in (8_000, 44_100):
        bands = [
            loudest_band(described(recording(tone(hertz, rate=rate), rate=rate)))
            for hertz in (100, 440, 1_500, 3_500)
        ]
        assert bands == sorted(set(bands))
    slow, fast = (described(recording(tone(440, rate=rate), rate=rate)) for rate in (8_000, 44_100))
    assert loudest_band(slow) == loudest_band(fast)
    assert slow["audio.loudness_mean"] == pytest.approx(fast["audio.loudness_mean"], abs=0.01)


@pytest.mark.parametrize("form", ["WAV", "FLAC", "OGG"])
@pytest.mark.parametrize("channels", [1, 2])
def test_formats_and_channels_do_not_matter(form: str, channels: int) -> None:
    sound = np.repeat(tone(440)[:, np.newaxis], channels, axis=1)
    found, expected = described(recording(sound, form)), described(recording())
    for name in ("audio.seconds", "audio.loudness_mean", "audio.band04_mean"):
        assert found[name] == pytest.approx(expected[name], abs=0.02)


def test_blocks_leave_no_seam() -> None:
    steady = described(recording(tone(440, seconds=20)))
    assert steady["audio.loudness_spread"] < 1e-6
    assert steady["audio.crossings_spread"] < 0.01


def test_quarters_tell_beginning_from_end() -> None:
    silent = np.zeros(4_000)
    rising = described(recording(np.concatenate([silent, tone(440)])))
    falling = described(recording(np.concatenate([tone(440), silent])))
    assert rising["audio.mfcc00_quarter1"] < rising["audio.mfcc00_quarter4"]
    assert falling["audio.mfcc00_quarter1"] > falling["audio.mfcc00_quarter4"]


@pytest.mark.parametrize("samples", [1, 7, 200, 281])
def test_a_very_short_recording_is_followed_by_silence(samples: int) -> None:
    found = described(recording(tone(440)[:samples]))
    assert np.isfinite(list(found.values())).all()


def test_what_is_no_recording_is_refused_by_what_is_wrong() -> None:
    for content in (b"", b"R", b"RIFF", b"not a sound at all"):
        assert refused(content).problem.startswith("is no WAV, FLAC or OGG recording")
    assert refused(recording(form="AIFF")).problem == (
        "is a recording in the format AIFF; WAV, FLAC and OGG are taken"
    )
    assert refused(recording(tone(440)[:0])).problem == "holds no sound"
    assert refused(recording(tone(440, 3)), 2).problem == "is longer than 2 seconds; divide it"
    slow = recording(tone(440), rate=1_000)
    assert refused(slow).problem == "has 1,000 samples per second; 2,000 to 192,000 are taken"
    many = recording(np.zeros((50, 20)))
    assert refused(many).problem == "has 20 channels; at most 16 are taken"
    empty = recording(np.full(400, np.nan), subtype="FLOAT")
    assert refused(empty).problem == "holds samples that are no numbers"


@pytest.mark.parametrize("form", ["WAV", "FLAC"])
def test_a_recording_that_breaks_off_is_not_taken_for_a_short_one(form: str) -> None:
    whole = recording(tone(440, 5), form)
    assert refused(whole[: len(whole) * 2 // 3]).code == "damaged"


@given(places=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1))
@settings(max_examples=60, deadline=None)
def test_damage_is_refused_or_read_and_never_anything_else(places: list[tuple[int, int]]) -> None:
    for form in ("WAV", "FLAC", "OGG"):
        content = bytearray(recording(form=form))
        for place, value in places:
            content[place % len(content)] = value
        try:
            found = described(bytes(content))
        except MediaRefusedError as error:
            assert error.problem
        else:
            assert np.isfinite(list(found.values())).all()


def test_several_recordings_in_one_file_are_not_read_as_the_first() -> None:
    one = recording(form="OGG")
    assert described(one)
    assert refused(one * 3).problem.startswith("holds 3 recordings one after the other")


def test_a_stream_without_a_length_is_not_called_a_long_one() -> None:
    content = bytearray(recording(form="FLAC"))
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    assert refused(bytes(content)).problem.startswith("does not say how long it is")
