"""The model card: one page that stands alone, to be read before a model is trusted."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from importlib import resources
from string import Template
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evergreen.evaluation.agreement import TOLERANCE
from evergreen.evaluation.card_charts import (
    predicted_chart,
    reliability_chart,
    residual_chart,
    roc_chart,
    slices_chart,
)
from evergreen.evaluation.evaluation import Evaluation
from evergreen.evaluation.intervals import Measured
from evergreen.evaluation.metric_choice import METRIC_FACTS
from evergreen.features.signature import Column, Kind, Signature
from evergreen.features.training_set import TrainingSet

MOST_CATEGORIES = 12


def render_card(
    project: str,
    model: Mapping[str, Any],
    signature: Signature,
    record: Mapping[str, Any],
    evaluation: Evaluation,
    holdout: TrainingSet,
    predictions: NDArray[Any],
) -> str:
    """HTML without scripts or links; all text from data and project is escaped.

    `model` is what the catalogue knows of it, `record` how its training set was made;
    `predictions` are the graph's for the rows of `holdout`.
    """
    page = Template(resources.files(__package__).joinpath("card.html").read_text("utf-8"))
    parameters = model.get("parameters", {})
    return page.substitute(
        project=escape(project),
        target=escape(signature.target),
        state="sound" if _is_sound(evaluation) else "doubtful",
        sentence=escape(_sentence(evaluation)),
        family=escape(str(model.get("family", ""))).capitalize(),
        model=escape(str(model.get("model", ""))[:12]),
        configuration=escape(
            ", ".join(f"{name} {parameters[name]}" for name in sorted(parameters))
        ),
        tiles=_tiles(model, evaluation),
        rows=f"{evaluation.rows:,}",
        split=escape(_sentence_of(str(record.get("split", "")))),
        metrics="".join(_metric_row(evaluation, name) for name in evaluation.metrics),
        charts=_charts(signature, evaluation, holdout, predictions),
        slices=_slices(evaluation),
        columns="".join(_column_row(column) for column in signature.columns)
        + "".join(_aside_row(name, reason) for name, reason in signature.ignored),
        notes=_notes(record),
    )


def _is_sound(evaluation: Evaluation) -> bool:
    return evaluation.agreement.agrees and _beats_null(evaluation)


def _beats_null(evaluation: Evaluation) -> bool:
    measured, null = _main(evaluation), evaluation.baseline.get(evaluation.metric)
    if measured is None or null is None:
        return False
    facts = METRIC_FACTS[evaluation.metric]
    return facts.better(measured.lower if facts.greater_is_better else measured.upper, null)


def _main(evaluation: Evaluation) -> Measured | None:
    return evaluation.metrics.get(evaluation.metric)


def _sentence(evaluation: Evaluation) -> str:
    measured, name = _main(evaluation), evaluation.metric
    if measured is None:
        return f"{name} is undefined on the {evaluation.rows} rows held out: nothing can be said."
    null = evaluation.baseline.get(name)
    against = f" where the null model has {_digits(null)}" if null is not None else ""
    surely = "surely better" if _beats_null(evaluation) else "not surely better"
    return f"It has {name} {_digits(measured.value)}{against}: {surely} than knowing no column."


def _sentence_of(words: str) -> str:
    text = words.strip()
    return f"{text[0].upper()}{text[1:].rstrip('.')}." if text else ""


def _digits(value: float) -> str:
    """Four digits after the point; of greater numbers two, or none."""
    size = abs(value)
    shown = f"{value:.4f}" if size < 10 else f"{value:,.2f}" if size < 10_000 else f"{value:,.0f}"  # noqa: PLR2004
    return "0.0000" if shown == "-0.0000" else shown


def _tiles(model: Mapping[str, Any], evaluation: Evaluation) -> str:
    measured = _main(evaluation)
    tiles = []
    if measured is not None:
        interval = f"{_digits(measured.lower)} to {_digits(measured.upper)}"
        tiles.append(
            _tile(evaluation.metric, _digits(measured.value), interval, ok=_beats_null(evaluation))
        )
    if evaluation.reliability is not None:
        said = "calibrated after the fit" if model.get("calibrated") else "as the model gives them"
        error = f"{evaluation.reliability.expected_error:.3f}"
        tiles.append(_tile("Calibration error", error, f"probabilities {said}"))
    agreement = evaluation.agreement
    tiles.append(
        _tile(
            "Graph answers as the model",
            "yes" if agreement.agrees else "no",
            f"largest difference {agreement.largest_difference:.1e}, allowed {TOLERANCE:g}",
            ok=agreement.agrees,
        )
    )
    tiles.append(
        _tile("Size", f"{evaluation.size_bytes / 1024:,.0f} KiB", "preprocessing included")
    )
    return "".join(tiles)


def _tile(name: str, value: str, more: str, *, ok: bool = True) -> str:
    state = "tile" if ok else "tile doubtful"
    return (
        f'<div class="{state}"><span>{escape(name)}</span><strong>{escape(value)}</strong>'
        f"<em>{escape(more)}</em></div>"
    )


def _metric_row(evaluation: Evaluation, name: str) -> str:
    measured, null = evaluation.metrics[name], evaluation.baseline.get(name)
    return _row(
        name,
        _digits(measured.value),
        f"{_digits(measured.lower)} to {_digits(measured.upper)}",
        "–" if null is None else _digits(null),
        "greater" if METRIC_FACTS[name].greater_is_better else "smaller",
    )


def _charts(
    signature: Signature, evaluation: Evaluation, holdout: TrainingSet, predictions: NDArray[Any]
) -> str:
    if not len(holdout) or not np.isfinite(predictions).all():
        return ""
    if evaluation.reliability is None:
        return _figure(
            "Predicted and actual", "one dot per row", predicted_chart(holdout.target, predictions)
        ) + _figure(
            "How far it is off",
            f"predicted minus actual, in units of {signature.target}",
            residual_chart(holdout.target, predictions),
        )
    return _figure(
        "What it finds, and what that costs",
        "ROC curve" if len(signature.classes) == 2 else "ROC curves, each class against the rest",  # noqa: PLR2004
        roc_chart(holdout.target, predictions, signature.classes),
    ) + _figure(
        "Whether probabilities mean what they say",
        f"mean distance from perfect {evaluation.reliability.expected_error:.3f}; "
        "each dot is about a tenth of the rows",
        reliability_chart(evaluation.reliability),
    )


def _figure(title: str, more: str, chart: str) -> str:
    return (
        f"<figure><figcaption><b>{escape(title)}</b><em>{escape(more)}</em></figcaption>"
        f"{chart}</figure>"
    )


def _slices(evaluation: Evaluation) -> str:
    measured = _main(evaluation)
    if not evaluation.slices or measured is None:
        return (
            '<p class="muted">No part of the rows held out is large enough to be judged alone.</p>'
        )
    rows = "".join(
        _row(
            each.name,
            f"{each.rows:,}",
            _digits(each.value),
            f"{_digits(each.lower)} to {_digits(each.upper)}",
        )
        for each in evaluation.slices
    )
    return (
        slices_chart(evaluation.metric, measured, evaluation.slices)
        + "<table><thead><tr><th>rows with</th><th>rows</th>"
        + f"<th>{escape(evaluation.metric)}</th><th>95 % interval</th></tr></thead>"
        + f"<tbody>{rows}</tbody></table>"
    )


def _column_row(column: Column) -> str:
    seen = ""
    if column.kind is Kind.CATEGORY:
        shown = ", ".join(column.categories[:MOST_CATEGORIES])
        more = len(column.categories) - MOST_CATEGORIES
        seen = f"{shown} and {more:,} more" if more > 0 else shown
    elif column.kind is Kind.TEXT:
        rarest = ", ".join(f"'{term}'" for term in column.terms[-MOST_CATEGORIES:])
        seen = f"{len(column.terms):,} words and pairs of words, the rarest of them {rarest}"
    elif column.minimum is not None and column.maximum is not None:
        seen = f"{column.minimum:g} to {column.maximum:g}"
    return _row(column.name, column.kind.value, seen)


def _aside_row(name: str, reason: str) -> str:
    return _row(name, "left aside", reason, state=' class="aside"')


def _row(*cells: str, state: str = "") -> str:
    return f"<tr{state}>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"


def _notes(record: Mapping[str, Any]) -> str:
    items = "".join(f"<li>{escape(str(note))}</li>" for note in record.get("notes", ()))
    return (
        f'<h2>Notes of the preparation</h2><div class="card"><ul>{items}</ul></div>'
        if items
        else ""
    )
