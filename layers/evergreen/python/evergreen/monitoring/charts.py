"""Charts of a window report: inline SVG without scripts, links or anything that varies by run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from xml.etree import ElementTree as ET

from evergreen.monitoring.drift import Finding
from evergreen.monitoring.shares import Shares

REFERENCE_COLOUR = "#94a3b8"
WINDOW_COLOUR = "#2563eb"
DRIFTED_COLOUR = "#dc2626"
CALM_COLOUR = "#94a3b8"

_SVG = "http://www.w3.org/2000/svg"
_WIDE, _NARROW = 860, 560
_ROW_HEIGHT = 26
_LETTERS_THAT_FIT = 50
_LEAST_SCALE = 0.2
_MARGINS = 60
_LONGEST_LABEL = 28


def effects_chart(findings: Sequence[Finding]) -> str:
    """Bars of the effects, the greatest on top; drifted ones stand out."""
    pygal, style = _pygal((DRIFTED_COLOUR, CALM_COLOUR))
    shown = list(reversed(findings))
    chart = pygal.HorizontalBar(
        **_plain(style, _two_digits),
        width=_WIDE,
        height=_MARGINS + _ROW_HEIGHT * len(shown),
        show_legend=False,
        range=(0, max(_LEAST_SCALE, *(finding.effect for finding in shown))),
    )
    chart.x_labels = [_clipped(finding.name) for finding in shown]
    chart.add(
        "effect",
        [
            {
                "value": finding.effect,
                "color": DRIFTED_COLOUR if finding.drifted else CALM_COLOUR,
            }
            for finding in shown
        ],
    )
    return _inline(chart, "effects")


def shares_chart(name: str, shares: Shares) -> str:
    """Share of the rows per cell, reference beside window; cells that both lack are left out."""
    pygal, style = _pygal((REFERENCE_COLOUR, WINDOW_COLOUR))
    cells = [
        i for i in range(len(shares.labels)) if shares.reference[i] > 0 or shares.window[i] > 0
    ]
    labels = [_clipped(shares.labels[i]) for i in cells]
    chart = pygal.Bar(
        **_plain(style, _whole_percent),
        width=_NARROW,
        height=300,
        x_label_rotation=35 if sum(map(len, labels)) > _LETTERS_THAT_FIT else 0,
        legend_at_bottom=True,
        legend_at_bottom_columns=2,
        legend_box_size=11,
    )
    chart.x_labels = labels
    chart.add("reference", [float(shares.reference[i]) for i in cells])
    chart.add("window", [float(shares.window[i]) for i in cells])
    return _inline(chart, name)


def _two_digits(value: float) -> str:
    return f"{value:.2f}"


def _whole_percent(share: float) -> str:
    return f"{share:.0%}"


def _pygal(colours: tuple[str, ...]) -> tuple[Any, Any]:
    import pygal  # a fifth of a second, for those who draw only
    from pygal.style import Style

    return pygal, Style(
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
        opacity="1",
        colors=colours,
    )


def _plain(style: Any, formatter: Callable[[float], str]) -> dict[str, Any]:
    return {
        "style": style,
        "js": (),
        "margin": 8,
        "spacing": 8,
        "value_formatter": formatter,
        "print_values": False,
        "show_y_guides": True,
        "min_scale": 3,
        "max_scale": 6,
    }


def _clipped(label: str) -> str:
    return label if len(label) <= _LONGEST_LABEL else label[: _LONGEST_LABEL - 1] + "…"


def _inline(chart: Any, name: str) -> str:
    """SVG text; pygal's scripts, comments, date and random id are taken out."""
    chart.uuid = "".join(
        letter if letter.isascii() and letter.isalnum() else "-" for letter in name
    )
    root = chart.render_tree()
    for parent in root.iter():
        for child in list(parent):
            if child.tag in ("script", f"{{{_SVG}}}script") or not isinstance(child.tag, str):
                parent.remove(child)
    root.set("role", "img")
    return ET.tostring(root, encoding="unicode")
