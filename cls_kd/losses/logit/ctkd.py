"""CTKD: curriculum temperature."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from cls_kd.functional import scale_gradient, softened_kl
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import check_not_negative, check_positive
from cls_kd.losses.search import Range, search_over


class CTKDLoss(DistillLoss):
    r"""KD at a learned temperature that is trained against the student, harder from epoch to epoch.

    Paper: Li et al. 2023, arXiv:2211.16231

    .. math:: L = T^2 \, \mathrm{KL}(\mathrm{softmax}(z^t / T) \,\|\, \mathrm{softmax}(z^s / T)),
              \quad T = a + b \, \sigma(\theta)

    with theta one learned number; summed over classes, mean over the batch. The gradient of theta
    is multiplied by -(1 - cos(pi min(e / E, 1))) / 2 in the e-th of the E epochs of the ramp, and
    by -1 afterwards: theta ascends the loss. The student's optimizer trains theta, with its
    learning rate and weight decay. T starts at 15.6.

    [0] Z. Li, X. Li, L. Yang, B. Zhao, R. Song, L. Luo, J. Li, J. Yang, "Curriculum Temperature for
        Knowledge Distillation", AAAI 2023, arXiv:2211.16231.
    [1] zhengli97/CTKD@7d52522:distiller_zoo/KD.py, models/temp_global.py and train_student.py: the
        global temperature. Difference: the ramp is a fraction of training, there 10 epochs.

    Shapes:
        student_logits, teacher_logits: (N, K).

    Args:
        start: a, smallest temperature. Default: CIFAR-100 and ImageNet.
        width: b, range of temperatures. Default: CIFAR-100 and ImageNet.
        ramp: Fraction of training over which the reversed gradient grows. Default: 10 of 240
            epochs, CIFAR-100; on ImageNet 5 of 120.

    Weight:
        0.9, with 0.1 for cross-entropy, on CIFAR-100; 1 and 1 on ImageNet.
    """

    search_space = search_over(width=Range(2.0, 40.0, log=True))

    stateless = False

    def __init__(self, *, start: float = 1.0, width: float = 20.0, ramp: float = 10 / 240) -> None:
        super().__init__()
        check_positive(self, start=start)
        check_not_negative(self, width=width, ramp=ramp)
        self.start = start
        self.width = width
        self.ramp = ramp
        self.raw_temperature = nn.Parameter(torch.ones(1))

    def forward(
        self, student_logits: Tensor, teacher_logits: Tensor, epoch: int, max_epochs: int
    ) -> dict[str, Tensor]:
        raw = self.raw_temperature
        factor = self._reversal(epoch, max_epochs)
        temperature = self.start + self.width * scale_gradient(raw, factor).sigmoid()
        loss = softened_kl(student_logits, teacher_logits.detach(), temperature)
        return dict(loss=loss.squeeze(), temperature=temperature.detach().squeeze())

    def _reversal(self, epoch: int, max_epochs: int) -> float:
        """Factor of theta's gradient, from 0 to -1, constant in each epoch."""
        epochs = self.ramp * max_epochs
        finished = min((epoch + 1) / epochs, 1.0) if epochs > 0 else 1.0
        return -(1 - math.cos(math.pi * finished)) / 2
