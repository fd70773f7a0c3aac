"""Why a request is refused: the field that is wrong, and how."""

from __future__ import annotations


class RequestInvalidError(ValueError):
    """A request is not valid; `field` is the path of what is wrong, `problem` says how."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}" if field else problem)
        self.field = field
        self.problem = problem
