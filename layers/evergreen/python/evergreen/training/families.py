"""The families of models: how the pipeline of each is built from rows and parameters.

Every choice here is one whose ONNX graph was measured to answer as the pipeline does: trees see
unscaled numbers, boosting sees NaN itself, categories are texts with '' for missing, and what was
never seen in training is no error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler, TargetEncoder

from evergreen.features.encoding import Encoded
from evergreen.features.signature import Task
from evergreen.training.trial_record import Scalar

Parameters = Mapping[str, Scalar]

MOST_ONE_HOT = 40
"""Categories per column that get an indicator of their own; rarer ones count as unknown."""

MOST_ORDINAL = 2_000
"""Categories per column that get a code of their own; rarer ones count as unknown."""

UNKNOWN_CODE = -1

ROWS_PER_TREE = 8_000
"""Rows drawn for each tree of a random forest: with so few leaves, more change only the time."""


def build(family: str, parameters: Parameters, task: Task, rows: Encoded, seed: int) -> Pipeline:
    """An unfitted pipeline of a family, for rows that look like these.

    The rows are looked at for their categories only; `as_table` makes the input that it takes.
    """
    return FAMILIES[family](parameters, task, rows, seed % 2**32)


def as_table(rows: Encoded) -> NDArray[Any]:
    """The rows as one array: the columns of `numbers`, then those of `categories`."""
    if rows.categories.shape[1] == 0:
        return rows.numbers.astype(np.float64)
    plain = rows.numbers.shape[1] - rows.terms
    table = np.full((len(rows), rows.numbers.shape[1] + rows.categories.shape[1]), 0.0, object)
    table[:, :plain] = rows.numbers[:, :plain]
    # Most weights are 0: as one shared object they cost a pointer each, not a number each.
    weights = rows.numbers[:, plain:]
    places = np.nonzero(weights)
    table[:, plain : plain + rows.terms][places] = weights[places]
    table[:, plain + rows.terms :] = rows.categories
    return table


def _linear(parameters: Parameters, task: Task, rows: Encoded, seed: int) -> Pipeline:
    numbers = Pipeline(
        [
            ("missing", SimpleImputer(strategy="median")),
            ("scale", StandardScaler()),
        ]
    )
    categories = OneHotEncoder(
        categories=_frequent(rows, MOST_ONE_HOT), handle_unknown="ignore", sparse_output=False
    )
    strength = _number(parameters["strength"])
    model = (
        Ridge(alpha=1.0 / strength)
        if task is Task.REGRESSION
        else LogisticRegression(C=strength, max_iter=500, random_state=seed)
    )
    return Pipeline([("columns", _columns(rows, numbers, categories)), ("model", model)])


def _forest(parameters: Parameters, task: Task, rows: Encoded, seed: int) -> Pipeline:
    kind = (str(parameters["kind"]), task is Task.REGRESSION)
    # Extra trees draw no bootstrap; each sees every row.
    drawn = (
        {"max_samples": ROWS_PER_TREE} if kind[0] == "random" and len(rows) > ROWS_PER_TREE else {}
    )
    model = {
        ("random", False): RandomForestClassifier,
        ("random", True): RandomForestRegressor,
        ("extra", False): ExtraTreesClassifier,
        ("extra", True): ExtraTreesRegressor,
    }[kind](
        n_estimators=int(_number(parameters["trees"])),
        max_leaf_nodes=int(_number(parameters["leaves"])),
        min_samples_leaf=int(_number(parameters["min_leaf"])),
        max_features=_number(parameters["features"]),
        n_jobs=1,
        random_state=seed,
        **drawn,
    )
    numbers = SimpleImputer(strategy="median")
    return Pipeline([("columns", _columns(rows, numbers, _ordinal(rows))), ("model", model)])


def _boosting(parameters: Parameters, task: Task, rows: Encoded, seed: int) -> Pipeline:
    kind = (
        HistGradientBoostingRegressor if task is Task.REGRESSION else HistGradientBoostingClassifier
    )
    model = kind(
        learning_rate=_number(parameters["learning_rate"]),
        max_iter=int(_number(parameters["iterations"])),
        max_leaf_nodes=int(_number(parameters["leaves"])),
        min_samples_leaf=int(_number(parameters["min_leaf"])),
        l2_regularization=_number(parameters["l2"]),
        early_stopping=False,
        random_state=seed,
    )
    encoders: dict[Scalar, Callable[[], Any]] = {
        "ordinal": lambda: _ordinal(rows),
        "target": lambda: _target_encoder(task, seed),
    }
    columns = _columns(rows, "passthrough", encoders[parameters["categories"]]())
    return Pipeline([("columns", columns), ("model", model)])


FAMILIES: Mapping[str, Callable[[Parameters, Task, Encoded, int], Pipeline]] = {
    "linear": _linear,
    "forest": _forest,
    "boosting": _boosting,
}


def settle(pipeline: Pipeline) -> Pipeline:
    """Round a fitted pipeline's constants so that 32-bit floats hold them; return it.

    Rows are 32-bit floats, and so are the constants of a graph. A threshold between two
    neighbouring floats, rounded to the nearest, lands on the upper one and sends it the other
    way: rounded *down*, it parts the same rows (measured on a column around 1e6: 0.33 of
    difference in a probability before, 2e-7 after). A mean that a float holds exactly loses
    nothing when it is subtracted.
    """
    scaler = _scaler(pipeline)
    if scaler is not None:
        scaler.mean_ = scaler.mean_.astype(np.float32).astype(np.float64)
        scaler.scale_ = scaler.scale_.astype(np.float32).astype(np.float64)
    # scikit-learn has no public door to the trees of histogram boosting.
    for trees in getattr(pipeline[-1], "_predictors", ()):
        for tree in trees:
            tree.nodes["num_threshold"] = _rounded_down(tree.nodes["num_threshold"])
    return pipeline


def _rounded_down(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The greatest 32-bit float that is not above each value."""
    nearest = values.astype(np.float32)
    below = np.nextafter(nearest, np.float32(-np.inf))
    return np.where(nearest.astype(np.float64) > values, below, nearest).astype(np.float64)


