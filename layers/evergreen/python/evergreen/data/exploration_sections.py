"""The sections of an exploration page that look across columns."""

from __future__ import annotations

from html import escape

from evergreen.data.exploration_charts import (
    bars,
    clipped,
    heat_map,
    number,
    short_name,
    target_by_group,
)
from evergreen.data.exploration_columns import legend, what_is_drawn
from evergreen.data.profile import ColumnProfile, Profile

MOST_RELATIONS = 12
MOST_DRAWN_RELATIONS = 6
MOST_GAPS = 15
MOST_PATTERN_COLUMNS = 12


def target_section(profile: Profile) -> str:
    """How the target is distributed, and what goes with it."""
    target = profile.target
    if target is None:
        return ""
    name = target.column.casefold()
    column = next(each for each in profile.columns if each.name.casefold() == name)
    related = sorted(
        (each for each in profile.columns if each.relation),
        key=lambda each: -each.relation.strength if each.relation else 0.0,
    )
    ranking = "".join(
        f'<tr><th scope="row" title="{escape(each.name)}">{escape(short_name(each.name, 20))}</th>'
        f'<td><span class="share"><i style="--w:{each.relation.strength * 100:.0f}%"></i>'
        f"{each.relation.strength:.2f}</span></td></tr>"
        for each in related[:MOST_RELATIONS]
        if each.relation
    )
    method = related[0].relation.method if related and related[0].relation else ""
    # One group of all values shows nothing.
    drawable = [each for each in related if each.relation and len(each.relation.groups) > 1]
    drawn = "".join(
        f"<figure><figcaption><b>{escape(short_name(each.name, 34))}</b>"
        f"<em>{each.relation.strength:.2f}</em></figcaption>"
        f"{target_by_group(target, each.relation.groups)}"
        f'<div class="ends"><span>{escape(clipped(each.relation.groups[0].label))}</span>'
        f"<span>{escape(clipped(each.relation.groups[-1].label))}</span></div></figure>"
        for each in drawable[:MOST_DRAWN_RELATIONS]
        if each.relation
    )
    stacked = len(target.classes) > 2  # noqa: PLR2004
    marks = "" if stacked else ", the dashed line is all rows, orange has no value"
    return (
        f"<h2>What goes with {escape(clipped(target.column, 60))}</h2>"
        f'<div class="side"><div><figure><figcaption><b>{escape(clipped(target.column, 40))}</b>'
        f"<em>{escape(target_said(profile))}</em></figcaption>{_target_shape(profile, column)}"
        f'</figure><div class="card"><table class="rank"><caption>{escape(method)}, '
        f"{target.rows:,} rows</caption>{ranking}</table></div></div>"
        f'<div><p class="muted">{escape(what_is_drawn(target))}; wider bars have more rows'
        f"{marks}.</p>{legend(target.classes)}"
        f'<section class="grid">{drawn}</section></div></div>'
    )


def _target_shape(profile: Profile, column: ColumnProfile) -> str:
    target = profile.target
    if target is None or not target.classes:
        found = column.histogram
        if found is None:
            return ""
        label = f"histogram of the target from {found.edges[0]} to {found.edges[-1]}"
        tails = (found.below, found.above)
        chart = bars(found.counts, label, tails=tails, size=(340, 150), gap=1.5, kind="by")
        ends = [
            number(edge) if isinstance(edge, float) else edge
            for edge in (found.edges[0], found.edges[-1])
        ]
        return f'{chart}<div class="ends"><span>{ends[0]}</span><span>{ends[1]}</span></div>'
    rows = "".join(
        f'<tr><th scope="row">{escape(clipped(name))}</th>'
        f'<td><span class="share"><i style="--w:{share * 100:.0f}%"></i>{share:.1%}</span></td>'
        "</tr>"
        for name, share in zip(target.classes, target.shares, strict=True)
    )
    return f'<table class="rank">{rows}</table>'


def gap_section(profile: Profile) -> str:
    """What is missing, and what is missing together."""
    gappy = sorted((each for each in profile.columns if each.nulls), key=lambda each: -each.nulls)
    if not gappy:
        return '<p class="calm">Every row has a value in every column.</p>'
    rows = "".join(
        f'<tr><th scope="row" title="{escape(each.name)}">{escape(short_name(each.name, 20))}</th>'
        f'<td><span class="miss"><i style="--w:{each.nulls / profile.rows * 100:.0f}%"></i>'
        f"{each.nulls / profile.rows:.1%}</span></td><td>{each.nulls:,}</td></tr>"
        for each in gappy[:MOST_GAPS]
    )
    more = len(gappy) - MOST_GAPS
    rest = f'<p class="muted">and {more:,} more columns</p>' if more > 0 else ""
    return (
        f'<div class="two"><div class="card"><table class="rank">'
        f"<caption>share and number of rows without a value</caption>{rows}</table>{rest}</div>"
        f"{_patterns(profile)}</div>"
    )


def _patterns(profile: Profile) -> str:
    gaps = profile.gaps
    seen: dict[str, int] = {}
    for pattern in gaps.patterns:
        for name in pattern.columns:
            seen[name] = seen.get(name, 0) + pattern.rows
    names = sorted(seen, key=lambda name: -seen[name])[:MOST_PATTERN_COLUMNS]
    if not names:
        return ""
    heads = "".join(
        f'<th scope="col"><span>{escape(short_name(name, 18))}</span></th>' for name in names
    )
    body = (
        f"<tr><td>{gaps.complete / gaps.rows:.1%}</td>"
        f'<td colspan="{len(names) + 1}" class="muted">nothing is missing</td></tr>'
    )
    for pattern in gaps.patterns:
        there = set(pattern.columns)
        cells = "".join(
            '<td class="x" title="missing">●</td>' if name in there else "<td></td>"
            for name in names
        )
        hidden = len(there - set(names)) + pattern.more
        more = f"+{hidden:,}" if hidden else ""
        body += f"<tr><td>{pattern.rows / gaps.rows:.1%}</td>{cells}<td>{more}</td></tr>"
    return (
        '<div class="card"><table class="patterns"><caption>missing together: each line a share '
        "of the rows, ● what they lack, + other columns</caption>"
        f'<thead><tr><th scope="col">rows</th>{heads}<td></td></tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def correlation_section(profile: Profile) -> str:
    """Columns of numbers, each pair with its correlation."""
    found = profile.likeness.correlations
    if found is None or len(found.columns) < 3:  # noqa: PLR2004
        return ""
    return (
        "<h2>Numbers that rise and fall together</h2>"
        '<div class="card"><p class="muted">Spearman\'s rank correlation: blue rises together, '
        "orange the one as the other falls; the stronger the colour, the closer. "
        f"The {len(found.columns)} most related columns.</p>{heat_map(found)}</div>"
    )


def target_said(profile: Profile) -> str:
    """What the target is, in a few words."""
    target = profile.target
    if target is None:
        return ""
    if not target.classes:
        mean = next(each.mean for each in profile.columns if each.name == target.column)
        return f"a number, mean {number(mean or 0.0)}"
    kinds = "two classes" if len(target.classes) == 2 else f"{len(target.classes)} classes"  # noqa: PLR2004
    return f"{kinds}, {clipped(target.classes[-1], 18)} {target.shares[-1]:.1%}"
