"""Charts of a model card: inline SVG without scripts, links or anything that varies by run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
from numpy.typing import NDArray

from evergreen.evaluation.calibration import Reliability
from evergreen.evaluation.intervals import Measured
from evergreen.evaluation.metric_choice import METRIC_FACTS
from evergreen.evaluation.slices import Slice

COLOURS = ("#2563eb", "#d97706", "#0d9488", "#9333ea", "#db2777", "#4d7c0f", "#94a3b8")
IDEAL_COLOUR = "#94a3b8"
WORST_COLOUR = "#dc2626"

MOST_CURVES = 6
MOST_POINTS = 400
CURVE_POINTS = 120

_SVG = "http://www.w3.org/2000/svg"
_WIDTH, _HEIGHT = 560, 380
_WIDE, _ROW_HEIGHT, _MARGINS = 1100, 30, 70
_LONGEST_LABEL = 44
_IDEAL = {"show_dots": False, "stroke_style": {"width": 1.5, "dasharray": "5, 5"}}


def roc_chart(target: NDArray[Any], probabilities: NDArray[Any], classes: Sequence[str]) -> str:
    """The ROC curve of the positive class; of several classes one each against the rest."""
    places = [1] if len(classes) == 2 else list(range(len(classes)))[:MOST_CURVES]  # noqa: PLR2004
    chart = _chart(
        "XY",
        (*COLOURS[: len(places)], IDEAL_COLOUR),
        x_title="share of the other rows that is flagged too",
        y_title="share of its rows that is found",
        range=(0, 1),
        xrange=(0, 1),
        show_dots=False,
    )
    for place in places:
        curve = roc_points(target == place, probabilities[:, place])
        chart.add(_clipped(classes[place]), curve, stroke_style={"width": 2.5})
    chart.add("by chance", [(0, 0), (1, 1)], **_IDEAL)
    return _inline(chart, "roc")


def roc_points(positive: NDArray[np.bool_], scores: NDArray[Any]) -> list[tuple[float, float]]:
    """Some points (false positive rate, true positive rate) of the curve, ends included.

    Empty where there are no positive or no other rows.
    """
    positives, others = int(positive.sum()), int((~positive).sum())
    if not positives or not others:
        return []
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.diff(scores[order]) != 0, True)
    found = np.cumsum(positive[order])[last] / positives
    flagged = np.cumsum(~positive[order])[last] / others
    chosen = np.unique(np.linspace(0, len(found) - 1, min(len(found), CURVE_POINTS)).astype(int))
    return [(0.0, 0.0), *((float(flagged[i]), float(found[i])) for i in chosen)]


def reliability_chart(found: Reliability) -> str:
    """What was said against what happened."""
    chart = _chart(
        "XY",
        (COLOURS[0], IDEAL_COLOUR),
        x_title="said probability",
        y_title="share that was so",
        range=(0, 1),
        xrange=(0, 1),
        dots_size=5,
    )
    points = [(each.confidence, each.accuracy) for each in found.bins]
    chart.add("this model", points, stroke_style={"width": 2.5})
    chart.add("perfect", [(0, 0), (1, 1)], **_IDEAL)
    return _inline(chart, "reliability")


def predicted_chart(target: NDArray[Any], predictions: NDArray[Any]) -> str:
    """Predicted against actual values of some rows, spread evenly over all."""
    chart = _chart(
        "XY", (COLOURS[0], IDEAL_COLOUR), x_title="actual", y_title="predicted", dots_size=2.5
    )
    chosen = np.linspace(0, len(target) - 1, min(len(target), MOST_POINTS)).astype(int)
    points = [(float(target[i]), float(predictions[i])) for i in chosen]
    chart.add("rows", points, stroke=False)
    ends = [(float(end), float(end)) for end in (target.min(), target.max())]
    chart.add("perfect", ends, **_IDEAL)
    return _inline(chart, "predicted")


def residual_chart(target: NDArray[Any], predictions: NDArray[Any]) -> str:
    """How many rows are how far off."""
    counts, edges = np.histogram(predictions - target, bins=24)
    chart = _chart(
        "Histogram",
        COLOURS[:1],
        x_title="predicted minus actual",
        y_title="rows",
        show_legend=False,
    )
    bars = [
        (int(count), float(low), float(high))
        for count, low, high in zip(counts, edges[:-1], edges[1:], strict=True)
    ]
    chart.add("rows", bars)
    return _inline(chart, "residuals")


def slices_chart(metric: str, everywhere: Measured, slices: Sequence[Slice]) -> str:
    """The metric of all rows and of the worst parts of them, the worst at the bottom."""
    better = METRIC_FACTS[metric].better
    # Bars are drawn from the bottom.
    bars = [
        *(
            (
                each.name,
                each.value,
                WORST_COLOUR if better(everywhere.value, each.value) else IDEAL_COLOUR,
            )
            for each in slices
        ),
        ("all rows", everywhere.value, COLOURS[0]),
    ]
    lowest = min(0.0, *(value for _, value, _ in bars))
    chart = _chart(
        "HorizontalBar",
        (WORST_COLOUR,),
        width=_WIDE,
        height=_MARGINS + _ROW_HEIGHT * len(bars),
        show_legend=False,
        x_title=metric,
        range=(lowest, max(1e-9, *(value for _, value, _ in bars))),
    )
    chart.x_labels = [_clipped(name) for name, _, _ in bars]
    chart.add(metric, [{"value": value, "color": colour} for _, value, colour in bars])
    return _inline(chart, "slices")


def _chart(kind: str, colours: tuple[str, ...], **options: Any) -> Any:
    import pygal  # a fifth of a second, for those who draw only
    from pygal.style import Style

    style = Style(
        background="transparent",
        plot_background="transparent",
        foreground="#475569",
        foreground_strong="#0f172a",
        foreground_subtle="#cbd5e1",
        guide_stroke_color="#e2e8f0",
        major_guide_stroke_color="#cbd5e1",
        font_family="system-ui, sans-serif",
        label_font_size=12,
        major_label_font_size=12,
        legend_font_size=13,
        title_font_size=13,
        opacity="1",
        colors=colours,
    )
    plain = {
        "style": style,
        "js": (),
        "width": _WIDTH,
        "height": _HEIGHT,
        "margin": 8,
        "spacing": 8,
        "legend_at_bottom": True,
        "legend_box_size": 11,
        "value_formatter": lambda value: f"{value:.4g}",
        "min_scale": 3,
        "max_scale": 6,
    }
    return getattr(pygal, kind)(**{**plain, **options})


def _clipped(label: str) -> str:
    return label if len(label) <= _LONGEST_LABEL else label[: _LONGEST_LABEL - 1] + "…"


def _inline(chart: Any, name: str) -> str:
    """SVG text; pygal's scripts, comments, date and random id are taken out."""
    chart.uuid = name
    root = chart.render_tree()
    for parent in root.iter():
        for child in list(parent):
            if child.tag in ("script", f"{{{_SVG}}}script") or not isinstance(child.tag, str):
                parent.remove(child)
    root.set("role", "img")
    return ET.tostring(root, encoding="unicode")
