"""The columns of an exploration page: one line each, that opens to all that is known of it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from evergreen.data.exploration_charts import bars, clipped, number, short_name, target_by_group
from evergreen.data.profile import ColumnProfile, Profile
from evergreen.data.relations import Target

MOST_COLUMNS = 1000
"""Lines that a page has; the profile beside it holds all columns."""

MANY_COLUMNS = 60
"""Wider tables show less of each column."""


def column_list(profile: Profile) -> str:
    """An item for each column, in the order of the dataset."""
    wide = len(profile.columns) > MANY_COLUMNS
    return "".join(
        _item(profile, column, place, wide=wide)
        for place, column in enumerate(profile.columns[:MOST_COLUMNS])
    )


def _item(profile: Profile, column: ColumnProfile, place: int, *, wide: bool) -> str:
    missing = column.nulls / profile.rows if profile.rows else 0.0
    strength = column.relation.strength if column.relation else None
    is_target = profile.target is not None and profile.target.column == column.name
    told = "target" if is_target else "" if strength is None else f"{strength:.2f}"
    found = escape(f"{column.name} {column.type}".casefold())
    return (
        f'<li data-f="{found}" data-o="{place}" data-m="{missing:.4f}" data-d="{column.distinct}" '
        f'data-s="{-1 if strength is None else strength:.4f}"><details><summary>'
        f'<span class="nm"><b>{escape(short_name(column.name, 60))}</b> '
        f"<small>{column.type}</small></span>{_shape(profile, column)}"
        f'<span class="sum">{escape(_sentence(column))}</span>'
        f"{_meter(missing, _percent(missing), 'miss')}"
        f'<span class="dis">{_distinct(profile, column)}</span>'
        f"{_meter(strength or 0.0, told, 'rel')}"
        f'</summary><div class="more">{_more(profile, column, wide=wide)}</div></details></li>'
    )


def _meter(share: float, said: str, kind: str) -> str:
    wide = f"{min(1.0, share) * 100:.0f}"
    return f'<span class="{kind}"><i style="--w:{wide}%"></i>{escape(said)}</span>'


def _percent(share: float) -> str:
    if share in {0.0, 1.0}:
        return f"{share:.0%}"
    return "< 0.1%" if share < 0.001 else f"{min(share, 0.999):.1%}"  # noqa: PLR2004


def _distinct(profile: Profile, column: ColumnProfile) -> str:
    about = "" if profile.described_rows == profile.rows or column.distinct < 2 else "≈ "  # noqa: PLR2004
    return f"{about}{column.distinct:,}"


def _shape(profile: Profile, column: ColumnProfile) -> str:
    if column.count == 0:
        return '<span class="mini none">no values</span>'
    levels = in_order(column)
    if levels and column.histogram:
        label = ", ".join(f"{value}: {rows:,}" for value, rows in levels)
        return bars([rows for _, rows in levels], label, gap=2)
    if column.histogram:
        found = column.histogram
        label = f"histogram from {found.edges[0]} to {found.edges[-1]}"
        return bars(found.counts, label, tails=(found.below, found.above))
    if not column.top:
        return f'<span class="mini none">{_distinct(profile, column)} different</span>'
    shown = sum(rows for _, rows in column.top)
    rest = max(0, round(column.count * profile.described_rows / max(1, profile.rows)) - shown)
    label = f"rows of the {len(column.top)} most frequent values; apart: all others"
    tails = (0.0, float(rest)) if column.distinct > len(column.top) else (0.0, 0.0)
    greatest = max(rows for _, rows in column.top)
    return bars([rows for _, rows in column.top], label, tails=(0, min(tails[1], greatest)), gap=2)


def in_order(column: ColumnProfile) -> list[tuple[str, int]]:
    """All values of a column of few different numbers with their rows, the least first; or none."""
    if column.type not in {"integer", "number"} or len(column.top) < column.distinct:
        return []
    return sorted(column.top, key=lambda each: float(each[0]))


def _sentence(column: ColumnProfile) -> str:
    quantiles = column.quantiles or {}
    if column.type in {"number", "integer"} and "0.5" in quantiles:
        ends = f"{_end(column.minimum)} to {_end(column.maximum)}"
        return f"{ends}, median {number(float(quantiles['0.5']))}"
    if column.type in {"date", "timestamp"} and column.minimum is not None:
        return f"{_moment(column.minimum)} to {_moment(column.maximum)}"
    if not column.top:
        length = column.lengths
        return f"texts of {length.shortest} to {length.longest} characters" if length else ""
    total = max(1, column.count)
    described = sum(rows for _, rows in column.top)
    shown = [
        f"{clipped(value, 22) or 'empty text'} {rows / max(total, described):.0%}"
        for value, rows in column.top[:3]
    ]
    return ", ".join(shown)


def _end(value: float | str | None) -> str:
    return number(value) if isinstance(value, float) else str(value)


def _moment(value: float | str | None) -> str:
    return str(value).removesuffix("T00:00:00").replace("T", " ")


def _more(profile: Profile, column: ColumnProfile, *, wide: bool) -> str:
    blocks = [_figures(profile, column)]
    if column.top:
        blocks.append(_top(profile, column, 4 if wide else 10))
    if column.relation and profile.target:
        blocks.append(_relation(profile.target, column, wide=wide))
    return "".join(blocks)


def _figures(profile: Profile, column: ColumnProfile) -> str:
    rows: list[tuple[str, str]] = [
        ("values", f"{column.count:,}"),
        ("missing", f"{column.nulls:,} ({_percent(column.nulls / max(1, profile.rows))})"),
        ("different", _distinct(profile, column)),
    ]
    if column.minimum is not None:
        quantiles = {"0.25": "lower quartile", "0.5": "median", "0.75": "upper quartile"}
        rows.append(("least", _figure(column.minimum)))
        rows += [
            (name, _figure(column.quantiles[share]))
            for share, name in quantiles.items()
            if column.quantiles and share in column.quantiles
        ]
        rows.append(("greatest", _figure(column.maximum)))
    for name, value in (("mean", column.mean), ("spread (std)", column.std)):
        if value is not None:
            rows.append((name, number(value)))
    if column.lengths:
        found = column.lengths
        said = f"{found.shortest} to {found.longest}, median {number(found.median)}"
        rows.append(("characters", said))
    body = "".join(f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in rows)
    return f"<dl>{body}</dl>"


def _figure(value: float | str | None) -> str:
    return number(value) if isinstance(value, float) else _moment(value)


def _top(profile: Profile, column: ColumnProfile, most: int) -> str:
    described = max(1, round(column.count * profile.described_rows / max(1, profile.rows)))
    rows = "".join(
        f'<tr><th scope="row">{escape(clipped(value, 28)) or "<em>empty text</em>"}</th>'
        f"<td>{_meter(count / described, f'{count / described:.1%}', 'share')}</td></tr>"
        for value, count in column.top[:most]
    )
    return f"<table><caption>most frequent</caption>{rows}</table>"


def _relation(target: Target, column: ColumnProfile, *, wide: bool) -> str:
    found = column.relation
    if found is None:
        return ""
    chart = target_by_group(target, found.groups, compact=wide)
    first, last = found.groups[0].label, found.groups[-1].label
    said = [f"{found.method} {found.strength:.2f}"]
    said += [f"Pearson {found.pearson:.2f}"] if found.pearson is not None else []
    said += [f"Spearman {found.spearman:.2f}"] if found.spearman is not None else []
    return (
        f'<figure class="rl"><figcaption>{escape(what_is_drawn(target))}</figcaption>{chart}'
        f'<div class="ends"><span>{escape(clipped(first))}</span>'
        f"<span>{escape(clipped(last))}</span></div><small>{escape(', '.join(said))}</small>"
        "</figure>"
    )


def what_is_drawn(target: Target) -> str:
    """What a chart of the target by groups shows."""
    name = clipped(target.column, 40)
    if not target.classes:
        return f"mean of {name} by its values"
    if len(target.classes) == 2:  # noqa: PLR2004
        return f"share of {name} = {clipped(target.classes[-1])} by its values"
    return f"classes of {name} by its values"


def legend(classes: Sequence[str]) -> str:
    """The colours of more than two classes."""
    if len(classes) <= 2:  # noqa: PLR2004
        return ""
    items = "".join(
        f'<span><i class="k c{place}"></i>{escape(clipped(name))}</span>'
        for place, name in enumerate(classes)
    )
    return f'<p class="legend">{items}</p>'
