"""NormKD: a temperature for each sample, from the deviation of its logits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from cls_kd.errors import UserError
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import check_positive
from cls_kd.losses.wrapper import LossWrapper, check_per_sample

_SMALLEST_DEVIATION = 1e-7


class NormKDLoss(LossWrapper):
    r"""Soften the logits of each sample by their own standard deviation, in KD or in DKD.

    Paper: Chi et al. 2023, arXiv:2308.00520

    .. math:: L = \mathrm{mean}_n \, (T_n^t)^2 \, L_\mathrm{inner}(z^s_n / T_n^s, z^t_n / T_n^t),
              \quad T_n = \tau \, \mathrm{std}(z_n)

    with the inner loss at temperature 1 and the unbiased deviation over classes (K-1); the gradient
    flows through the student's deviation.

    [0] Z. Chi, T. Zheng, H. Li, Z. Yang, B. Wu, B. Lin, D. Cai, "NormKD: Normalized Logits for
        Knowledge Distillation", 2023, arXiv:2308.00520.
    [1] gizi1/NormKD@279371b:mdistiller/distillers/NormKD.py and NormKD_W_DKD.py. Differences:
        deviations below 1e-7 count as 1e-7, ours; the warm-up of its DKD is left to ``weight``.

    Shapes:
        student_logits, teacher_logits: (N, K).
        Others: what the inner loss asks for.

    Args:
        temperature: tau. Default: CIFAR-100; on ImageNet 1.
        loss: The inner loss or its config without a temperature: one with a value for each sample
            (KD, DKD). Default: KD.
    """

    def __init__(
        self, *, temperature: float = 2.0, loss: DistillLoss | Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(_at_temperature_one(self, loss))
        check_positive(self, temperature=temperature)
        check_per_sample(self, self.loss)
        self.temperature = temperature

    def forward(self, **signals: Any) -> Tensor:
        teacher_logits = signals["teacher_logits"].detach()
        teacher_temperature = self._temperatures(teacher_logits)
        student_logits = signals["student_logits"]
        scaled = dict(
            student_logits=student_logits / self._temperatures(student_logits),
            teacher_logits=teacher_logits / teacher_temperature,
        )
        losses = self.loss.per_sample(**{**signals, **scaled})
        return (teacher_temperature.squeeze(1).square() * losses).mean()

    def _temperatures(self, logits: Tensor) -> Tensor:
        """The temperature of each sample, (N, 1)."""
        deviation = logits.std(1, keepdim=True).clamp_min(_SMALLEST_DEVIATION)
        return self.temperature * deviation


def _at_temperature_one(
    owner: object, loss: DistillLoss | Mapping[str, Any] | None
) -> DistillLoss | Mapping[str, Any]:
    """The inner loss at temperature 1, the logits being divided by temperatures of their own."""
    if isinstance(loss, DistillLoss):
        temperature = getattr(loss, "temperature", 1.0)
    else:
        loss = {"type": "KDLoss"} if loss is None else dict(loss)
        temperature = loss.setdefault("temperature", 1.0)
    if temperature != 1.0:
        raise UserError(
            f"{type(owner).__name__}: the temperatures come from the logits; leave out the inner "
            f"loss's temperature={temperature!r}."
        )
    return loss
