"""The gates that a model passes to become the champion."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from evergreen.contracts.project_file import Metric, Promotion
from evergreen.evaluation.agreement import TOLERANCE
from evergreen.evaluation.comparison import Comparison
from evergreen.evaluation.evaluation import Evaluation
from evergreen.evaluation.metric_choice import METRIC_FACTS

LARGEST_GRAPH = 100 * 1024**2
"""Bytes: a larger graph takes seconds to load into a cold function."""


@dataclass(frozen=True)
class Gate:
    """One condition: what was measured, what is wanted, and whether that is so."""

    name: str
    passed: bool
    measured: str
    wanted: str


@dataclass(frozen=True)
class Judgement:
    """Whether to promote, all gates, and the reason in one sentence."""

    promote: bool
    gates: tuple[Gate, ...]
    reason: str


def judge(
    evaluation: Evaluation,
    goals: Mapping[Metric, float],
    comparison: Comparison | None,
    promotion: Promotion,
) -> Judgement:
    """All gates must pass; `comparison` is None if there is no champion to beat."""
    gates = tuple(_gates(evaluation, goals, comparison, promotion))
    failed = [gate for gate in gates if not gate.passed]
    if failed:
        return Judgement(
            promote=False,
            gates=gates,
            reason="; ".join(f"{g.name}: {g.measured}, wanted {g.wanted}" for g in failed),
        )
    shown = ", ".join(f"{name} {evaluation.metrics[name].value:.4f}" for name in goals)
    met = f"every goal is met ({shown})" if goals else "it beats the null model"
    than = f", and it is better than the champion: {_gain(comparison)}" if comparison else ""
    return Judgement(promote=True, gates=gates, reason=met + than)


def _gates(
    evaluation: Evaluation,
    goals: Mapping[Metric, float],
    comparison: Comparison | None,
    promotion: Promotion,
) -> Iterator[Gate]:
    found = evaluation.agreement
    yield Gate(
        "the graph answers as the fitted model",
        found.agrees,
        f"differences up to {found.largest_difference:.2g}",
        f"at most {TOLERANCE:g}",
    )
    size = evaluation.size_bytes
    wanted = f"at most {LARGEST_GRAPH / 1024**2:.0f} MiB"
    yield Gate("size", size <= LARGEST_GRAPH, f"{size / 1024**2:.1f} MiB", wanted)
    yield _beats_null(evaluation)
    for name, goal in goals.items():
        yield _reaches(evaluation, name, goal)
    if comparison:
        verdicts = {"better": ("better",), "not_worse": ("better", "not_enough_evidence")}
        passed = comparison.verdict in verdicts[promotion.when]
        yield Gate("the champion", passed, _gain(comparison), promotion.when.replace("_", " "))


def _beats_null(evaluation: Evaluation) -> Gate:
    name = evaluation.metric
    measured, null = evaluation.metrics.get(name), evaluation.baseline.get(name)
    if measured is None or null is None:
        return Gate("the null model", passed=False, measured=f"{name} undefined", wanted="a value")
    better = (
        measured.lower > null if METRIC_FACTS[name].greater_is_better else measured.upper < null
    )
    interval = f"{name} {measured.value:.4f} ({measured.lower:.4f} to {measured.upper:.4f})"
    return Gate("the null model", better, interval, f"surely better than {null:.4f}")


def _reaches(evaluation: Evaluation, name: Metric, goal: float) -> Gate:
    facts = METRIC_FACTS[name]
    wanted = f"{'≥' if facts.greater_is_better else '≤'} {goal:g}"
    if evaluation.task not in facts.tasks:
        said = f"no metric of a {evaluation.task} model"
        return Gate(f"goal {name}", passed=False, measured=said, wanted=wanted)
    measured = evaluation.metrics.get(name)
    if measured is None:
        said = f"undefined on the {evaluation.rows} rows held out"
        return Gate(f"goal {name}", passed=False, measured=said, wanted=wanted)
    passed = facts.reaches(measured.value, goal)
    return Gate(f"goal {name}", passed, f"{measured.value:.4f}", wanted)


def _gain(comparison: Comparison) -> str:
    said = {
        "better": "better",
        "not_better": "not better",
        "not_enough_evidence": "not enough evidence that it is better",
    }[comparison.verdict]
    scores = f"{comparison.metric} {comparison.candidate:.4f} against {comparison.champion:.4f}"
    if not math.isfinite(comparison.lower):
        return f"{said} ({scores}; too few rows of a class to compare)"
    return f"{said} ({scores}, gain {comparison.lower:+.4f} to {comparison.upper:+.4f})"
