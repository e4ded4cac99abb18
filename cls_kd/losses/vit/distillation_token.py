"""DeiT: a loss of the distillation token's logits."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from torch import Tensor

from cls_kd.errors import UserError
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.wrapper import LossWrapper

_LOGITS, _TOKEN_LOGITS = "student_logits", "student_distillation_token_logits"


class DistillationTokenLoss(LossWrapper):
    r"""Apply a logit loss to the logits of the student's distillation token.

    Paper: Touvron et al. 2021, arXiv:2012.12877

    .. math:: L = L_\mathrm{inner}(z^{s,\mathrm{distillation}}, z^t)

    The student predicts by the mean of both tokens' logits. All other signals reach the inner loss
    as they are.

    [0] H. Touvron, M. Cord, M. Douze, F. Massa, A. Sablayrolles, H. Jegou, "Training data-efficient
        image transformers & distillation through attention", ICML 2021, arXiv:2012.12877.
    [1] facebookresearch/deit@7e160fe:losses.py and models.py. No difference.

    Shapes:
        student_distillation_token_logits, teacher_logits: (N, K).
        Others: what the inner loss asks for.

    Args:
        loss: The inner loss or its config; it asks for ``student_logits``. In DeiT, cross-entropy
            with the teacher's predicted class.

    Weight:
        0.5 on ImageNet.
    """

    def __init__(self, *, loss: DistillLoss | Mapping[str, Any]) -> None:
        super().__init__(loss)
        if _LOGITS not in self.loss.signals:
            raise UserError(
                f"DistillationTokenLoss: {type(self.loss).__name__} does not ask for "
                f"{_LOGITS!r}, in whose place the distillation token's logits are given."
            )

    @cached_property
    def signals(self) -> tuple[str, ...]:
        """The inner loss's signals, with the distillation token's logits for the student's."""
        return tuple(_TOKEN_LOGITS if name == _LOGITS else name for name in self.loss.signals)

    def forward(self, **signals: Any) -> Tensor | dict[str, Tensor]:
        signals[_LOGITS] = signals.pop(_TOKEN_LOGITS)
        return self.loss(**signals)