def _scaler(pipeline: Pipeline) -> StandardScaler | None:
    numbers = pipeline["columns"].named_transformers_.get("numbers")
    return numbers["scale"] if isinstance(numbers, Pipeline) else None


def _columns(rows: Encoded, numbers: object, categories: object) -> ColumnTransformer:
    """Numbers and categories, each through its own transformer; none for what has no columns.

    Weights of terms are on one scale already, on which being rare counts more: they stay so.

    A number that is missing in all of these rows is left out: in a fold that looks forward in
    time a column may not have begun yet, and histogram boosting cannot bin nothing.
    """
    k, m = rows.numbers.shape[1], rows.categories.shape[1]
    plain = k - rows.terms
    known = np.flatnonzero(~np.isnan(rows.numbers[:, :plain]).all(axis=0)).tolist()
    parts = [
        ("numbers", numbers, known),
        ("terms", "passthrough", list(range(plain, k))),
        ("categories", categories, list(range(k, k + m))),
    ]
    return ColumnTransformer([part for part in parts if part[2]])


def _ordinal(rows: Encoded) -> OrdinalEncoder:
    return OrdinalEncoder(
        categories=_frequent(rows, MOST_ORDINAL),
        handle_unknown="use_encoded_value",
        unknown_value=UNKNOWN_CODE,
    )


def _target_encoder(task: Task, seed: int) -> TargetEncoder:
    """Told what the target is: a target of whole numbers would be taken for classes."""
    if task is Task.REGRESSION:
        return TargetEncoder(target_type="continuous", cv=KFold(5, shuffle=True, random_state=seed))
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    return TargetEncoder(target_type="binary", cv=folds)


def _frequent(rows: Encoded, most: int) -> list[NDArray[np.object_]]:
    """Per column its most frequent categories, the most frequent first, equals by name."""
    frequent = []
    for column in rows.categories.T:
        names, counts = np.unique(column.astype(str), return_counts=True)
        frequent.append(names[np.lexsort((names, -counts))][:most].astype(object))
    return frequent


def _number(value: Scalar) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"a number is needed, not {value!r}")
    return float(value)
