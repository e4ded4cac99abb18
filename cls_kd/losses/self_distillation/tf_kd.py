"""Tf-KD: regularization by a hand-designed virtual teacher."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import check_fraction, check_positive
from cls_kd.losses.search import Range, search_over


class TfKDRegularizationLoss(DistillLoss):
    r"""Match a hand-designed virtual teacher: high for the correct class, uniform for the others.

    Paper: Yuan et al. 2020, arXiv:1909.11723

    .. math:: L = \mathrm{KL}(\mathrm{softmax}(u / T) \,\|\, f), \quad
              u_y = a, \quad u_c = (1 - a) / (K - 1) \;\; (c \ne y)

    with f the student's softmax at temperature 1, y the label and a ``correct_prob``; summed over
    classes, mean over the batch. Probabilities u go through a softmax where logits usually do, the
    student has no temperature, and there is no factor T^2: all as in [1]. The label's class so
    keeps little more than the others, which makes this label smoothing of another strength.

    The other method of [0], Tf-KD by self-training, is KD from a trained network of the same kind:
    ``KDLoss``, configs/methods/tfkd_self.py.

    [0] L. Yuan, F. Tay, G. Li, T. Wang, J. Feng, "Revisiting Knowledge Distillation via Label
        Smoothing Regularization", CVPR 2020, arXiv:1909.11723.
    [1] yuanli2333/Teacher-free-Knowledge-Distillation@d000ab3:my_loss_function.py, which averages
        over the K classes and multiplies by a number for each network. No difference where that
        number is K; else the weight is alpha * number / K.

    Shapes:
        student_logits: (N, K).
        labels: (N,), hard.

    Args:
        correct_prob: a, above 1/K. Default: all networks of [1].
        temperature: T. Default: ResNet18 on CIFAR-100; 40 for MobileNetV2, 10 for ShuffleNetV2.

    Weight:
        alpha of the paper.
    """

    search_space = search_over(
        correct_prob=Range(0.8, 0.999), temperature=Range(1.0, 40.0, log=True)
    )

    def __init__(self, *, correct_prob: float = 0.99, temperature: float = 20.0) -> None:
        super().__init__()
        check_positive(self, temperature=temperature, correct_prob=correct_prob)
        check_fraction(self, correct_prob=correct_prob)
        self.correct_prob, self.temperature = correct_prob, temperature

    def forward(self, student_logits: Tensor, labels: Tensor) -> Tensor:
        log_student = F.log_softmax(student_logits, dim=1)
        virtual = torch.full_like(log_student, (1 - self.correct_prob) / (log_student.shape[1] - 1))
        virtual = virtual.scatter(1, labels.unsqueeze(1), self.correct_prob)
        log_target = F.log_softmax(virtual / self.temperature, dim=1).detach()
        return F.kl_div(log_student, log_target, reduction="batchmean", log_target=True)
