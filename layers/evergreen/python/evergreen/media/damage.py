"""Why a picture or a recording cannot be described, told so that its owner can repair it."""

from __future__ import annotations


class MediaRefusedError(ValueError):
    """A file is no picture or recording that can be described: a stable code and a sentence."""

    def __init__(self, code: str, problem: str) -> None:
        self.code = code
        self.problem = problem
        super().__init__(problem)
