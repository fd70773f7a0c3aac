"""The exploration page: one dataset version on one page that stands alone, made to be looked at."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources
from string import Template

from evergreen.data.exploration_advice import join_table, suggestion_table
from evergreen.data.exploration_charts import short_name
from evergreen.data.exploration_columns import MOST_COLUMNS, column_list
from evergreen.data.exploration_sections import (
    correlation_section,
    gap_section,
    target_said,
    target_section,
)
from evergreen.data.join_keys import JoinSuggestion
from evergreen.data.profile import Profile
from evergreen.data.suggestions import suggest_features

MOST_NOTICES = 20
SEVERITIES = ("refuse", "quarantine", "warn", "note")


@dataclass(frozen=True)
class Notice:
    """Something about the version that a person should know: an anomaly, a broken rule, a note."""

    severity: str
    message: str
    where: str = ""


def render_exploration(
    project: str,
    dataset: str,
    version: str,
    profile: Profile,
    *,
    quarantined_rows: int = 0,
    notices: Sequence[Notice] = (),
    joins: Sequence[JoinSuggestion] = (),
) -> str:
    """HTML without links or anything from elsewhere; all text that came with data is escaped.

    Its one script, which sorts and searches the list of columns, is named by its hash in the
    page's content security policy: no other can run.
    """
    package = resources.files(__package__)
    page = Template(package.joinpath("exploration.html").read_text("utf-8"))
    script = package.joinpath("exploration.js").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    shown = min(len(profile.columns), MOST_COLUMNS)
    return page.substitute(
        project=escape(project),
        dataset=escape(dataset),
        version=escape(version[:12]),
        sentence=escape(_sentence(profile)),
        described=_described(profile),
        tiles=_tiles(profile, quarantined_rows),
        notices=_notices(notices),
        suggestions=suggestion_table(suggest_features(profile)),
        joins=join_table(joins),
        target=target_section(profile),
        gaps=gap_section(profile),
        correlations=correlation_section(profile),
        columns=column_list(profile),
        shown=f"{shown:,} of {len(profile.columns):,} columns"
        if shown < len(profile.columns)
        else f"{shown:,} columns",
        relation_head="" if profile.target else " hidden",
        script=script,
        script_hash=digest,
    )


def _sentence(profile: Profile) -> str:
    cells = profile.rows * len(profile.columns)
    missing = sum(column.nulls for column in profile.columns) / cells if cells else 0.0
    gaps = "no value is missing" if missing == 0 else f"{missing:.1%} of the values are missing"
    return f"{_several(profile.rows, 'row')} of {_several(len(profile.columns), 'column')}; {gaps}."


def _several(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _described(profile: Profile) -> str:
    if profile.described_rows == profile.rows:
        return ""
    step = round(profile.rows / profile.described_rows)
    return (
        '<p class="muted">Counts, extremes, means and missing values are those of all rows; '
        f"distributions and relations are those of every {step:,}th row "
        f"({profile.described_rows:,}); numbers of different values are estimates "
        "(standard error 3 %).</p>"
    )


def _tiles(profile: Profile, quarantined_rows: int) -> str:
    kinds: dict[str, int] = {}
    for column in profile.columns:
        kinds[column.type] = kinds.get(column.type, 0) + 1
    often = sorted(kinds.items(), key=lambda each: -each[1])
    types = ", ".join(f"{count} {kind}" for kind, count in often)
    gaps = profile.gaps
    complete = f"{gaps.complete / gaps.rows:.1%}" if gaps.rows else "–"
    tiles = [
        ("Rows", f"{profile.rows:,}", "good rows of all parts", False),
        ("Columns", f"{len(profile.columns):,}", types, False),
        ("Rows without gaps", complete, _most_missing(profile), False),
        (
            "Quarantined rows",
            f"{quarantined_rows:,}",
            "refused, with their reasons" if quarantined_rows else "none was refused",
            quarantined_rows > 0,
        ),
    ]
    if profile.target:
        tiles.append(("Target", short_name(profile.target.column, 22), target_said(profile), False))
    return "".join(
        f'<div class="tile{" warn" if warn else ""}"><span>{escape(name)}</span>'
        f"<strong>{escape(value)}</strong><em>{escape(more)}</em></div>"
        for name, value, more, warn in tiles
    )


def _most_missing(profile: Profile) -> str:
    worst = max(profile.columns, key=lambda column: column.nulls, default=None)
    if worst is None or not worst.nulls:
        return "no column has gaps"
    gappy = sum(column.nulls > 0 for column in profile.columns)
    have = "has" if gappy == 1 else "have"
    return f"{_several(gappy, 'column')} {have} gaps, most in {short_name(worst.name, 24)}"


def _notices(notices: Sequence[Notice]) -> str:
    if not notices:
        return '<p class="calm">No anomaly was found in the parts of this version.</p>'
    worst_first = sorted(notices, key=lambda each: SEVERITIES.index(_severity(each.severity)))
    items = "".join(
        f'<li class="{_severity(each.severity)}"><b>{escape(each.severity)}</b> '
        f"{escape(each.message)}"
        + (f' <span class="muted">{escape(each.where)}</span>' if each.where else "")
        + "</li>"
        for each in worst_first[:MOST_NOTICES]
    )
    more = len(notices) - MOST_NOTICES
    rest = f'<li class="note">and {more:,} more</li>' if more > 0 else ""
    return f'<ul class="notices">{items}{rest}</ul>'


def _severity(severity: str) -> str:
    return severity if severity in SEVERITIES else SEVERITIES[-1]
