from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from evergreen.monitoring.drift import check
from evergreen.monitoring.resampling import judge, resamples_for
from tests.unit.monitoring.builders import population

BY_CHANCE = 0.999
"""A test of a rate fails by chance once in a thousand seeds; the seeds are fixed."""


@pytest.mark.parametrize("tests", [1, 5, 40])
@pytest.mark.parametrize("dependence", [0.0, 0.9])
def test_without_drift_the_judge_alarms_as_often_as_declared(tests: int, dependence: float) -> None:
    draw = np.random.default_rng([tests, int(10 * dependence)])
    alarms, worlds, rate = 0, 600, 0.05
    for _ in range(worlds):
        shared = draw.normal(size=(1, 200)) * dependence
        # Different degrees of freedom: the judge must not favour the more skewed statistics.
        degrees = np.arange(1, tests + 1)[:, np.newaxis]
        statistics = (shared + draw.normal(size=(tests, 200))) ** 2 * degrees
        alarms += bool((judge(statistics, rate).p_value <= rate).any())
    assert binom.ppf(1 - BY_CHANCE, worlds, rate) <= alarms <= binom.ppf(BY_CHANCE, worlds, rate)


def test_a_statistic_alarms_exactly_when_it_exceeds_its_threshold() -> None:
    draw = np.random.default_rng(3)
    for _ in range(200):
        statistics = draw.chisquare(3, (4, 100))
        statistics[0, 0] *= draw.uniform(1, 4)
        verdict = judge(statistics, 0.05)
        np.testing.assert_array_equal(
            statistics[:, 0] > verdict.threshold * (1 + 1e-9), verdict.p_value <= 0.05
        )


def test_a_statistic_that_never_varies_never_alarms() -> None:
    verdict = judge(np.zeros((3, 100)), 0.05)
    assert verdict.p_value.tolist() == [1, 1, 1]
    assert verdict.threshold.tolist() == [0, 0, 0]


def test_the_whole_check_keeps_its_rate_on_rows_of_an_unchanged_world() -> None:
    worlds, rate, significant = 30, 0.1, 0
    encoded, signature, answers = population(20_000, seed=1)
    for world in range(worlds):
        rows = np.random.default_rng(world).permutation(len(encoded))
        reference, holdout, window = rows[:300], rows[300:400], rows[400:460]
        report = check(
            encoded.take(reference),
            encoded.take(window),
            signature,
            answers[holdout],
            answers[window],
            false_alarm_rate=rate,
            seed=world,
        )
        significant += any(finding.significant for finding in report.findings)
    assert significant <= binom.ppf(BY_CHANCE, worlds, rate)


def test_low_rates_take_more_resamples_and_impossible_ones_are_refused() -> None:
    assert resamples_for(0.01) == 999
    assert resamples_for(0.001) == 1999
    with pytest.raises(ValueError, match="false alarm rate"):
        resamples_for(0.00001)
