"""How large an upload may be, in every direction in which one can be too large."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from evergreen.data.refusal import Reason, UploadRefusedError

MIB = 1 << 20


class LimitsInvalidError(ValueError):
    """A setting of limits is no list of `name=value` with known names and positive numbers."""


@dataclass(frozen=True)
class Limits:
    """What is taken at most; every refusal names the limit that was passed and how to change it.

    The defaults keep the function that ingests within its memory (3,008 MB), its scratch disk
    (10 GB) and its time (15 minutes).
    """

    upload_bytes: int = 4096 * MIB
    """Bytes of the object itself."""

    expanded_bytes: int = 4096 * MIB
    """Bytes of what is packed in gzip, zstd or zip; of a workbook or an archive, all together."""

    expansion_ratio: int = 250
    """How many times larger than the object that may be; looked at from `small_bytes` on."""

    small_bytes: int = 64 * MIB
    """What expands to less is harmless, however well it was packed."""

    members: int = 50_000
    """Files in one archive."""

    rows: int = 100_000_000
    columns: int = 2_000

    cell_bytes: int = 2_000_000
    """Bytes of one value; of delimited text and plain text, those of one line."""

    record_bytes: int = 16 * MIB
    """Bytes of one JSON record."""

    json_depth: int = 64
    """How deep objects and lists may be nested in a JSON record."""

    footer_bytes: int = 16 * MIB
    """Bytes of the footer of a Parquet file, and of the directory of a zip archive."""

    seconds: int = 600
    """How long all of it may take, from its first byte to its last row."""

    helper_memory_bytes: int = 1536 * MIB
    """What a process of its own may hold that reads a workbook or the footer of a Parquet file."""

    helper_seconds: int = 300
    """How long such a process may take."""

    pixels: int = 50_000_000
    """Width times height of one picture."""

    audio_seconds: int = 600
    """Length of one recording."""

    @staticmethod
    def from_setting(text: str) -> Limits:
        """The defaults, changed by a setting such as `columns=20000 cell_bytes=8000000`.

        Raises LimitsInvalidError.
        """
        known = [field.name for field in fields(Limits)]
        changed: dict[str, Any] = {}
        for pair in text.replace(",", " ").split():
            name, _, value = pair.partition("=")
            if name not in known:
                raise LimitsInvalidError(f"'{name}' is no limit; there are {', '.join(known)}")
            if not value.isdecimal() or int(value) == 0:
                raise LimitsInvalidError(f"'{pair}': a limit is a whole number above 0")
            changed[name] = int(value)
        return Limits(**changed)

    def refuse(self, limit: str, what: str, line: int | None = None) -> UploadRefusedError:
        """The error for something beyond a limit: `what` says which thing and how large it is."""
        value = getattr(self, limit)
        message = f"{what}; at most {value:,} are taken ({limit} of the setting UPLOAD_LIMITS)"
        return UploadRefusedError([Reason(CODES[limit], message, line=line)])


CODES = {
    "upload_bytes": "too_large",
    "expanded_bytes": "too_large",
    "expansion_ratio": "bomb",
    "members": "too_many_members",
    "rows": "too_many_rows",
    "columns": "too_many_columns",
    "cell_bytes": "too_long",
    "record_bytes": "too_long",
    "json_depth": "too_deep",
    "footer_bytes": "bomb",
    "seconds": "too_slow",
    "helper_memory_bytes": "bomb",
    "helper_seconds": "bomb",
    "pixels": "too_many_pixels",
    "audio_seconds": "too_long",
}
"""Limit → the code of the reason when it is passed."""

DEFAULT_LIMITS = Limits()
