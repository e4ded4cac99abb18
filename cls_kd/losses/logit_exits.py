"""The base class of losses of logits on classifiers that are attached inside the student."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from cls_kd.errors import UserError
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import built
from cls_kd.losses.wrapper import LossWrapper
from cls_kd.signals.shapes import SignalShapes


class LogitExits(LossWrapper):
    """A sum of an inner loss of logits over exits: classifiers inside the student.

    Subclasses define `make_exits` and name the signal that the exits take.

    Attributes:
        tapped: That signal, a tuple of the student's.

    Args:
        loss: The inner loss or its config; it asks for ``student_logits``.

    Raises:
        UserError: The inner loss does not ask for ``student_logits``.
    """

    tapped: ClassVar[str]

    def __init__(self, loss: DistillLoss | Mapping[str, Any]) -> None:
        super().__init__(loss)
        if "student_logits" not in self.loss.signals:
            raise UserError(
                f"{type(self).__name__}: {type(self.loss).__name__} does not ask for "
                "'student_logits', in whose place the logits of exits are given."
            )
        self.exits: nn.Module | None = None

    @cached_property
    def signals(self) -> tuple[str, ...]:
        """The signals of the exits, and the inner loss's signals but the student's logits."""
        inner = (name for name in self.loss.signals if name != "student_logits")
        return tuple(dict.fromkeys((*self.asks, *inner)))

    def make_exits(self, shapes: SignalShapes) -> nn.Module:
        """The module from the tapped signal to a list of logits (N, K)."""
        raise NotImplementedError

    def chosen(self, tapped: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """The items of the tapped signal that have an exit."""
        return tapped

    def build(self, shapes: SignalShapes) -> None:
        self.exits = self.make_exits(shapes)
        super().build(shapes)

    def forward(self, **signals: Any) -> Tensor:
        logits = built(self.exits, self)(self.chosen(signals[self.tapped]))
        others = self.inner_signals(signals)
        terms = [_total(self.loss(student_logits=item, **others)) for item in logits]
        return torch.stack(terms).sum()


def _total(result: Tensor | dict[str, Tensor]) -> Tensor:
    if isinstance(result, Tensor):
        return result
    return torch.stack([value for name, value in result.items() if "loss" in name]).sum()
