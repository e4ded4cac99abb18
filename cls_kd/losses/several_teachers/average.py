"""AVER: the mean of the distillation losses of several teachers."""

from __future__ import annotations

from torch import Tensor

from cls_kd.functional import teacher_kl_each
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import check_positive
from cls_kd.losses.search import TEMPERATURE, search_over


class AverageTeachersLoss(DistillLoss):
    r"""Match the softened predictions of several teachers, all with the same weight.

    Paper: You et al. 2017, KDD 2017

    .. math:: L = \frac{T^2}{P} \sum_t \mathrm{KL}(\mathrm{softmax}(z_t / T) \,\|\,
              \mathrm{softmax}(z / T))

    mean over the batch. It is the mean of the teachers' losses, where ``KDLoss`` with several
    teachers is the loss against their mean logits.

    [0] S. You, C. Xu, C. Xu, D. Tao, "Learning from Multiple Teacher Networks", KDD 2017, of which
        this is the part on logits, as later works compare with it (AVER).
    [1] Rorozhl/CA-MKD@c2f39a9:helper/loops.py. No difference.

    Shapes:
        student_logits: (N, K).
        all_teacher_logits: (P, N, K).

    Args:
        temperature: T. Default: CIFAR-100.
    """

    search_space = search_over(temperature=TEMPERATURE)

    def __init__(self, *, temperature: float = 4.0) -> None:
        super().__init__()
        check_positive(self, temperature=temperature)
        self.temperature = temperature

    def forward(self, student_logits: Tensor, all_teacher_logits: Tensor) -> Tensor:
        return teacher_kl_each(student_logits, all_teacher_logits.detach(), self.temperature).mean()
