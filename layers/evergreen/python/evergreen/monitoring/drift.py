"""Drift: whether a window of predictions differs from what the model was judged on.

An alarm needs two things, and the report says both. *Significance*: under no drift, the
probability that anything alarms in a window (any column, the correlations, the predictions) is at
most the declared rate; thresholds come from resampling at the real sizes (`resampling`). *Size*:
with enough rows any difference becomes significant, so it must also be one that matters.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from evergreen.features.encoding import Encoded
from evergreen.features.signature import Signature
from evergreen.monitoring.changes import change_of, change_of_correlation
from evergreen.monitoring.joint import correlation_changes, greatest_change, scores_of
from evergreen.monitoring.resampling import judge, resamples_for
from evergreen.monitoring.shares import jensen_shannon, shares_in, shares_of
from evergreen.monitoring.stretches import stretches_of
from evergreen.monitoring.univariate import Statistic, statistics_of
from evergreen.monitoring.variables import Variable, columns_of, predictions_of

MINIMUM_DISTANCE = 0.1
"""Jensen-Shannon distance from which a variable has drifted; NannyML's threshold as well."""
MINIMUM_CORRELATION_CHANGE = 0.1
"""What Cohen (*Statistical Power Analysis*, 1988) calls a small correlation."""

MOST_REFERENCE_ROWS = 20_000
MOST_WINDOW_ROWS = 5_000
MOST_JOINT_ROWS = 2_000
"""Larger sides are sampled for significance; sizes of effects are taken of all rows."""
FEWEST_ROWS = 2
JOINT = "correlations"


@dataclass(frozen=True)
class Finding:
    """What was found of one column, of the predictions, or of the correlations.

    `statistic` alarms above `threshold`, which holds for all findings of the report together, as
    does `p_value`. `effect` is the Jensen-Shannon distance between the distributions (0 to 1), or
    the change of the correlation (0 to 2); `said` tells it in words.
    """

    name: str
    kind: Literal["number", "category", "joint"]
    test: str
    statistic: float
    threshold: float
    p_value: float
    effect: float
    minimum_effect: float
    significant: bool
    drifted: bool
    said: str


