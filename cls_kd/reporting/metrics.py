"""Properties of a metric: its title, its range, and which direction is better."""

from __future__ import annotations

from typing import NamedTuple

DEFAULT = "accuracy/top1"
"""The default metric of a report, where the runs have it."""

_PERCENT_GROUPS = (
    "accuracy",
    "single-label",
    "multi-label",
    "retrieval",
    "branches",
    "ensemble",
    "knn",
    "linear_probe",
)
_NO_PERCENT = ("support", "diversity")
_NAMES = {"accuracy/top1": "top-1 accuracy", "accuracy/top5": "top-5 accuracy"}


class Metric(NamedTuple):
    """A metric of a result.

    Attributes:
        key: As in ``result.json``: ``accuracy/top1``.
        title: For axes and notes.
        percent: True if it lies between 0 and 100, and higher is better. Of other metrics neither
            the range nor the better direction is known.
    """

    key: str
    title: str
    percent: bool

    @property
    def label(self) -> str:
        """Title with its unit."""
        return f"{self.title} (%)" if self.percent else self.title

    @property
    def unit(self) -> str:
        """Of a difference."""
        return "percentage points" if self.percent else f"units of {self.title}"

    def clipped(self, value: float) -> float:
        """The nearest value within the metric's range; NaN stays."""
        return min(max(value, 0.0), 100.0) if self.percent and value == value else value

    def worded(self, verdict: str) -> str:
        """A verdict on a gain, without better and worse where the direction is not known."""
        if self.percent:
            return verdict
        return {"better": "higher", "worse": "lower"}.get(verdict, verdict)


def metric_of(key: str) -> Metric:
    """The metric of that key.

    mmpretrain's metrics of classification are percentages. Their counts (``support``) are not.
    """
    group, _, name = key.partition("/")
    percent = group in _PERCENT_GROUPS and not name.startswith(_NO_PERCENT)
    return Metric(key, _NAMES.get(key, key), percent)
