"""Champion against candidate, and the gates of promotion."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from evergreen.contracts.project_file import Promotion
from evergreen.evaluation.agreement import Agreement
from evergreen.evaluation.comparison import Comparison, compare
from evergreen.evaluation.evaluation import Evaluation
from evergreen.evaluation.gates import LARGEST_GRAPH, Judgement, judge
from evergreen.evaluation.intervals import Measured


def noisy(target: np.ndarray, noise: float, seed: int) -> np.ndarray:
    """Probabilities of a model that sees the target through so much noise."""
    chance = np.random.default_rng(seed)
    positive = 1 / (1 + np.exp(-(2 * target - 1 + chance.normal(0, noise, len(target)))))
    return np.column_stack([1 - positive, positive])


def versus(candidate: Any, champion: Any, target: Any, **more: Any) -> Comparison:
    asked = {"task": "binary", "metric": None, "confidence": 0.95, "seed": 1} | more
    return compare(target, candidate, champion, **asked)


def labels(rows: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2, rows)


def test_a_clearly_better_candidate_is_better_whichever_way_the_metric_goes() -> None:
    target = labels(500)
    good, bad = noisy(target, 0.8, 1), noisy(target, 3.0, 2)
    for metric in ("roc_auc", "log_loss", "accuracy"):
        found = versus(good, bad, target, metric=metric)
        assert found.verdict == "better"
        assert found.gain > 0
        assert found.lower <= found.gain <= found.upper
        assert versus(bad, good, target, metric=metric).verdict == "not_better"


def test_the_same_model_is_not_better_than_itself() -> None:
    target = labels(300)
    model = noisy(target, 1.0, 1)
    found = versus(model, model, target)
    assert (found.verdict, found.gain) == ("not_better", 0.0)


def test_three_rows_won_and_two_lost_is_not_enough_evidence() -> None:
    target = np.zeros(60, dtype=int)
    champion = np.tile([0.9, 0.1], (60, 1))
    champion[:3] = [0.1, 0.9]
    candidate = np.tile([0.9, 0.1], (60, 1))
    candidate[3:5] = [0.1, 0.9]
    found = versus(candidate, champion, target, metric="accuracy")
    assert found.gain == pytest.approx(1 / 60)
    assert found.verdict == "not_enough_evidence"


def test_a_class_too_rare_to_resample_is_not_enough_evidence() -> None:
    target = np.zeros(50, dtype=int)
    model = noisy(labels(50), 1.0, 1)
    assert versus(model, model, target).verdict == "not_enough_evidence"


def test_equal_models_are_called_better_as_rarely_as_promised() -> None:
    verdicts = []
    for seed in range(100):
        target = labels(250, seed)
        pair = noisy(target, 1.5, 1000 + seed), noisy(target, 1.5, 5000 + seed)
        verdicts.append(versus(*pair, target, seed=seed).verdict)
    # 5 % of 100 is 5; the binomial's 99.9th percentile is 13.
    assert verdicts.count("better") <= 13
    assert verdicts.count("not_enough_evidence") > 70


def test_more_confidence_asks_for_more_evidence() -> None:
    target = labels(400)
    pair = noisy(target, 1.3, 1), noisy(target, 1.6, 2)
    cautious, bold = (versus(*pair, target, confidence=c) for c in (0.999, 0.6))
    assert cautious.lower < bold.lower
    assert cautious.upper > bold.upper


def evaluation(**more: Any) -> Evaluation:
    made = Evaluation(
        task="binary",
        rows=500,
        metric="roc_auc",
        metrics={"roc_auc": Measured(0.83, 0.79, 0.87), "log_loss": Measured(0.4, 0.35, 0.45)},
        baseline={"roc_auc": 0.5, "log_loss": 0.69},
        agreement=Agreement(500, 1e-7, agrees=True),
        reliability=None,
        slices=(),
        size_bytes=10_000,
    )
    return replace(made, **more)


def comparison(verdict: Any) -> Comparison:
    return Comparison("roc_auc", 0.83, 0.80, 0.03, 0.01, 0.05, 0.95, verdict)


def failed(judgement: Judgement) -> list[str]:
    return [gate.name for gate in judgement.gates if not gate.passed]


def cases() -> Iterator[Any]:
    yield pytest.param(evaluation(), {}, [], id="all is well")
    yield pytest.param(
        evaluation(), {"roc_auc": 0.83, "log_loss": 0.4}, [], id="goals that are met exactly"
    )
    yield pytest.param(
        evaluation(), {"roc_auc": 0.84, "log_loss": 0.3}, ["goal roc_auc", "goal log_loss"],
        id="goals that are missed",
    )  # fmt: skip
    yield pytest.param(evaluation(), {"rmse": 3.0}, ["goal rmse"], id="a goal of another task")
    yield pytest.param(evaluation(), {"f1": 0.5}, ["goal f1"], id="a goal that is undefined")
    yield pytest.param(
        evaluation(agreement=Agreement(500, 0.3, agrees=False)), {},
        ["the graph answers as the fitted model"], id="a graph that answers otherwise",
    )  # fmt: skip
    yield pytest.param(
        evaluation(size_bytes=LARGEST_GRAPH + 1), {}, ["size"], id="a graph that is too large"
    )
    yield pytest.param(
        evaluation(metrics={"roc_auc": Measured(0.55, 0.48, 0.6)}), {}, ["the null model"],
        id="a model that may know nothing",
    )  # fmt: skip
    yield pytest.param(
        evaluation(metric="log_loss", metrics={"log_loss": Measured(0.66, 0.6, 0.7)}), {},
        ["the null model"], id="a loss that may be the null model's",
    )  # fmt: skip


@pytest.mark.parametrize(("measured", "goals", "wanted"), list(cases()))
def test_a_model_is_promoted_if_it_passes_every_gate(
    measured: Evaluation, goals: Any, wanted: list[str]
) -> None:
    judgement = judge(measured, goals, None, Promotion())
    assert failed(judgement) == wanted
    assert judgement.promote is (not wanted)
    for name in wanted:
        assert name in judgement.reason


@pytest.mark.parametrize(
    ("verdict", "when", "promoted"),
    [
        ("better", "better", True),
        ("better", "not_worse", True),
        ("not_enough_evidence", "better", False),
        ("not_enough_evidence", "not_worse", True),
        ("not_better", "better", False),
        ("not_better", "not_worse", False),
    ],
)
def test_the_champion_goes_on_evidence_only(verdict: str, when: Any, *, promoted: bool) -> None:
    judgement = judge(evaluation(), {}, comparison(verdict), Promotion(when=when))
    assert judgement.promote is promoted
    assert ("the champion" in failed(judgement)) is not promoted
    assert "0.8300 against 0.8000" in judgement.reason


def test_the_reason_says_every_gate_that_failed_with_its_number() -> None:
    judgement = judge(evaluation(), {"roc_auc": 0.9}, comparison("not_better"), Promotion())
    assert judgement.reason.startswith(
        "goal roc_auc: 0.8300, wanted ≥ 0.9; the champion: not better"
    )
