"""A picture is opened with care and described by numbers whose names fix what they mean."""

from __future__ import annotations

import warnings
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from evergreen.media import pictures
from evergreen.media.damage import MediaRefusedError
from evergreen.media.picture_numbers import NAMES, describe_picture
from tests.unit.media.files import PIXELS, checkers, picture


def described(content: bytes, pixels: int = PIXELS) -> dict[str, float]:
    return describe_picture(BytesIO(content), pixels)


def refused(content: bytes, pixels: int = PIXELS) -> MediaRefusedError:
    with pytest.raises(MediaRefusedError) as caught:
        described(content, pixels)
    return caught.value


def test_a_number_keeps_its_meaning_or_gets_another_name() -> None:
    """Computed by hand where that can be; a change of the others needs new names."""
    found = described(picture())
    assert tuple(found) == NAMES
    assert len(set(NAMES)) == len(NAMES) == 255
    grey = checkers()[:, :, 0] / 255
    assert found["image.brightness"] == pytest.approx(grey.mean(), abs=1e-5)
    assert found["image.contrast"] == pytest.approx(grey.std(), abs=1e-5)
    assert found["image.red_0"] == pytest.approx((grey < 1 / 8).mean(), abs=1e-6)
    pinned = {
        "image.edges": 0.083659,
        "image.light_r3c5": 0.633824,
        "image.edge_r1c2_0": 0.2,
        "image.edge_r2c0_80": 0.164328,
        "image.texture1_8": 0.04418,
        "image.texture2_8": 0.063636,
    }
    assert {name: found[name] for name in pinned} == pytest.approx(pinned, abs=2e-6)


def test_shares_sum_to_one() -> None:
    found = described(picture())
    for kind in ("red", "green", "blue", "texture1", "texture2"):
        shares = [v for name, v in found.items() if name.startswith(f"image.{kind}_")]
        assert sum(shares) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("where", ["behind it", "in its notes"])
def test_what_a_telephone_puts_beside_a_picture_is_not_drawn(where: str) -> None:
    """A film, a map of depths: as bytes they hold what looks like a scan once in 65,536."""
    content = picture(form="JPEG")
    others = (b"\xff\xda" + bytes(998)) * 300
    if where == "behind it":
        beside = content + others
    else:
        notes = (others[at : at + 60_000] for at in range(0, len(others), 60_000))
        segments = (b"\xff\xe3" + (len(note) + 2).to_bytes(2, "big") + note for note in notes)
        beside = content[:2] + b"".join(segments) + content[2:]
    assert described(beside) == described(content)


@pytest.mark.parametrize("at_once", [1, 2, 3, 7, 1_000])
def test_scans_are_counted_wherever_a_block_of_the_file_ends(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = np.random.default_rng(1)
    content = picture(
        chance.integers(0, 255, (40, 40, 3), np.uint8), "JPEG", progressive=True, comment=b"\xff"
    )
    monkeypatch.setattr(pictures, "MOST_SCANS", 0)
    whole = refused(content).problem
    assert whole.startswith("is drawn in 10 scans")
    monkeypatch.setattr(pictures, "BYTES_AT_ONCE", at_once)
    assert refused(content).problem == whole


def test_edges_tell_directions() -> None:
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::8] = stripes[:, 1::8] = stripes[:, 2::8] = stripes[:, 3::8] = 255
    upright = described(picture(stripes))
    lying = described(picture(np.ascontiguousarray(stripes.transpose(1, 0, 2))))
    assert upright["image.edge_r1c1_0"] > 0.1 > upright["image.edge_r1c1_80"]
    assert lying["image.edge_r1c1_80"] > 0.1 > lying["image.edge_r1c1_0"]


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA", "I;16"])
def test_the_same_picture_in_another_mode_is_the_same(mode: str) -> None:
    grey = Image.fromarray(checkers()).convert("L")
    if mode == "I;16":
        stored = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    else:
        stored = grey.convert(mode)
    expected, found = described(picture()), described(picture(stored))
    assert found == pytest.approx(expected, abs=0.02)


def test_transparent_is_white() -> None:
    clear = Image.new("RGBA", (20, 20), (0, 0, 0, 0))
    assert described(picture(clear))["image.brightness"] == 1
    shown = Image.new("P", (20, 20), 3)
    shown.putpalette([0, 0, 0] * 256)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert described(picture(shown, transparency=3))["image.brightness"] == 1


def test_a_picture_is_turned_as_its_camera_says() -> None:
    upright = Image.fromarray(checkers())
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    turned = described(picture(upright.transpose(Image.Transpose.ROTATE_90), exif=exif))
    assert turned == pytest.approx(described(picture(upright)), abs=1e-6)


def test_a_large_photograph_is_described_as_its_small_copy() -> None:
    small = Image.fromarray(checkers(32, 192, 256))
    large = small.resize((2048, 1536), Image.Resampling.NEAREST)
    found = described(picture(large, "JPEG", quality=95), 4_000_000)
    expected = described(picture(small))
    for name in ("image.brightness", "image.contrast", "image.light_r3c5", "image.edges"):
        assert found[name] == pytest.approx(expected[name], abs=0.02)


def test_one_pixel_is_a_picture() -> None:
    found = described(picture(np.full((1, 1, 3), 255, np.uint8)))
    assert np.isfinite(list(found.values())).all()
    assert found["image.brightness"] == 1


def test_what_is_no_picture_is_refused_by_what_is_wrong() -> None:
    gif = picture(form="GIF")
    assert refused(gif).problem == "is no PNG or JPEG picture"
    assert refused(b"").code == refused(b"\x89PNG\r\n\x1a\n").code == "not_a_picture"
    assert refused(picture()[:100]).problem.startswith("is a damaged picture: ")
    assert refused(picture(), 1_000).problem == "has more than 1,000 pixels; make it smaller"


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    bomb = picture(Image.new("1", (20_000, 20_000)))
    assert len(bomb) < 100_000
    assert refused(bomb).code == "too_many_pixels"


@given(places=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1))
@settings(max_examples=60, deadline=None)
def test_damage_is_refused_or_read_and_never_anything_else(places: list[tuple[int, int]]) -> None:
    for form in ("PNG", "JPEG"):
        content = bytearray(picture(form=form))
        for place, value in places:
            content[place % len(content)] = value
        try:
            found = described(bytes(content))
        except MediaRefusedError as error:
            assert error.problem
        else:
            assert np.isfinite(list(found.values())).all()
