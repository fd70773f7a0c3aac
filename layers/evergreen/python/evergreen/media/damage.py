"""Why a picture or a recording cannot be described, told so that its owner can repair it."""

from __future__ import annotations


def told(error: Exception) -> str:
    r"""What a library says of a broken file, as a message for people may hold it.

    >>> told(ValueError("Error : flac decoder lost sync.")), told(KeyError(17))
    ('flac decoder lost sync', 'it cannot be decoded')
    """
    said = str(error).removeprefix("Error : ").removeprefix("Error in ").rstrip(".")
    plain = said and said.isprintable() and not isinstance(error, LookupError)
    return said if plain and "Error" not in said else "it cannot be decoded"


class MediaRefusedError(ValueError):
    """A file is no picture or recording that can be described: a stable code and a sentence."""

    def __init__(self, code: str, problem: str) -> None:
        self.code = code
        self.problem = problem
        super().__init__(problem)
