"""GKD: gradient scaling of a logit loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import check_finite, check_positive
from cls_kd.losses.wrapper import LossWrapper, check_signals


class GradientScaledLoss(LossWrapper):
    r"""Scale the gradient of a logit loss at non-target classes by the teacher's confidence.

    Paper: none

    .. math:: \frac{\partial L}{\partial z^s_{n,c}} = w_n
              \frac{\partial L_\mathrm{inner}}{\partial z^s_{n,c}} \;\; (c \ne y_n), \quad
              w_n = a \, \sigma(b \, (m_n - \mathrm{mean}_n m_n)), \quad
              m_n = \max_c \mathrm{softmax}(z^t_n / T)_c

    The value is that of the inner loss, and the gradient at the label y is unchanged. The mean is
    that of the local batch. Gradient-scaled KD and DKD were published as code alone.

    Code: snw2021/GKD@97b4d08:mdistiller/distillers/GradientKD.py and DKD_GKD.py. Difference: the
    warm-up of the weight is left to ``weight``. The weight of KD in its configs is read and not
    used: it is 1.

    Shapes:
        student_logits, teacher_logits: (N, K).
        labels: (N,), hard.

    Args:
        loss: The inner loss or its config: one of logits, which asks for nothing else.
        scale: a. Default: CIFAR-100 and ImageNet.
        slope: b. Default: CIFAR-100 and ImageNet.
        confidence_temperature: T. Default: CIFAR-100.
    """

    asks = ("student_logits", "teacher_logits", "labels")

    def __init__(
        self,
        *,
        loss: DistillLoss | Mapping[str, Any],
        scale: float = 2.0,
        slope: float = 0.6,
        confidence_temperature: float = 4.0,
    ) -> None:
        super().__init__(loss)
        check_signals(self, self.loss, self.asks)
        check_positive(self, scale=scale, confidence_temperature=confidence_temperature)
        check_finite(self, "slope", (slope,))
        self.scale = scale
        self.slope = slope
        self.confidence_temperature = confidence_temperature

    def forward(self, **signals: Any) -> Tensor | dict[str, Tensor]:
        logits = signals["student_logits"]
        weights = self._weights(signals["teacher_logits"].detach(), signals["labels"])
        scaled = weights * logits
        signals["student_logits"] = scaled + (logits - scaled).detach()
        return self.loss(**self.inner_signals(signals))

    def _weights(self, teacher_logits: Tensor, labels: Tensor) -> Tensor:
        """Factors of the gradient, (N, K)."""
        probabilities = F.softmax(teacher_logits / self.confidence_temperature, dim=1)
        confidence = probabilities.amax(1, keepdim=True)
        weights = self.scale * (self.slope * (confidence - confidence.mean())).sigmoid()
        return weights.expand_as(teacher_logits).scatter(1, labels.unsqueeze(1), 1.0)
