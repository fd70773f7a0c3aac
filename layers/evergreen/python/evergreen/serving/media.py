"""Pictures and recordings in requests: base64 text becomes the numbers that describe them."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from io import BytesIO

from evergreen.data.limits import DEFAULT_LIMITS
from evergreen.media.damage import MediaRefusedError

KINDS = ("image", "audio")
_DATA_URI = re.compile(r"data:[\w/.+-]*;base64,")


def media_of(names: Iterable[str]) -> frozenset[str]:
    """The kinds of media that columns of these names describe: `image.edges` is of an image."""
    prefixes = {name.partition(".")[0] for name in names if "." in name}
    return frozenset(kind for kind in KINDS if kind in prefixes)


def describe(kind: str, encoded: str) -> Mapping[str, float]:
    """The numbers of a picture or a recording in base64, also as a data: URI.

    Raises MediaRefusedError. The libraries that open them are imported here: most models are asked
    with neither.
    """
    try:
        content = base64.b64decode(_DATA_URI.sub("", encoded, count=1), validate=True)
    except (binascii.Error, ValueError):
        raise MediaRefusedError("not_base64", "is no base64 text of a file") from None
    if kind == "image":
        from evergreen.media.picture_numbers import describe_picture

        return describe_picture(BytesIO(content), DEFAULT_LIMITS.pixels)
    from evergreen.media.sound_numbers import describe_sound

    return describe_sound(BytesIO(content), DEFAULT_LIMITS.audio_seconds)
