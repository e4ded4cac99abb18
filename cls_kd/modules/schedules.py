"""Weight schedules: how much a loss counts as training goes on.

A schedule is a function of ``progress``, the finished share of all steps; of ``epoch``, the number
of finished epochs; and of ``max_epochs``. Most need the first alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Protocol

from cls_kd.registry import SCHEDULES


class Schedule(Protocol):
    """A weight over time: ``progress`` in [0, 1], ``epoch`` from 0 to ``max_epochs - 1``."""

    def __call__(self, progress: float, epoch: int = 0, max_epochs: int = 1) -> float: ...


@SCHEDULES.register_module()
class Constant:
    """The same ``value`` throughout."""

    def __init__(self, *, value: float = 1.0) -> None:
        self.value = float(value)

    def __call__(self, progress: float, epoch: int = 0, max_epochs: int = 1) -> float:
        return self.value


@SCHEDULES.register_module()
class LinearWarmup:
    """From 0 to ``value``, linear, reached at ``until`` (a share of training), then constant."""

    def __init__(self, *, until: float, value: float = 1.0) -> None:
        self.until = float(until)
        self.value = float(value)

    def __call__(self, progress: float, epoch: int = 0, max_epochs: int = 1) -> float:
        return self.value * (min(progress / self.until, 1.0) if self.until > 0 else 1.0)


@SCHEDULES.register_module()
class EpochWarmup:
    """``value * min((epoch + 1) / (until * max_epochs), 1)``: linear, but constant in each epoch.

    DKD's warm-up of 20 out of 240 epochs is ``until=20 / 240`` [1]: 1/20 in the whole first epoch,
    1 from the 20th on, which is up to 1/20 above `LinearWarmup`. Where training counts steps and
    not epochs, it is ``value`` throughout.

    [1] megvii-research/mdistiller@a08d46f:mdistiller/distillers/DKD.py, where epochs count from 1.
    """

    def __init__(self, *, until: float, value: float = 1.0) -> None:
        self.until = float(until)
        self.value = float(value)

    def __call__(self, progress: float, epoch: int = 0, max_epochs: int = 1) -> float:
        warm = self.until * max_epochs
        return self.value * (min((epoch + 1) / warm, 1.0) if warm > 0 else 1.0)


@SCHEDULES.register_module()
class GaussianRampUp:
    """``value * exp(-5 (1 - progress / until)^2)`` to ``until``, then ``value`` (ONE, OKDDip)."""

    def __init__(self, *, until: float, value: float = 1.0) -> None:
        self.until = float(until)
        self.value = float(value)

    def __call__(self, progress: float, epoch: int = 0, max_epochs: int = 1) -> float:
        if progress >= self.until:
            return self.value
        return self.value * math.exp(-5.0 * (1.0 - progress / self.until) ** 2)


@SCHEDULES.register_module()
class Window:
    """``value`` while ``start <= progress < end``, else 0."""

    def __init__(self, *, start: float = 0.0, end: float = 1.0, value: float = 1.0) -> None:
        self.start = float(start)
        # The last step has progress < 1, yet a window up to 1 means "to the end" to everyone.
        self.end = math.inf if end >= 1.0 else float(end)
        self.value = float(value)

    def __call__(self, progress: float, epoch: int = 0, max_epochs: int = 1) -> float:
        return self.value if self.start <= progress < self.end else 0.0


def as_schedule(weight: float | Schedule | Mapping[str, Any]) -> Schedule:
    """A number, a schedule, or the config of one (``dict(type=LinearWarmup, until=0.1)``)."""
    if isinstance(weight, Mapping):
        return SCHEDULES.build(weight)
    return weight if callable(weight) else Constant(value=weight)
