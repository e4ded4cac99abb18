"""Ranges in which the options of a loss are searched for, declared beside the options.

A loss names its own::

    class KDLoss(DistillLoss):
        search_space = search_over(temperature=TEMPERATURE)

`cls-kd tune` reads them. The weight of a term needs no declaration: it is always searched for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True)
class Range:
    """Real numbers from ``low`` to ``high``, both included.

    Attributes:
        low: Smallest value.
        high: Largest value.
        log: Whether their logarithm is uniform, for options whose order of magnitude is open.
    """

    low: float
    high: float
    log: bool = False

    def containing(self, value: float) -> Range:
        """The range, extended to the value where that lies outside."""
        return replace(self, low=min(self.low, value), high=max(self.high, value))

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}{', logarithmic' if self.log else ''}"


@dataclass(frozen=True)
class IntegerRange:
    """Whole numbers from ``low`` to ``high``, both included.

    Attributes:
        low: Smallest value.
        high: Largest value.
        log: Whether their logarithm is uniform.
    """

    low: int
    high: int
    log: bool = False

    def containing(self, value: int) -> IntegerRange:
        """The range, extended to the value where that lies outside."""
        return replace(self, low=min(self.low, value), high=max(self.high, value))

    def __str__(self) -> str:
        return f"{self.low} to {self.high}, whole{', logarithmic' if self.log else ''}"


@dataclass(frozen=True)
class Choice:
    """Several values without an order.

    Attributes:
        values: Numbers, texts or truth values.
    """

    values: tuple[Any, ...]

    def containing(self, value: Any) -> Choice:
        """The choice, with the value among its values."""
        return self if value in self.values else Choice((*self.values, value))

    def __str__(self) -> str:
        return " or ".join(map(str, self.values))


Space = Range | IntegerRange | Choice

TEMPERATURE = Range(1.0, 20.0, log=True)
"""Of softened distributions. Ours: published temperatures of distillation are within it."""


def search_over(**options: Space) -> Mapping[str, Space]:
    """The search space of a loss: names of its options to ranges."""
    return MappingProxyType(options)


def around(value: float) -> Range:
    """Values of a term's weight around its default: from a hundredth to ten times of it.

    Ours. It reaches further down than up, since a weight that is made for other data and networks
    often drowns the loss of the labels, while the published ones are seldom far too small.
    """
    return Range(value / 100, value * 10, log=True)
