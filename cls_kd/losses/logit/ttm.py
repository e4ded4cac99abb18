"""TTM: transformed teacher matching."""

from __future__ import annotations

from torch import Tensor

from cls_kd.functional import softened_kl
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import check_positive
from cls_kd.losses.search import Range, search_over


class TTMLoss(DistillLoss):
    r"""Match the power transform of the teacher's class distribution, with no student temperature.

    Paper: Zheng and Yang 2024, arXiv:2402.11148

    .. math:: L = \mathrm{KL}(\hat t \,\|\, s), \quad
              \hat t_c = t_c^\gamma / \textstyle\sum_j t_j^\gamma

    with s and t the softmaxes at temperature 1; summed over classes, mean over the batch. The power
    gamma of the teacher's probabilities is a temperature of 1 / gamma for its logits.

    [0] K. Zheng, E.-H. Yang, "Knowledge Distillation Based on Transformed Teacher Matching",
        ICLR 2024, arXiv:2402.11148.
    [1] zkxufo/TTM@fe457b3:distiller_zoo/ttm.py. No difference.

    Shapes:
        student_logits, teacher_logits: (N, K).

    Args:
        power: gamma. Default: CIFAR-100.

    Weight:
        45 for most pairs on CIFAR-100.
    """

    search_space = search_over(power=Range(0.02, 1.0, log=True))

    def __init__(self, *, power: float = 0.1) -> None:
        super().__init__()
        check_positive(self, power=power)
        self.power = power

    def forward(self, student_logits: Tensor, teacher_logits: Tensor) -> Tensor:
        return softened_kl(student_logits, self.power * teacher_logits.detach())
