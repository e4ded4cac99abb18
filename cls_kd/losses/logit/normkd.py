"""NormKD: a temperature for each sample, from the deviation of its logits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from cls_kd.losses.base import DistillLoss
from cls_kd.losses.wrapper import LossWrapper, check_per_sample

_SMALLEST = 1e-7


class NormKDLoss(LossWrapper):
    r"""Soften the logits of each sample by their own standard deviation, in KD or in DKD.

    Paper: Chi et al. 2023, arXiv:2308.00520

    .. math:: L = \mathrm{mean}_n \, \sigma(z^t_n)^2 \,
              L_\mathrm{inner}(z^s_n / \sigma(z^s_n), z^t_n / \sigma(z^t_n))

    with sigma the unbiased deviation over classes (K-1); the gradient flows through the student's.
    With KD at temperature tau inside, each sample's temperature is tau times its deviation, and the
    factor of its KL divergence is the square of the teacher's.

    [0] Z. Chi, T. Zheng, H. Li, Z. Yang, B. Wu, B. Lin, D. Cai, "NormKD: Normalized Logits for
        Knowledge Distillation", 2023, arXiv:2308.00520.
    [1] gizi1/NormKD@279371b:mdistiller/distillers/NormKD.py and NormKD_W_DKD.py. Differences:
        deviations below 1e-7 count as 1e-7, ours; the warm-up of its DKD is left to ``weight``.

    Shapes:
        student_logits, teacher_logits: (N, K).
        Others: what the inner loss asks for.

    Args:
        loss: The inner loss or its config, one with a value for each sample (KD, DKD). Its
            temperature is tau. The paper uses KD at 2 on CIFAR-100 and at 1 on ImageNet.
    """

    def __init__(self, *, loss: DistillLoss | Mapping[str, Any]) -> None:
        super().__init__(loss)
        check_per_sample(self, self.loss)

    def forward(self, **signals: Any) -> Tensor:
        teacher_logits = signals["teacher_logits"].detach()
        student_logits = signals["student_logits"]
        deviation = _deviations(teacher_logits)
        scaled = dict(
            student_logits=student_logits / _deviations(student_logits),
            teacher_logits=teacher_logits / deviation,
        )
        losses = self.loss.per_sample(**{**signals, **scaled})
        return (deviation.squeeze(1).square() * losses).mean()


def _deviations(logits: Tensor) -> Tensor:
    """Of each sample over the classes, (N, 1)."""
    return logits.std(1, keepdim=True).clamp_min(_SMALLEST)