@dataclass(frozen=True)
class DriftReport:
    """One window against the reference; `columns` has the most drifted first."""

    columns: tuple[Finding, ...]
    predictions: tuple[Finding, ...]
    joint: Finding | None
    drifted: bool
    rows: int
    reference_rows: int
    false_alarm_rate: float
    left_out: tuple[str, ...]
    sentence: str

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All of them: columns, predictions, correlations."""
        return (*self.columns, *self.predictions, *((self.joint,) if self.joint else ()))

    def to_plain(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class _Candidate:
    """A finding before it is judged: its statistics, its effect and how it is told."""

    name: str
    kind: Literal["number", "category", "joint"]
    statistics: tuple[Statistic, ...]
    effect: float
    minimum_effect: float
    said: str


def check(
    reference: Encoded,
    window: Encoded,
    signature: Signature,
    reference_predictions: NDArray[Any] | None,
    window_predictions: NDArray[Any] | None,
    false_alarm_rate: float,
    seed: int,
    leave_out: Collection[str] = (),
    *,
    ordered: bool = False,
) -> DriftReport:
    """Compare a window with the reference.

    The predictions need not be of the reference's rows: those of the holdout are honest, those of
    rows that the model was fitted on are not. Leave out what always moves, like the columns that
    tell the time. `ordered` says that reference rows and predictions are in time order: then an
    effect must also exceed that of every stretch of the reference as long as the window, so that
    a rainy day is no drift where the reference had rainy days.
    """
    resamples = resamples_for(false_alarm_rate)
    seeds = [int(each) for each in np.random.SeedSequence(seed).generate_state(4)]
    variables = columns_of(reference, window, signature, leave_out)
    answers = (
        predictions_of(reference_predictions, window_predictions, signature)
        if reference_predictions is not None and window_predictions is not None
        else []
    )
    columns = _candidates(variables, resamples, seeds[0], ordered=ordered)
    predictions = _candidates(answers, resamples, seeds[1], ordered=ordered)
    joint = _joint(variables, resamples, seeds[2], ordered=ordered)
    found = _judged([*columns, *predictions, *joint], false_alarm_rate)
    ranked = sorted(found[: len(columns)], key=lambda f: (not f.drifted, f.p_value, -f.effect))
    report = DriftReport(
        columns=tuple(ranked),
        predictions=tuple(found[len(columns) : len(columns) + len(predictions)]),
        joint=found[-1] if joint else None,
        drifted=any(finding.drifted for finding in found),
        rows=len(window),
        reference_rows=len(reference),
        false_alarm_rate=false_alarm_rate,
        left_out=tuple(sorted(leave_out)),
        sentence="",
    )
    return replace(report, sentence=_sentence(report))


def _candidates(
    variables: list[Variable], resamples: int, seed: int, *, ordered: bool
) -> list[_Candidate]:
    if not variables or not _enough(variables[0]):
        return []
    statistics: dict[str, list[Statistic]] = {variable.name: [] for variable in variables}
    for statistic in statistics_of(_sampled(variables, MOST_WINDOW_ROWS, seed), resamples, seed):
        statistics[statistic.variable].append(statistic)
    found = []
    for variable in variables:
        shares = shares_of(variable)
        minimum = MINIMUM_DISTANCE
        if ordered:
            cells, size = shares.cell_of(variable.reference), len(shares.labels)
            own = [
                jensen_shannon(shares_in(cells[~inside], size), shares_in(cells[inside], size))
                for inside in stretches_of(len(cells), len(variable.window))
            ]
            minimum = max([minimum, *own])
        found.append(
            _Candidate(
                variable.name,
                variable.kind,
                tuple(statistics[variable.name]),
                jensen_shannon(shares.reference, shares.window),
                minimum,
                change_of(variable),
            )
        )
    return found


def _joint(
    variables: list[Variable], resamples: int, seed: int, *, ordered: bool
) -> list[_Candidate]:
    if not variables or not _enough(variables[0]):
        return []
    sampled = _sampled(variables, MOST_JOINT_ROWS, seed)
    rows = len(sampled[0].reference)
    squares = correlation_changes(scores_of(sampled), rows, resamples, seed)
    if not squares.size:
        return []
    whole = scores_of(variables)
    rows = len(variables[0].reference)
    pooled = np.arange(len(whole.values))
    change = greatest_change(whole, pooled[:rows], pooled[rows:])
    minimum = MINIMUM_CORRELATION_CHANGE
    if ordered:
        own = [
            greatest_change(whole, pooled[:rows][~inside], pooled[:rows][inside]).size
            for inside in stretches_of(rows, len(pooled) - rows)
        ]
        minimum = max([minimum, *own])
    statistic = Statistic(JOINT, "rank_correlation", squares, 1.0)
    said = change_of_correlation(change)
    return [_Candidate(JOINT, "joint", (statistic,), change.size, minimum, said)]


def _enough(variable: Variable) -> bool:
    return min(len(variable.reference), len(variable.window)) >= FEWEST_ROWS


def _sampled(variables: list[Variable], most_window_rows: int, seed: int) -> list[Variable]:
    """Keep the same random rows of every variable, in order, where there are too many."""
    chooser = np.random.default_rng([seed, 1])
    chosen = [
        np.sort(chooser.choice(rows, min(rows, most), replace=False))
        for rows, most in (
            (len(variables[0].reference), MOST_REFERENCE_ROWS),
            (len(variables[0].window), most_window_rows),
        )
    ]
    return [
        replace(each, reference=each.reference[chosen[0]], window=each.window[chosen[1]])
        for each in variables
    ]


def _judged(candidates: Sequence[_Candidate], rate: float) -> list[Finding]:
    statistics = [each for candidate in candidates for each in candidate.statistics]
    if not statistics:
        return []
    verdict = judge(np.stack([each.squares for each in statistics]), rate)
    found, at = [], 0
    for candidate in candidates:
        own = range(at, at + len(candidate.statistics))
        at += len(candidate.statistics)
        best = min(own, key=lambda i: (verdict.p_value[i], -statistics[i].squares[0]))
        scale = statistics[best].scale
        significant = bool(verdict.p_value[best] <= rate)
        found.append(
            Finding(
                name=candidate.name,
                kind=candidate.kind,
                test=statistics[best].name,
                statistic=float(np.sqrt(statistics[best].squares[0] * scale)),
                threshold=float(np.sqrt(verdict.threshold[best] * scale)),
                p_value=float(verdict.p_value[best]),
                effect=candidate.effect,
                minimum_effect=candidate.minimum_effect,
                significant=significant,
                drifted=significant and candidate.effect >= candidate.minimum_effect,
                said=candidate.said,
            )
        )
    return found


def _sentence(report: DriftReport) -> str:
    rows = f"{report.rows:,} rows"
    if not report.findings:
        return f"Not checked for drift: {rows} against {report.reference_rows:,} are too few."
    promise = f"at most {report.false_alarm_rate:.2%} of windows without drift raise an alarm"
    slight = [finding for finding in report.findings if finding.significant and not finding.drifted]
    also = f" Beyond chance but below the size that alarms: {_listed(slight)}." if slight else ""
    if not report.drifted:
        return (
            f"No drift in {rows}: {len(report.columns)} columns, their correlations and the"
            f" predictions are as in the reference ({promise}).{also}"
        )
    drifted = [finding for finding in report.columns if finding.drifted]
    parts = [f"{len(drifted)} of {len(report.columns)} columns: {_listed(drifted)}"] * bool(drifted)
    answers = [finding for finding in report.predictions if finding.drifted]
    parts += [f"the predictions: {_listed(answers)}"] * bool(answers)
    if report.joint and report.joint.drifted:
        parts.append(f"how columns go together: {report.joint.said}")
    return f"Drift in {rows} ({promise}) in {'; in '.join(parts)}.{also}"


def _listed(findings: Sequence[Finding], most: int = 3) -> str:
    named = "; ".join(f"{finding.name} ({finding.said})" for finding in findings[:most])
    rest = len(findings) - most
    return f"{named} and {rest} more" if rest > 0 else named
