"""KD: KL divergence from the teacher's softened distribution."""

from __future__ import annotations

from torch import Tensor

from cls_kd.functional import softened_kl, softened_kl_each
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import check_positive
from cls_kd.losses.search import TEMPERATURE, search_over


class KDLoss(DistillLoss):
    r"""Match the teacher's softened class distribution: KL divergence at a temperature.

    Paper: Hinton et al. 2015, arXiv:1503.02531

    .. math:: L = T^2 \, \mathrm{KL}(\mathrm{softmax}(z^t / T) \,\|\, \mathrm{softmax}(z^s / T))

    summed over classes, mean over the batch.

    [0] G. Hinton, O. Vinyals, J. Dean, "Distilling the Knowledge in a Neural Network", NIPS Deep
        Learning Workshop 2014, arXiv:1503.02531.
    [1] megvii-research/mdistiller@a08d46f:mdistiller/distillers/KD.py. No difference.

    Shapes:
        student_logits, teacher_logits: (N, K).

    Args:
        temperature: T. Default: the usual 4 of CIFAR-100; on ImageNet 1 is usual.
    """

    search_space = search_over(temperature=TEMPERATURE)

    def __init__(self, *, temperature: float = 4.0) -> None:
        super().__init__()
        check_positive(self, temperature=temperature)
        self.temperature = temperature

    def forward(self, student_logits: Tensor, teacher_logits: Tensor) -> Tensor:
        return softened_kl(student_logits, teacher_logits.detach(), self.temperature)

    def per_sample(self, student_logits: Tensor, teacher_logits: Tensor) -> Tensor:
        """The loss of each sample, (N,)."""
        return softened_kl_each(student_logits, teacher_logits.detach(), self.temperature)
