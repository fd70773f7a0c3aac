"""What an exploration page advises: features and joins to try, as tables."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from evergreen.data.exploration_charts import clipped
from evergreen.data.join_keys import JoinSuggestion
from evergreen.data.suggestions import Suggestion


def suggestion_table(suggestions: Sequence[Suggestion]) -> str:
    """What to do with columns, why, and how that is declared."""
    if not suggestions:
        return '<p class="muted">Nothing stands out.</p>'
    rows = "".join(
        f'<tr><td><span class="kind">{escape(each.kind)}</span></td>'
        f"<td><b>{escape(clipped(' and '.join(each.columns), 60))}</b></td>"
        f"<td>{escape(each.why)}</td><td>{_code(each.step)}</td></tr>"
        for each in suggestions
    )
    return (
        "<table><thead><tr><th>what</th><th>columns</th><th>because</th>"
        f"<th>as a step of the project file</th></tr></thead><tbody>{rows}</tbody></table>"
    )


def _code(step: str) -> str:
    if not step:
        return '<span class="muted">–</span>'
    return f"<code>- {escape(clipped(step, 400))}</code>"


def join_table(joins: Sequence[JoinSuggestion]) -> str:
    """Which datasets the rows find a row in."""
    if not joins:
        return (
            '<p class="muted">No other dataset of the project has a key that these rows find '
            "yet.</p>"
        )
    rows = "".join(
        f"<tr><td><b>{escape(each.dataset)}</b></td>"
        f"<td>{escape(', '.join(_pair(ours, theirs) for ours, theirs in each.on.items()))}</td>"
        f'<td><span class="share"><i style="--w:{each.coverage * 100:.0f}%"></i>'
        f"{each.coverage:.1%}</span></td>"
        f"<td>{each.keys:,}</td><td>{_code(_join_step(each))}</td></tr>"
        for each in joins
    )
    return (
        "<table><thead><tr><th>dataset</th><th>on</th><th>rows that find one</th>"
        f"<th>keys tried</th><th>as a step</th></tr></thead><tbody>{rows}</tbody></table>"
    )


def _pair(ours: str, theirs: str) -> str:
    return ours if ours == theirs else f"{ours} = {theirs}"


def _join_step(join: JoinSuggestion) -> str:
    pairs = ", ".join(f"{_quoted(ours)}: {_quoted(theirs)}" for ours, theirs in join.on.items())
    return f"{{join: {{dataset: {join.dataset}, on: {{{pairs}}}}}}}"


def _quoted(name: str) -> str:
    return "'" + name.replace("'", "''") + "'"
