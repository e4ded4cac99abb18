"""DKD: decoupled target-class and non-target-class distillation."""

from __future__ import annotations

from torch import Tensor

from cls_kd.functional import decouple, softened_kl_each
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import check_not_negative, check_positive
from cls_kd.losses.search import TEMPERATURE, Range, search_over


class DKDLoss(DistillLoss):
    r"""Decouple KD into a target-class and a non-target-class term with independent weights.

    Paper: Zhao et al. 2022, arXiv:2203.08679

    .. math:: L = \alpha T^2 \, \mathrm{KL}(b^t \| b^s) + \beta T^2 \, \mathrm{KL}(q^t \| q^s)

    with b the softmax at temperature T folded to (label, all others) and q the softmax at T over
    the K-1 other classes; mean over the batch. With K = 2 the second term is 0.

    [0] B. Zhao, Q. Cui, R. Song, Y. Qiu, J. Liang, "Decoupled Knowledge Distillation", CVPR 2022,
        arXiv:2203.08679.
    [1] megvii-research/mdistiller@a08d46f:mdistiller/distillers/DKD.py. Differences: the label's
        class is removed instead of masked by -1000, and all is in logarithms; the warm-up over 20
        epochs is left to ``weight``.

    Shapes:
        student_logits, teacher_logits: (N, K).
        labels: (N,), hard.

    Args:
        alpha: alpha, weight of the target term. Default: CIFAR-100 and ImageNet.
        beta: beta, weight of the non-target term. Default: ResNet32x4 to ResNet8x4 on CIFAR-100.
        temperature: T. Default: CIFAR-100; on ImageNet 1.
    """

    search_space = search_over(
        alpha=Range(0.1, 10.0, log=True), beta=Range(0.1, 20.0, log=True), temperature=TEMPERATURE
    )

    def __init__(self, *, alpha: float = 1.0, beta: float = 8.0, temperature: float = 4.0) -> None:
        super().__init__()
        check_not_negative(self, alpha=alpha, beta=beta)
        check_positive(self, temperature=temperature)
        self.alpha, self.beta, self.temperature = alpha, beta, temperature

    def forward(self, student_logits: Tensor, teacher_logits: Tensor, labels: Tensor) -> Tensor:
        return self.per_sample(student_logits, teacher_logits, labels).mean()

    def per_sample(self, student_logits: Tensor, teacher_logits: Tensor, labels: Tensor) -> Tensor:
        """The loss of each sample, (N,)."""
        student_target, student_rest = decouple(student_logits / self.temperature, labels)
        teacher_logits = teacher_logits.detach() / self.temperature
        teacher_target, teacher_rest = decouple(teacher_logits, labels)
        target = softened_kl_each(student_target, teacher_target)
        non_target = softened_kl_each(student_rest, teacher_rest)
        return self.temperature**2 * (self.alpha * target + self.beta * non_target)
