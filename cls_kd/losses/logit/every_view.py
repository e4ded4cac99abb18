"""A logit loss on every view of the images."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from torch import Tensor

from cls_kd.losses.base import DistillLoss
from cls_kd.losses.wrapper import LossWrapper, check_signals

_LOGITS = {"student_logits": "view_logits", "teacher_logits": "teacher_view_logits"}
_SHARED = ("labels", "targets", "epoch", "max_epochs", "progress")


class EveryViewLoss(LossWrapper):
    r"""Apply a logit loss to every augmentation of an image, and sum.

    Paper: none

    .. math:: L = \sum_v L_\mathrm{inner}(z^s_v, z^t_v)

    with v the views: teacher and student see the same. MLKD, SLD and NTCE-KD were published with a
    weak and a strong view. The training data need ``Views`` or ``StrongViews`` around them.

    Shapes:
        view_logits, teacher_view_logits: (V, N, K).
        Others: what the inner loss asks for beside logits.

    Args:
        loss: The inner loss or its config: one of logits, labels and the training time.
    """

    def __init__(self, *, loss: DistillLoss | Mapping[str, Any]) -> None:
        super().__init__(loss)
        check_signals(self, self.loss, (*_LOGITS, *_SHARED))

    @cached_property
    def signals(self) -> tuple[str, ...]:
        """The inner loss's signals, with the logits of all views in the place of one."""
        return tuple(_LOGITS.get(name, name) for name in self.loss.signals)

    def forward(self, **signals: Any) -> Tensor | dict[str, Tensor]:
        views = {name: signals.pop(view) for name, view in _LOGITS.items() if view in signals}
        count = len(views["student_logits"])
        results = [
            self.loss(**signals, **{name: logits[view] for name, logits in views.items()})
            for view in range(count)
        ]
        if isinstance(results[0], Tensor):
            return sum(results[1:], start=results[0])
        return {
            name: sum((result[name] for result in results[1:]), start=value)
            for name, value in results[0].items()
        }
