"""Power of the paired t-test: the number of seeds that would show a difference."""

from __future__ import annotations

import math

from scipy import stats

from cls_kd.reporting.statistics import CONFIDENCE

POWER = 0.8
"""The probability with which a difference is to be found; the usual choice of planned experiments
(Cohen 1988, Statistical Power Analysis for the Behavioral Sciences)."""

MAX_SEEDS = 1000
"""Beyond this number no estimate is made. Ours."""

_CERTAIN = 35.0  # noncentrality from which the power is 1 to double precision, for every df here


def power_of_t_test(effect: float, pairs: int, alpha: float = 1 - CONFIDENCE) -> float:
    """Probability that a paired, two-sided t-test finds a true difference.

    Args:
        effect: The true mean of the differences divided by their true standard deviation.
        pairs: Number of differences, from 2.
        alpha: Level of the test.

    Returns:
        P(|T| > t(1 - alpha / 2)), where T has the noncentral t distribution with ``pairs - 1``
        degrees of freedom and noncentrality ``effect * sqrt(pairs)``.
    """
    freedom = pairs - 1
    quantile = float(stats.t.ppf(1 - alpha / 2, freedom))
    shift = abs(effect) * math.sqrt(pairs)
    if shift > _CERTAIN and shift > 10 * quantile:
        return 1.0
    upper = stats.nct.sf(quantile, freedom, shift)
    lower = stats.nct.cdf(-quantile, freedom, shift)
    return float(min(1.0, upper + lower))


def seeds_needed(
    mean: float, deviation: float, alpha: float = 1 - CONFIDENCE, power: float = POWER
) -> int | None:
    """Smallest number of common seeds with which a difference is found with that power.

    The observed mean and deviation are taken for the true ones. With three seeds both are rough,
    and so is the estimate.

    Args:
        mean: Of the paired differences.
        deviation: Their standard deviation, above 0.
        alpha: Level of the test; divide it by the number of comparisons made together.
        power: Probability of finding the difference.

    Returns:
        The number, at least 2; None where it is above `MAX_SEEDS`.
    """
    effect = mean / deviation
    low, high = 1, 2
    while power_of_t_test(effect, high, alpha) < power:
        if high >= MAX_SEEDS:
            return None
        low, high = high, min(2 * high, MAX_SEEDS)
    while high - low > 1:
        middle = (low + high) // 2
        if power_of_t_test(effect, middle, alpha) < power:
            low = middle
        else:
            high = middle
    return high
