"""The small charts of an exploration page: inline SVG of a few hundred bytes each.

Colours are classes of the page's style, so that they follow light and dark. pygal, which draws
cards and reports, writes six to ten kilobytes a chart: two hundred columns would be two megabytes
(docs/decisions/040-exploration-page.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from evergreen.data.likeness import Correlations
from evergreen.data.relations import MISSING, Group, Target

MOST_COLOURS = 7
LEAST_TOLD = 0.005
"""Classes with a smaller share of a group are not told."""

FEWEST_PLACES = 8
"""Bars are never wider than if there were so many."""

TAIL_PLACES = 1.5
"""How much room values far from the others take, the distance included."""


def bars(
    counts: Sequence[float],
    label: str,
    *,
    tails: tuple[float, float] = (0, 0),
    size: tuple[int, int] = (168, 34),
    gap: float = 1,
    kind: str = "mini",
) -> str:
    """Bars of counts side by side; `tails` stand apart at both ends."""
    width, height = size
    greatest = max([*counts, *tails, 1e-300])
    before, after = (TAIL_PLACES if tail else 0.0 for tail in tails)
    step = min(width / (len(counts) + before + after), width / FEWEST_PLACES)
    body = _path(
        "b",
        _bars(
            [step * (before + at) for at in range(len(counts))],
            counts,
            greatest,
            step - gap,
            height,
        ),
    )
    ends = [0.0, step * (before + len(counts) + after - 1)]
    body += _path("t", _bars(ends, tails, greatest, step - gap, height))
    return (
        f'<svg class="{kind}" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{escape(label)}">{body}</svg>'
    )


def _bars(
    places: Sequence[float], counts: Sequence[float], greatest: float, width: float, height: int
) -> str:
    """The path of the bars that are not empty; what is there is at least half a unit high."""
    drawn = []
    for place, count in zip(places, counts, strict=True):
        if count > 0:
            tall = max(0.8, count / greatest * (height - 1))
            drawn.append(f"M{_n(place)} {height}v-{_n(tall)}h{_n(width)}v{_n(tall)}z")
    return "".join(drawn)


def _path(kind: str, drawn: str) -> str:
    return f'<path class="{kind}" d="{drawn}"/>' if drawn else ""


def target_by_group(
    target: Target,
    groups: Sequence[Group],
    *,
    compact: bool = False,
    size: tuple[int, int] = (340, 104),
) -> str:
    """The target within each group: its mean, the share of the second of two classes, or of all.

    A dashed line shows all rows; wider groups have more rows. `compact` leaves out what is told
    of each group when it is pointed at.
    """
    width, height = size
    if not groups:
        return ""
    gap, least = 2.0, 5.0
    spare = width - gap * (len(groups) - 1) - least * len(groups)
    rows = sum(group.rows for group in groups)
    scale = _scale(target, groups)
    place = 0.0
    drawn: list[str] = []
    together: dict[str, str] = {}
    for group in groups:
        wide = least + spare * group.rows / rows
        shapes = _group(target, group, (place, wide), height, scale)
        if compact:
            for kind, shape in shapes:
                together[kind] = together.get(kind, "") + shape
        else:
            paths = "".join(_path(kind, shape) for kind, shape in shapes)
            drawn.append(f"<g><title>{escape(_told(target, group))}</title>{paths}</g>")
        place += wide + gap
    drawn += [_path(kind, shape) for kind, shape in together.items()]
    said = f"{target.column} by group, {len(groups)} groups"
    return (
        f'<svg class="by" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(said)}">'
        f"{''.join(drawn)}{_overall(target, width, height, scale)}</svg>"
    )


def _scale(target: Target, groups: Sequence[Group]) -> tuple[float, float]:
    """The least and the greatest value of the vertical axis."""
    if target.classes:
        if len(target.classes) > 2:  # noqa: PLR2004
            return 0.0, 1.0
        return 0.0, max(1e-9, target.shares[-1], *(group.shares[-1] for group in groups)) * 1.08
    values = [target.mean or 0.0, *(group.mean or 0.0 for group in groups)]
    low, high = min(0.0, *values), max(0.0, *values)
    return (low, high) if high > low else (0.0, 1.0)


def _group(
    target: Target,
    group: Group,
    place: tuple[float, float],
    height: int,
    scale: tuple[float, float],
) -> list[tuple[str, str]]:
    """The kind and the path of each shape of a group, at `place`: where it begins, how wide."""
    if len(target.classes) > 2:  # noqa: PLR2004
        shapes, low = [], 0.0
        for number_of_class, share in enumerate(group.shares):
            tall = share * height
            if tall >= 0.1:  # noqa: PLR2004
                colour = f"c{number_of_class % MOST_COLOURS}"
                shapes.append((colour, _box(place, height - low - tall, tall)))
            low += tall
        return shapes
    value = group.shares[-1] if target.classes else group.mean or 0.0
    low, high = scale
    unit = height / (high - low)
    zero = height + low * unit
    tall = max(1.0, abs(value) * unit)
    kind = "m" if group.label == MISSING else "b"
    return [(kind, _box(place, zero - tall if value >= 0 else zero, tall))]


def _overall(target: Target, width: int, height: int, scale: tuple[float, float]) -> str:
    if len(target.classes) > 2:  # noqa: PLR2004
        return ""
    value = target.shares[-1] if target.classes else target.mean or 0.0
    low, high = scale
    level = height - (value - low) / (high - low) * height
    return f'<path class="o" d="M0 {_n(level)}H{width}"/>'


def _told(target: Target, group: Group) -> str:
    if not target.classes:
        return f"{clipped(group.label)}: mean {number(group.mean or 0.0)}, {group.rows:,} rows"
    shown = zip(target.classes, group.shares, strict=True)
    shares = ", ".join(
        f"{clipped(name, 16)} {share:.0%}" for name, share in shown if share >= LEAST_TOLD
    )
    return f"{clipped(group.label)}: {shares}; {group.rows:,} rows"


def heat_map(correlations: Correlations) -> str:
    """Rank correlations of all pairs: the stronger, the less transparent; blue rises together."""
    names = correlations.columns
    cell, left, top = 26, 150, 120
    width, height = left + cell * len(names) + 110, top + cell * len(names)
    drawn = []
    for row, values in enumerate(correlations.matrix):
        name = escape(short_name(names[row], 20))
        y = top + cell * row
        drawn.append(f'<text x="{left - 8}" y="{y + 17}" text-anchor="end">{name}</text>')
        x = left + cell * row + 17
        drawn.append(f'<text transform="translate({x} {top - 8}) rotate(-50)">{name}</text>')
        for column, value in enumerate(values[:row]):
            if value is None:
                continue
            other = escape(short_name(names[column], 20))
            drawn.append(
                f'<rect class="{"c0" if value >= 0 else "c1"}" x="{left + cell * column + 1}" '
                f'y="{y + 1}" width="{cell - 2}" height="{cell - 2}" rx="4" '
                f'fill-opacity="{max(0.04, abs(value)):.2f}">'
                f"<title>{name} and {other}: {value:.2f}</title></rect>"
            )
    said = f"rank correlations of {len(names)} columns of numbers"
    return (
        f'<svg class="heat" viewBox="0 0 {width} {height}" style="max-width:{width}px" '
        f'role="img" aria-label="{said}">{"".join(drawn)}</svg>'
    )


def clipped(text: str, most: int = 28) -> str:
    """A text that is not longer than `most` characters."""
    return text if len(text) <= most else text[: most - 1] + "…"


def short_name(name: str, most: int) -> str:
    """A name of at most `most` characters, cut in its middle: columns often differ at the end.

    >>> short_name("measured_temperature_12", 16)
    'measured…ture_12'
    """
    after = (most - 1) // 2
    return name if len(name) <= most else f"{name[: most - 1 - after]}…{name[-after:]}"


def number(value: float) -> str:
    """A number with four significant digits, as people write it."""
    size = abs(value)
    if value == int(value) and size < 1e9:  # noqa: PLR2004
        return f"{int(value):,}" if size >= 1e4 else str(int(value))  # noqa: PLR2004
    if size >= 1e6 or size < 1e-3:  # noqa: PLR2004
        return f"{value:.3g}"
    return f"{value:,.0f}" if size >= 1e4 else f"{value:.4g}"  # noqa: PLR2004


def _box(place: tuple[float, float], top: float, tall: float) -> str:
    x, wide = place
    return f"M{_n(x)} {_n(top)}h{_n(wide)}v{_n(tall)}h-{_n(wide)}z"


def _n(value: float) -> str:
    """A coordinate of a tenth of a unit."""
    return f"{value:.1f}".removesuffix(".0")
