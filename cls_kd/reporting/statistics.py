"""What a handful of seeds allows to say: intervals of a mean and paired gains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Gain:
    """A run against the baseline, seed by seed.

    Attributes:
        pairs: Number of seeds that both have.
        mean: Mean of the differences; NaN without a pair.
        low: Lower end of the 95 % t interval of that mean; NaN where no spread is known.
        high: Its upper end.
        p_value: Of the paired, two-sided t-test; NaN where no spread is known.
    """

    pairs: int
    mean: float
    low: float
    high: float
    p_value: float

    @property
    def verdict(self) -> str:
        """In words, no stronger than the numbers."""
        if not self.pairs:
            return "no common seed"
        if self.pairs == 1:
            return "one seed: noise unknown"
        if np.isnan(self.low):
            return "all differences equal: noise unknown"
        if self.low <= 0 <= self.high:
            return "inside noise"
        return "better" if self.mean > 0 else "worse"


def interval(values: Sequence[float]) -> tuple[float, float]:
    """The t interval of the mean; (NaN, NaN) for fewer than two values or values without spread."""
    array = np.asarray(values, dtype=float)
    error = _standard_error(array)
    if np.isnan(error):
        return float("nan"), float("nan")
    reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(array) - 1)) * error
    return float(array.mean() - reach), float(array.mean() + reach)


def paired_gain(values: pd.Series, baseline: pd.Series) -> Gain:
    """Compare over common seeds.

    Args:
        values: A figure of the run, indexed by seed.
        baseline: The same figure of the baseline, indexed by seed.
    """
    differences = (values - baseline).dropna().to_numpy(dtype=float)
    mean = float(differences.mean()) if len(differences) else float("nan")
    low, high = interval(differences)
    p_value = float("nan")
    if not np.isnan(low):
        statistic = abs(mean) / _standard_error(differences)
        p_value = float(2 * stats.t.sf(statistic, len(differences) - 1))
    return Gain(len(differences), mean, low, high, p_value)


def _standard_error(array: np.ndarray) -> float:
    # Equal differences differ by rounding only: no spread to judge by, however few they are.
    if len(array) < 2 or np.ptp(array) < 1e-9:
        return float("nan")
    return float(array.std(ddof=1) / np.sqrt(len(array)))
