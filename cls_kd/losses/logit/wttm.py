"""WTTM: weighted transformed teacher matching."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from cls_kd.functional import softened_kl_each
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import check_positive
from cls_kd.losses.search import Range, search_over


class WTTMLoss(DistillLoss):
    r"""Weight each sample of TTM by the smoothness of the teacher's distribution, its power sum.

    Paper: Zheng and Yang 2024, arXiv:2402.11148

    .. math:: L = \mathrm{mean}_n \, U_n \, \mathrm{KL}(\hat t_n \,\|\, s_n), \quad
              U_n = \textstyle\sum_j t_{n,j}^\gamma, \quad \hat t_{n,c} = t_{n,c}^\gamma / U_n

    with s and t the softmaxes at temperature 1. The weights are not normalized over the batch.

    [0] K. Zheng, E.-H. Yang, "Knowledge Distillation Based on Transformed Teacher Matching",
        ICLR 2024, arXiv:2402.11148.
    [1] zkxufo/TTM@fe457b3:distiller_zoo/wttm.py. No difference.

    Shapes:
        student_logits, teacher_logits: (N, K).

    Args:
        power: gamma. Default: CIFAR-100.
    """

    search_space = search_over(power=Range(0.02, 1.0, log=True))

    def __init__(self, *, power: float = 0.1) -> None:
        super().__init__()
        check_positive(self, power=power)
        self.power = power

    def forward(self, student_logits: Tensor, teacher_logits: Tensor) -> Tensor:
        teacher = self.power * F.log_softmax(teacher_logits.detach(), dim=1)
        weights = teacher.logsumexp(1).exp()
        return (weights * softened_kl_each(student_logits, teacher)).mean()
