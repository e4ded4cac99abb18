"""The power of the paired t-test, against slow computations of it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, stats

from cls_kd.reporting.power import MAX_SEEDS, power_of_t_test, seeds_needed


def slow_power(effect: float, pairs: int, alpha: float) -> float:
    """The normal probability of rejection, integrated over the sample deviation."""
    freedom = pairs - 1
    quantile = stats.t.ppf(1 - alpha / 2, freedom)
    shift = effect * math.sqrt(pairs)

    def rejected(deviation: float) -> float:
        bound = quantile * deviation
        density = 2 * freedom * deviation * stats.chi2.pdf(freedom * deviation**2, freedom)
        return (stats.norm.sf(bound - shift) + stats.norm.cdf(-bound - shift)) * density

    return integrate.quad(rejected, 0, np.inf, limit=200)[0]


@pytest.mark.parametrize(
    ("effect", "pairs", "alpha"),
    [(0.0, 3, 0.05), (0.5, 5, 0.05), (-1.5, 3, 0.01), (3.0, 4, 0.05), (0.2, 60, 0.025)],
)
def test_power_is_the_integral(effect: float, pairs: int, alpha: float) -> None:
    assert power_of_t_test(effect, pairs, alpha) == pytest.approx(
        slow_power(effect, pairs, alpha), abs=1e-6
    )


def test_power_is_the_share_of_simulated_tests_that_reject() -> None:
    generator = np.random.default_rng(0)
    samples = generator.normal(0.8, 1.0, size=(20_000, 8))
    rejected = stats.ttest_1samp(samples, 0.0, axis=1).pvalue < 0.05
    assert power_of_t_test(0.8, 8) == pytest.approx(rejected.mean(), abs=0.01)


def test_huge_effects_have_power_one() -> None:
    assert power_of_t_test(1e6, 2) == 1.0
    assert power_of_t_test(60.0, 5) == pytest.approx(1.0)


@pytest.mark.parametrize(("mean", "deviation", "alpha"), [(-1.0, 1.0, 0.05), (2.0, 0.7, 0.01)])
def test_the_smallest_number_with_enough_power(mean: float, deviation: float, alpha: float) -> None:
    counted = next(
        pairs for pairs in range(2, 200) if slow_power(abs(mean) / deviation, pairs, alpha) >= 0.8
    )
    assert seeds_needed(mean, deviation, alpha) == counted


def test_a_difference_too_small_for_any_affordable_number() -> None:
    assert seeds_needed(0.001, 1.0) is None
    assert seeds_needed(0.1, 1.0) <= MAX_SEEDS
