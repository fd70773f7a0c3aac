"""Why a training set cannot be made: which step, which column, which value, what next."""

from __future__ import annotations


class PreparationRefusedError(ValueError):
    """The declared preparation does not fit the data; the message says what to change.

    `step` counts the declared steps from 1 and is None outside of them; `kind` is its key.
    `row` counts the rows of the dataset from 1.
    """

    def __init__(
        self,
        problem: str,
        *,
        step: int | None = None,
        kind: str | None = None,
        column: str | None = None,
        value: str | None = None,
        row: int | None = None,
    ) -> None:
        self.problem = problem
        self.step = step
        self.kind = kind
        self.column = column
        self.value = value
        self.row = row
        where = f"step {step} ({kind}): " if step else ""
        super().__init__(where + problem)

    def saying(self, more: str) -> PreparationRefusedError:
        """The same refusal with more behind its problem."""
        return PreparationRefusedError(
            self.problem + more, column=self.column, value=self.value, row=self.row
        )

    def at(self, step: int, kind: str) -> PreparationRefusedError:
        """The same refusal, said of a step."""
        return PreparationRefusedError(
            self.problem,
            step=step,
            kind=kind,
            column=self.column,
            value=self.value,
            row=self.row,
        )
