"""Losses around another loss."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar

from cls_kd.errors import UserError
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import inner_loss
from cls_kd.signals.shapes import SignalShapes


class LossWrapper(DistillLoss):
    """A loss that calls another one, on signals that it has changed.

    A subclass implements ``forward(**signals)`` and calls ``self.loss(**signals)``.

    Attributes:
        asks: Signals that the wrapper needs beside the inner loss's.

    Args:
        loss: The inner loss or its config.
    """

    asks: ClassVar[tuple[str, ...]] = ()
    loss: Any

    def __init__(self, loss: DistillLoss | Mapping[str, Any]) -> None:
        super().__init__()
        self.loss = inner_loss(self, loss)

    @cached_property
    def signals(self) -> tuple[str, ...]:
        """The inner loss's signals and those that the wrapper needs."""
        return tuple(dict.fromkeys((*self.loss.signals, *self.asks)))

    def build(self, shapes: SignalShapes) -> None:
        self.loss.build(shapes)

    def inner_signals(self, signals: Mapping[str, Any]) -> dict[str, Any]:
        """``signals`` without those that only the wrapper needs."""
        extra = set(self.asks) - set(self.loss.signals)
        return {name: value for name, value in signals.items() if name not in extra}


def check_signals(owner: object, loss: DistillLoss, known: tuple[str, ...]) -> None:
    """Refuse an inner loss that asks for other signals than the wrapper can give it.

    Raises:
        UserError: Naming the inner loss and the signals.
    """
    others = [name for name in loss.signals if name not in known]
    if others:
        raise UserError(
            f"{type(owner).__name__}: {type(loss).__name__} asks for {', '.join(others)}; the "
            f"inner loss may ask for {', '.join(known)} alone, as KDLoss and DKDLoss do."
        )


def check_per_sample(owner: object, loss: DistillLoss) -> None:
    """Refuse an inner loss that has no value for each sample.

    Raises:
        UserError: Naming the inner loss and those that would do.
    """
    if not hasattr(loss, "per_sample"):
        raise UserError(
            f"{type(owner).__name__} weights the samples of its inner loss, and "
            f"{type(loss).__name__} has no value for each sample (`per_sample`), as KDLoss, "
            "DKDLoss and NKDLoss have."
        )
