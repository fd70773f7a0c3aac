"""Which rows to label next: the uncertain ones, some at random, none twice in other words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from evergreen.features.encoding import Encoded
from evergreen.labelling.dissimilarity import Dissimilarity

NEAR = 0.02
"""Rows that differ in less than this share of what could be different are near-identical."""

CANDIDATES_PER_ROW = 20
"""So many of the most uncertain rows are looked at for each that is listed."""

ChosenBy = Literal["uncertainty", "random"]


@dataclass(frozen=True)
class Choice:
    """One row of the list: its place among those that were scored, and why it is listed."""

    row: int
    chosen_by: ChosenBy


def shortlist(
    uncertainty: NDArray[np.float64], encoded: Encoded, rows: int, random: float, seed: int
) -> tuple[Choice, ...]:
    """List about `rows` rows, the share `random` of them drawn from all with equal chance.

    The drawn ones are spread over the list evenly, so that whoever labels only its beginning has
    labelled the same share of them. The others come by falling `uncertainty` (rows,), without
    those that are near-identical to a row that is listed; equally uncertain ones in random order.
    """
    count = min(rows, len(uncertainty))
    draw = np.random.default_rng(seed)
    shuffled = draw.permutation(len(uncertainty))
    drawn = [int(row) for row in shuffled[: round(count * random)]]
    others = shuffled[len(drawn) :]
    ordered = others[np.argsort(-uncertainty[others], kind="stable")]
    ordered = ordered[: (count - len(drawn)) * CANDIDATES_PER_ROW]
    looked_at = np.concatenate([np.array(drawn, dtype=np.int64), ordered])
    dissimilarity = Dissimilarity.of(encoded.take(looked_at))
    chosen = list(range(len(drawn)))
    for place in range(len(drawn), len(looked_at)):
        if len(chosen) == count:
            break
        if not chosen or dissimilarity.of_one(place, chosen).min() >= NEAR:
            chosen.append(place)
    uncertain = [int(looked_at[place]) for place in chosen[len(drawn) :]]
    return _spread(drawn, uncertain)


def _spread(drawn: list[int], uncertain: list[int]) -> tuple[Choice, ...]:
    total = len(drawn) + len(uncertain)
    places = {int((i + 0.5) * total / len(drawn)) for i in range(len(drawn))}
    next_drawn, next_uncertain = iter(drawn), iter(uncertain)
    return tuple(
        Choice(next(next_drawn), "random")
        if place in places
        else Choice(next(next_uncertain), "uncertainty")
        for place in range(total)
    )
