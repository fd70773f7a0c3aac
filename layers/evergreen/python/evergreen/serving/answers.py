"""Predictions as the endpoint answers them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evergreen.features.signature import Signature
from evergreen.serving.requests import PredictRequest

DIGITS = 7
"""What a 32-bit float knows."""

NO_ANSWER = "the model has no finite answer: the numbers are too far from those it learnt from"


def answers(
    predictions: NDArray[np.float64],
    request: PredictRequest,
    signature: Signature,
    model: str,
    new_id: Callable[[], str],
) -> dict[str, Any]:
    """`{"model", "predictions": [{"id", "prediction", "probabilities", "notes", "features"?}]}`.

    `predictions` are probabilities (rows, classes) or values (rows,). A class is answered as its
    text; probabilities are None for regression. Where the model has no finite answer the prediction
    is None, and a note says so. `features` are there if any are looked up: how fresh they are.
    """
    ids = request.ids or tuple(new_id() for _ in request.rows)
    return {
        "model": model,
        "predictions": [
            {"id": name, **_answer(row, signature), "notes": [*notes, *_doubts(row)], **looked_up}
            for name, row, notes, looked_up in zip(
                ids, predictions, request.notes, _features(request), strict=True
            )
        ],
    }


def _features(request: PredictRequest) -> list[dict[str, Any]]:
    if not request.features:
        return [{} for _ in request.rows]
    return [{"features": dict(each)} for each in request.features]


def _doubts(row: NDArray[np.float64] | np.float64) -> tuple[str, ...]:
    return () if np.isfinite(row).all() else (NO_ANSWER,)


def _answer(row: NDArray[np.float64] | np.float64, signature: Signature) -> dict[str, Any]:
    if not np.isfinite(row).all():
        # Numbers far beyond those of training overflow a 32-bit graph. JSON has no word for that.
        return {"prediction": None, "probabilities": None}
    if not signature.classes:
        return {"prediction": float(f"{float(row):.{DIGITS}g}"), "probabilities": None}
    shares = np.asarray(row)
    return {
        "prediction": signature.classes[int(shares.argmax())],
        "probabilities": {
            name: round(float(share), DIGITS)
            for name, share in zip(signature.classes, shares, strict=True)
        },
    }
