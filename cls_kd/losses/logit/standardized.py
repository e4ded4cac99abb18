"""Logit standardization: z-scored logits for any logit loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from cls_kd.errors import UserError
from cls_kd.functional import standardize
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.wrapper import LossWrapper

_STANDARDIZED = ("student_logits", "teacher_logits")


class StandardizedLogitsLoss(LossWrapper):
    r"""Standardize the logits of each sample (z-score) before another logit loss.

    Paper: Sun et al. 2024, arXiv:2403.01427

    .. math:: L = L_\mathrm{inner}(Z(z^s), Z(z^t)), \quad
              Z(z) = (z - \mathrm{mean}(z)) / (\mathrm{std}(z) + 10^{-7})

    sample by sample, with the unbiased deviation (K-1); the gradient flows through both. With
    K = 2 it vanishes. All other signals reach the inner loss as they are.

    [0] S. Sun, W. Ren, J. Li, R. Wang, X. Cao, "Logit Standardization in Knowledge Distillation",
        CVPR 2024, arXiv:2403.01427.
    [1] sunshangquan/logit-standardization-KD@f6e5aa5:mdistiller/distillers/KD.py and DKD.py.
        No difference.

    Shapes:
        student_logits, teacher_logits: (N, K).
        Others: what the inner loss asks for.

    Args:
        loss: The inner loss or its config. The paper uses KD at temperature 2 with weight 9 on
            CIFAR-100.
    """

    def __init__(self, *, loss: DistillLoss | Mapping[str, Any]) -> None:
        super().__init__(loss)
        if not set(_STANDARDIZED) & set(self.loss.signals):
            raise UserError(
                f"{type(self.loss).__name__} asks for no logits: there is nothing to standardize."
            )

    def forward(self, **signals: Any) -> Tensor | dict[str, Tensor]:
        for name in _STANDARDIZED:
            if name in signals:
                signals[name] = standardize(signals[name])
        return self.loss(**signals)
