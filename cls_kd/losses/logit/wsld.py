"""WSLD: weighted soft labels, sample by sample."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import check_positive
from cls_kd.losses.search import TEMPERATURE, search_over

_EPS = 1e-7


class WSLDLoss(DistillLoss):
    r"""Weight each sample's KD loss by the ratio of the student's cross-entropy to the teacher's.

    Paper: Zhou et al. 2021, arXiv:2102.00650

    .. math:: L = T^2 \, \mathrm{mean}_n\, w_n H(t_n^{(T)}, s_n^{(T)}), \quad
              w_n = 1 - \exp(-\mathrm{CE}^s_n / (\mathrm{CE}^t_n + 10^{-7}))

    with the cross-entropies in w at temperature 1; w is a constant. H is a cross-entropy.

    [0] H. Zhou, L. Song, J. Chen, Y. Zhou, G. Wang, J. Yuan, Q. Zhang, "Rethinking Soft Labels for
        Knowledge Distillation: A Bias-Variance Tradeoff Perspective", ICLR 2021, arXiv:2102.00650.
    [1] yzd-v/cls_KD@1e5d48f:mmcls/models/dis_losses/wsld.py. Differences: its alpha is ``weight``;
        it refuses mixed labels, of which the largest class is taken here (ours).

    Shapes:
        student_logits, teacher_logits: (N, K).
        labels: (N,), hard.

    Args:
        temperature: T. Default: ImageNet; 4 on CIFAR-100.

    Weight:
        2.5 on ImageNet, 2.25 on CIFAR-100.
    """

    search_space = search_over(temperature=TEMPERATURE)

    def __init__(self, *, temperature: float = 2.0) -> None:
        super().__init__()
        check_positive(self, temperature=temperature)
        self.temperature = temperature

    def forward(self, student_logits: Tensor, teacher_logits: Tensor, labels: Tensor) -> Tensor:
        teacher_logits = teacher_logits.detach()
        student_error = F.cross_entropy(student_logits.detach(), labels, reduction="none")
        teacher_error = F.cross_entropy(teacher_logits, labels, reduction="none")
        weights = -torch.expm1(-student_error / (teacher_error + _EPS))
        student = F.log_softmax(student_logits / self.temperature, dim=1)
        teacher = F.softmax(teacher_logits / self.temperature, dim=1)
        return -(self.temperature**2) * (weights * (teacher * student).sum(dim=1)).mean()
