"""Statistics over few seeds: t intervals, paired gains and adjusted p-values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import pandas as pd
from scipy import stats

_Key = TypeVar("_Key")

CONFIDENCE = 0.95
"""Of every interval. A gain is significant where its adjusted p is below 1 - CONFIDENCE."""

MIN_PAIRS = 3
"""With fewer common seeds a gain gets a warning in place of a verdict.

Ours. Two differences give a standard deviation of one degree of freedom: the interval is 12.7
standard errors wide to each side, and whether it contains 0 depends more on that one difference
than on the method. With three it is 4.3, with five 2.8.
"""


@dataclass(frozen=True)
class Gain:
    """A run against the baseline, seed by seed.

    Attributes:
        pairs: Number of seeds that both have.
        mean: Mean of the differences; NaN without a pair.
        low: Lower end of the 95 % t interval of that mean; NaN where no spread is known.
        high: Its upper end. The interval is not adjusted for the number of comparisons.
        p_value: Of the paired, two-sided t-test; NaN where no spread is known.
        p_adjusted: The same, adjusted for the number of comparisons that were made together, see
            `adjusted`; the verdict follows it.
    """

    pairs: int
    mean: float
    low: float
    high: float
    p_value: float
    p_adjusted: float

    @property
    def verdict(self) -> str:
        """In words, no stronger than the numbers."""
        if not self.pairs:
            return "no common seed"
        if self.pairs < MIN_PAIRS:
            return f"too few seeds ({self.pairs})"
        if np.isnan(self.p_adjusted):
            return "all differences equal: noise unknown"
        if self.p_adjusted >= 1 - CONFIDENCE:
            return "inside noise"
        return "better" if self.mean > 0 else "worse"


def interval(values: Sequence[float]) -> tuple[float, float]:
    """The 95 % t interval of the mean.

    Returns:
        Its ends; (NaN, NaN) for fewer than two values or values without spread.
    """
    low, high, _ = _t_test(np.asarray(values, dtype=float))
    return low, high


def paired_gain(values: pd.Series, baseline: pd.Series) -> Gain:
    """Compare over common seeds, as the only comparison: ``p_adjusted`` is ``p_value``.

    Args:
        values: Scores of the run, indexed by seed.
        baseline: Scores of the baseline, indexed by seed.
    """
    differences = (values - baseline).dropna().to_numpy(dtype=float)
    mean = float(differences.mean()) if len(differences) else float("nan")
    low, high, p_value = _t_test(differences)
    return Gain(len(differences), mean, low, high, p_value, p_value)


def adjusted(gains: Sequence[Gain]) -> list[Gain]:
    """The gains with p-values adjusted for their number by Holm's method.

    Args:
        gains: All comparisons that are read together. Those without a p-value do not count.
    """
    p_values = holm([gain.p_value for gain in gains])
    return [replace(gain, p_adjusted=p) for gain, p in zip(gains, p_values, strict=True)]


def adjusted_by_name(gains: Mapping[_Key, Gain]) -> dict[_Key, Gain]:
    """As `adjusted`, by any key."""
    return dict(zip(gains, adjusted(list(gains.values())), strict=True))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values by Holm's step-down method (Holm 1979, Scand. J. Statist. 6, 65-70).

    Controls the probability of one false rejection or more among all, whatever the dependence of
    the tests. SciPy has no function for it.

    Args:
        p_values: Of n tests; NaN stands for a test that was not made, and stays.

    Returns:
        In the same order; never below the p-value itself, at most 1.
    """
    raw = np.asarray(p_values, dtype=float)
    order = np.argsort(raw)[: np.count_nonzero(~np.isnan(raw))]  # NaN is sorted to the end
    factors = np.arange(len(order), 0, -1)
    result = np.full(len(raw), np.nan)
    result[order] = np.minimum(np.maximum.accumulate(raw[order] * factors), 1.0)
    return result.tolist()


def _t_test(array: np.ndarray) -> tuple[float, float, float]:
    """Interval of the mean, and p of the hypothesis that it is 0."""
    # Equal differences differ by rounding only: no spread to judge by, however few they are.
    if len(array) < 2 or np.ptp(array) < 1e-9:
        return float("nan"), float("nan"), float("nan")
    test = stats.ttest_1samp(array, 0.0)
    low, high = test.confidence_interval(CONFIDENCE)
    return float(low), float(high), float(test.pvalue)
