"""SLD: swapped logit distillation."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from cls_kd.functional import exchange, softened_kl
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import check_fraction, check_temperatures


class SLDLoss(DistillLoss):
    r"""Correct the teacher's logits, later the student's own, by swapping prediction and label.

    Paper: Limantoro et al. 2025, arXiv:2504.20108

    .. math:: L = \sum_T T^2 \big( \mathrm{KL}(\tilde t \,\|\, s) + [p \ge p_0] \,
              \mathrm{KL}(\tilde s \,\|\, s) \big)

    with s and t the softmaxes at temperature T, and the tilde the softmax of logits whose largest
    entry and whose entry of the label are exchanged; p is the fraction of training, the targets are
    constants. Summed over classes, mean over the batch.

    [0] S. E. Limantoro, J.-H. Lin, C.-Y. Wang, Y.-L. Tsai, H.-H. Shuai, C.-C. Huang, W.-H. Cheng,
        "Swapped Logit Distillation via Bi-level Teacher Alignment", Multimedia Systems 2025,
        arXiv:2504.20108.
    [1] StephenEkaputra/Swapped-Logit-Distillation@f035ede:mdistiller/distillers/SLD.py, on one view
        of the images. Differences: the student's swapped logits are constants, there the gradient
        flows through them; the start of their term is a fraction of training, there after 150
        epochs.

    Shapes:
        student_logits, teacher_logits: (N, K).
        labels: (N,), hard.

    Args:
        temperatures: The values of T. Default: CIFAR-100 and ImageNet.
        student_start: p_0, fraction of training after which the student's own logits teach as well.
            Default: 150 of 240 epochs; 1 for never, as on ImageNet.

    Weight:
        0.9, with 0.1 for cross-entropy, on CIFAR-100; 0.5 and 0.5 on ImageNet.
    """

    def __init__(
        self,
        *,
        temperatures: Sequence[float] = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0),
        student_start: float = 150 / 240,
    ) -> None:
        super().__init__()
        check_temperatures(self, temperatures)
        check_fraction(self, student_start=student_start)
        self.temperatures = tuple(temperatures)
        self.student_start = student_start

    def forward(
        self, student_logits: Tensor, teacher_logits: Tensor, labels: Tensor, progress: float
    ) -> dict[str, Tensor]:
        losses = dict(loss_teacher=self._corrected(student_logits, teacher_logits, labels))
        if progress >= self.student_start:
            losses["loss_student"] = self._corrected(student_logits, student_logits, labels)
        return losses

    def _corrected(self, student_logits: Tensor, logits: Tensor, labels: Tensor) -> Tensor:
        """KL divergence from corrected logits, summed over the temperatures."""
        targets = exchange(logits.detach(), logits.argmax(1), labels)
        losses = [softened_kl(student_logits, targets, value) for value in self.temperatures]
        return torch.stack(losses).sum()
