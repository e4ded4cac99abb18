"""Weight schedules: the weight of a loss as a function of the training time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Protocol

from cls_kd.building import build
from cls_kd.signals.time import TrainingTime


class Schedule(Protocol):
    """A weight as a function of the training time."""

    def __call__(self, time: TrainingTime) -> float: ...


WeightConfig = float | Schedule | Mapping[str, Any]
"""A number, a schedule, or the config of one (``dict(type='LinearWarmup', until=0.1)``)."""


class Constant:
    """The same ``value`` throughout."""

    def __init__(self, *, value: float = 1.0) -> None:
        self.value = float(value)

    def __call__(self, time: TrainingTime) -> float:
        return self.value


class LinearWarmup:
    """Linear increase from 0 to ``value``, reached at the fraction ``until`` of training."""

    def __init__(self, *, until: float, value: float = 1.0) -> None:
        self.until = float(until)
        self.value = float(value)

    def __call__(self, time: TrainingTime) -> float:
        return self.value * (min(time.progress / self.until, 1.0) if self.until > 0 else 1.0)


class EpochWarmup:
    """``value * min((epoch + 1) / (until * max_epochs), 1)``: linear, but constant in each epoch.

    DKD's warm-up over 20 of 240 epochs is ``until=20 / 240`` [1]: 1/20 in the whole first epoch, 1
    from the 20th on, which is up to 1/20 above `LinearWarmup`. Where training counts iterations and
    not epochs, it is ``value`` throughout.

    [1] megvii-research/mdistiller@a08d46f:mdistiller/distillers/DKD.py, where epochs count from 1.
    """

    def __init__(self, *, until: float, value: float = 1.0) -> None:
        self.until = float(until)
        self.value = float(value)

    def __call__(self, time: TrainingTime) -> float:
        warm = self.until * time.max_epochs
        return self.value * (min((time.epoch + 1) / warm, 1.0) if warm > 0 else 1.0)


class GaussianRampUp:
    """``value * exp(-5 (1 - progress / until)^2)`` to ``until``, then ``value`` (ONE, OKDDip)."""

    def __init__(self, *, until: float, value: float = 1.0) -> None:
        self.until = float(until)
        self.value = float(value)

    def __call__(self, time: TrainingTime) -> float:
        if time.progress >= self.until:
            return self.value
        return self.value * math.exp(-5.0 * (1.0 - time.progress / self.until) ** 2)


class CosineDecay:
    """``value`` up to the fraction ``start`` of training, then a half cosine down to 0 (WKD)."""

    def __init__(self, *, start: float, value: float = 1.0) -> None:
        self.start = float(start)
        self.value = float(value)

    def __call__(self, time: TrainingTime) -> float:
        if time.progress <= self.start:
            return self.value
        passed = (time.progress - self.start) / (1.0 - self.start)
        return self.value * (1.0 + math.cos(math.pi * passed)) / 2


class Window:
    """``value`` while ``start <= progress < end``, else 0."""

    def __init__(self, *, start: float = 0.0, end: float = 1.0, value: float = 1.0) -> None:
        self.start = float(start)
        # The last step has progress < 1; an end of 1 includes it.
        self.end = math.inf if end >= 1.0 else float(end)
        self.value = float(value)

    def __call__(self, time: TrainingTime) -> float:
        return self.value if self.start <= time.progress < self.end else 0.0


SCHEDULES = {
    kind.__name__: kind
    for kind in (Constant, CosineDecay, EpochWarmup, GaussianRampUp, LinearWarmup, Window)
}


def as_schedule(weight: WeightConfig) -> Schedule:
    """A schedule from a number, a schedule or the config of one.

    Raises:
        UserError: There is no such schedule.
    """
    if isinstance(weight, Mapping):
        return build(weight, SCHEDULES, "The weight of a loss")
    return weight if callable(weight) else Constant(value=weight)
