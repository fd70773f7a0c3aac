"""Signatures and capture messages that tests start from."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from evergreen.features.encoding import Encoded
from evergreen.features.signature import Column, Kind, Signature, Task

KINDS = {"age": "number", "city": "category", "seen": "moment", "said": "text"}


def signature(task: Task = Task.BINARY, classes: tuple[str, ...] = ("no", "yes")) -> Signature:
    return Signature(
        target="churned",
        task=task,
        columns=(
            Column("age", Kind.NUMBER),
            Column("city", Kind.CATEGORY),
            Column("seen", Kind.MOMENT),
            Column("said", Kind.TEXT, terms=("good", "not good"), idf=(1.0, 2.0)),
        ),
        classes=() if task is Task.REGRESSION else classes,
    )


def asked(key: str, *, happened_at: str | None = None, **inputs: Any) -> dict[str, Any]:
    return {
        "id": key,
        "inputs": inputs,
        "prediction": "yes",
        "probabilities": {"no": 0.25, "yes": 0.75},
        "happened_at": happened_at,
    }


def message(
    *rows: dict[str, Any],
    asked_at: str = "2013-04-01T12:00:00+00:00",
    model: str = "m1",
    kinds: dict[str, str] | None = None,
) -> dict[str, Any]:
    return {
        "project": "churn",
        "model": model,
        "asked_at": asked_at,
        "kinds": KINDS if kinds is None else kinds,
        "rows": list(rows),
    }


def population(rows: int, seed: int) -> tuple[Encoded, Signature, NDArray[np.float64]]:
    """Rows of a world that does not change, with dependent columns, and probabilities for them."""
    draw = np.random.default_rng(seed)
    income = draw.lognormal(3, 0.5, rows)
    spent = income * draw.beta(2, 5, rows)
    visits = draw.poisson(3, rows).astype(float)
    visits[draw.random(rows) < 0.05] = np.nan
    city = draw.choice(["Oslo", "Rome", "Kyiv", ""], rows, p=[0.5, 0.3, 0.18, 0.02])
    plan = np.where(income + draw.normal(0, 5, rows) > 20, "full", "basic")
    risk = 1 / (1 + np.exp(-(spent - 7) / 3))
    encoded = Encoded(
        np.stack([income, spent, visits], axis=1).astype(np.float32),
        np.stack([city, plan], axis=1).astype(object),
    )
    kinds = {"income": Kind.NUMBER, "spent": Kind.NUMBER, "visits": Kind.NUMBER}
    kinds |= {"city": Kind.CATEGORY, "plan": Kind.CATEGORY}
    columns = tuple(Column(name, kind) for name, kind in kinds.items())
    described = Signature("churned", Task.BINARY, columns, ("no", "yes"))
    return encoded, described, np.stack([1 - risk, risk], axis=1)
