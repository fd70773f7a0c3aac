"""The window report: one page that stands alone, for people; the same as JSON, for programs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from importlib import resources
from string import Template
from typing import Any

from evergreen.features.encoding import Encoded
from evergreen.features.signature import Signature
from evergreen.monitoring.charts import effects_chart, shares_chart
from evergreen.monitoring.drift import DriftReport, Finding
from evergreen.monitoring.performance import PerformanceReport
from evergreen.monitoring.shares import shares_of, short
from evergreen.monitoring.variables import columns_of
from evergreen.monitoring.windows import Window

MOST_DISTRIBUTIONS = 6
MOST_EFFECTS = 25
TESTS = {
    "kolmogorov_smirnov": "Kolmogorov-Smirnov distance",
    "chi_square": "Cramér's V",
    "missing_share": "Cramér's V of missing values",
    "rank_correlation": "change of rank correlation",
}


def report_to_plain(drift: DriftReport, realised: PerformanceReport | None) -> dict[str, Any]:
    """Plain JSON values: `drift`, and `performance` (None while labels are missing)."""
    found: dict[str, Any] = _finite(
        {
            "drift": drift.to_plain(),
            "performance": realised.to_plain() if realised else None,
        }
    )
    return found


def render_report(
    project: str,
    model: str,
    window: Window,
    signature: Signature,
    reference_rows: Encoded,
    window_rows: Encoded,
    drift: DriftReport,
    realised: PerformanceReport | None,
) -> str:
    """HTML without scripts or links; texts that came with the data are escaped."""
    variables = {
        variable.name: variable
        for variable in columns_of(reference_rows, window_rows, signature, drift.left_out)
    }
    strongest = sorted(drift.columns, key=lambda f: (not f.drifted, -f.effect))
    page = Template(resources.files(__package__).joinpath("report.html").read_text("utf-8"))
    return page.substitute(
        project=escape(project),
        model=escape(model[:12]),
        start=f"{window.start:%Y-%m-%d %H:%M}",
        end=f"{window.end:%Y-%m-%d %H:%M}",
        state="alarm" if drift.drifted or (realised and realised.dropped) else "calm",
        sentence=escape(drift.sentence),
        tiles=_tiles(drift, realised),
        performance=_performance(realised),
        effects=effects_chart(strongest[:MOST_EFFECTS]) if strongest else "",
        minimum=short(strongest[0].minimum_effect) if strongest else "",
        findings="".join(_row(finding) for finding in drift.findings),
        distributions="".join(
            _distribution(finding, shares_chart(f"cells-{i}", shares_of(variables[finding.name])))
            for i, finding in enumerate(strongest[:MOST_DISTRIBUTIONS])
        ),
        left_out=escape(", ".join(drift.left_out) or "none"),
        rate=f"{drift.false_alarm_rate:.2%}",
    )


def _tiles(drift: DriftReport, realised: PerformanceReport | None) -> str:
    drifted = sum(finding.drifted for finding in drift.columns)
    tiles = [
        ("Predictions", f"{drift.rows:,}", f"reference {drift.reference_rows:,} rows", False),
        ("Columns drifted", f"{drifted}", f"of {len(drift.columns)}", drifted > 0),
        _verdict("Answers", drift.predictions),
        _verdict("Correlations", [drift.joint] if drift.joint else []),
    ]
    if realised and realised.value is not None and realised.reference is not None:
        beside = f"holdout {short(realised.reference)}"
        tiles.append((realised.metric, short(realised.value), beside, realised.dropped))
    else:
        tiles.append(("Performance", "–", "no labels yet", False))
    return "".join(
        f'<div class="tile{" alarm" if alarm else ""}"><span>{escape(title)}</span>'
        f"<strong>{escape(value)}</strong><em>{escape(note)}</em></div>"
        for title, value, note, alarm in tiles
    )


def _verdict(title: str, findings: Sequence[Finding]) -> tuple[str, str, str, bool]:
    if not findings:
        return title, "–", "not compared", False
    strongest = max(findings, key=lambda finding: (finding.drifted, finding.effect))
    said = "drifted" if strongest.drifted else "as before"
    return title, said, f"effect {strongest.effect:.2f}", strongest.drifted


def _performance(realised: PerformanceReport | None) -> str:
    said = realised.sentence if realised else "Performance is not known: labels are missing."
    state = "alarm" if realised and realised.dropped else ""
    return f'<p class="{state}">{escape(said)}</p>'


def _row(finding: Finding) -> str:
    verdict = "drifted" if finding.drifted else "slight" if finding.significant else "as before"
    cells = (
        finding.name,
        finding.said,
        f"{finding.effect:.3f}",
        f"{finding.minimum_effect:.3f}",
        TESTS[finding.test],
        f"{finding.statistic:.3f}",
        f"{finding.threshold:.3f}",
        f"{finding.p_value:.3f}",
    )
    body = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
    return f'<tr class="{verdict.replace(" ", "-")}">{body}<td><b>{verdict}</b></td></tr>'


def _distribution(finding: Finding, chart: str) -> str:
    state = ' class="drifted"' if finding.drifted else ""
    return (
        f"<figure{state}><figcaption><b>{escape(finding.name)}</b> {escape(finding.said)}"
        f"<em>effect {finding.effect:.2f}</em></figcaption>{chart}</figure>"
    )


def _finite(value: Any) -> Any:
    """The same with None for what JSON has no number for."""
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
