"""Changes in words: what became of a variable between reference and window."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evergreen.monitoring.joint import Change
from evergreen.monitoring.shares import short
from evergreen.monitoring.variables import Variable

SMALL_SHARE = 0.1
NOTABLE_MISSING = 0.01
"""A change of the missing share is told from one percentage point on."""


def change_of(variable: Variable) -> str:
    """Say it in a few words: `median 31 → 45, missing 0 % → 12 %` or `'Oslo' 10 % → 34 %`."""
    return _of_number(variable) if variable.kind == "number" else _of_category(variable)


def change_of_correlation(change: Change) -> str:
    """Say which pair and how: `correlation of 'age' and 'income' 0.61 → 0.12`."""
    return (
        f"correlation of '{change.first}' and '{change.second}'"
        f" {change.reference:.2f} → {change.window:.2f}"
    )


def percent(share: float) -> str:
    """Write a share for people, with a decimal where it is small."""
    return f"{share:.0%}" if share >= SMALL_SHARE or share == 0 else f"{share:.1%}"


def _of_number(variable: Variable) -> str:
    sides = (variable.reference, variable.window)
    missing = [float(np.isnan(side).mean()) for side in sides]
    known = [side[~np.isnan(side)] for side in sides]
    said = []
    if all(side.size for side in known):
        said.append(_of_values(known[0], known[1]))
    if abs(missing[0] - missing[1]) >= NOTABLE_MISSING or not said:
        said.append(f"missing {percent(missing[0])} → {percent(missing[1])}")
    return ", ".join(said)


def _of_values(reference: NDArray[Any], window: NDArray[Any]) -> str:
    medians = [short(np.median(side)) for side in (reference, window)]
    if medians[0] != medians[1]:
        return f"median {medians[0]} → {medians[1]}"
    means = [short(side.mean()) for side in (reference, window)]
    return f"median {medians[0]} as before, mean {means[0]} → {means[1]}"


def _of_category(variable: Variable) -> str:
    sides = [Counter(side.tolist()) for side in (variable.reference, variable.window)]
    rows = [max(len(side), 1) for side in (variable.reference, variable.window)]

    def shares(name: str) -> tuple[float, float]:
        return sides[0][name] / rows[0], sides[1][name] / rows[1]

    def change(name: str) -> float:
        before, after = shares(name)
        return abs(before - after)

    name = max(sorted(sides[0] | sides[1]), key=change)
    before, after = shares(name)
    said = f"'{name}'" if name else "missing"
    return (
        f"{said} is new: {percent(after)}"
        if before == 0 and name
        else f"{said} {percent(before)} → {percent(after)}"
    )
