"""What can be varied in each family of models: its default, and the values worth trying."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

from evergreen.features.signature import Task
from evergreen.training.trial_record import Scalar

Parameters = dict[str, Scalar]


@dataclass(frozen=True)
class Space:
    """The parameters of a family: where a search starts, and the values of each, in order.

    `not_for` names values that a task cannot use. `cost` orders the families by what their
    graphs weigh and take to answer: of equally good models the cheapest is preferred.
    """

    default: Mapping[str, Scalar]
    values: Mapping[str, tuple[Scalar, ...]]
    cost: int
    not_for: Mapping[Task, Mapping[str, tuple[Scalar, ...]]]

    def choices(self, name: str, task: Task) -> tuple[Scalar, ...]:
        """The values of a parameter that a task can use."""
        barred = self.not_for.get(task, {}).get(name, ())
        return tuple(value for value in self.values[name] if value not in barred)


SPACES: Mapping[str, Space] = {
    "linear": Space(
        default={"strength": 1.0},
        values={"strength": (0.001, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0)},
        cost=0,
        not_for={},
    ),
    "boosting": Space(
        default={
            "learning_rate": 0.1,
            "iterations": 50,
            "leaves": 31,
            "min_leaf": 20,
            "l2": 0.0,
            "categories": "ordinal",
        },
        values={
            "learning_rate": (0.02, 0.05, 0.1, 0.2),
            "iterations": (25, 50, 100, 200),
            "leaves": (6, 15, 31, 63),
            "min_leaf": (5, 10, 20, 50, 100),
            "l2": (0.0, 0.1, 1.0, 10.0),
            "categories": ("ordinal", "target"),
        },
        cost=1,
        # The target encoder's graph exists for one column of target only.
        not_for={Task.MULTICLASS: {"categories": ("target",)}},
    ),
    "forest": Space(
        default={"kind": "random", "trees": 50, "leaves": 128, "min_leaf": 2, "features": 0.4},
        values={
            "kind": ("random", "extra"),
            "trees": (25, 50, 100),
            "leaves": (32, 64, 128, 256),
            "min_leaf": (1, 2, 5, 10, 20),
            "features": (0.2, 0.4, 0.7, 1.0),
        },
        cost=2,
        not_for={},
    ),
}


def variation(
    family: str, base: Mapping[str, Scalar], task: Task, chance: random.Random
) -> Parameters:
    """A configuration near `base`: one or two parameters moved, mostly by one step."""
    space = SPACES[family]
    movable = [name for name in space.values if len(space.choices(name, task)) > 1]
    moved: Parameters = dict(base)
    for name in chance.sample(movable, k=min(len(movable), chance.choice((1, 2)))):
        choices = space.choices(name, task)
        here = choices.index(moved[name])
        steps = [i for i in (here - 1, here + 1) if 0 <= i < len(choices)]
        anywhere = [i for i in range(len(choices)) if i != here]
        near = chance.random() < 0.7  # noqa: PLR2004 - now and then, a long step
        moved[name] = choices[chance.choice(steps if near else anywhere)]
    return moved
