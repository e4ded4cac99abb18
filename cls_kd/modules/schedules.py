"""Weight schedules: how much a loss counts as training goes on. ``progress`` runs from 0 to 1."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Protocol

from cls_kd.registry import SCHEDULES


class Schedule(Protocol):
    """A weight over ``progress`` in [0, 1]."""

    def __call__(self, progress: float) -> float: ...


@SCHEDULES.register_module()
class Constant:
    """The same ``value`` throughout."""

    def __init__(self, *, value: float = 1.0) -> None:
        self.value = float(value)

    def __call__(self, progress: float) -> float:
        return self.value


@SCHEDULES.register_module()
class LinearWarmup:
    """From 0 to ``value``, linear, reached at ``until`` (a share of training), then constant.

    DKD's warm-up of 20 out of 240 epochs is ``until=20 / 240``.
    """

    def __init__(self, *, until: float, value: float = 1.0) -> None:
        self.until = float(until)
        self.value = float(value)

    def __call__(self, progress: float) -> float:
        return self.value * (min(progress / self.until, 1.0) if self.until > 0 else 1.0)


@SCHEDULES.register_module()
class GaussianRampUp:
    """``value * exp(-5 (1 - progress / until)^2)`` to ``until``, then ``value`` (ONE, OKDDip)."""

    def __init__(self, *, until: float, value: float = 1.0) -> None:
        self.until = float(until)
        self.value = float(value)

    def __call__(self, progress: float) -> float:
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

    def __call__(self, progress: float) -> float:
        return self.value if self.start <= progress < self.end else 0.0


def as_schedule(weight: float | Schedule | Mapping[str, Any]) -> Schedule:
    """A number, a schedule, or the config of one (``dict(type=LinearWarmup, until=0.1)``)."""
    if isinstance(weight, Mapping):
        return SCHEDULES.build(weight)
    return weight if callable(weight) else Constant(value=weight)
