"""CS-KD: class-wise self-distillation between images of the same class."""

from __future__ import annotations

from torch import Tensor

from cls_kd.functional import softened_kl
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import check_positive
from cls_kd.losses.search import TEMPERATURE, search_over


class CSKDLoss(DistillLoss):
    r"""Match the network's softened predictions for another image of the same class.

    Paper: Yun et al. 2020, arXiv:2003.13964

    .. math:: L = T^2 \, \mathrm{KL}(\mathrm{softmax}(\bar z' / T) \,\|\, \mathrm{softmax}(z / T))

    with z' the logits of the other image, a constant; summed over classes, mean over the batch. The
    training data need ``ClassPairs`` around them; configs/methods/cs_kd.py brings it along.

    [0] S. Yun, J. Park, K. Lee, J. Shin, "Regularizing Class-wise Predictions via Self-knowledge
        Distillation", CVPR 2020, arXiv:2003.13964.
    [1] alinlab/cs-kd@b447f25:train.py. The loss has no difference. Ours: the other image is never
        the same one, unless its class has no other.

    Shapes:
        student_logits, pair_logits: (N, K).

    Args:
        temperature: T. Default: all data sets of [1].

    Weight:
        lambda; 1 on CIFAR-100.
    """

    search_space = search_over(temperature=TEMPERATURE)

    def __init__(self, *, temperature: float = 4.0) -> None:
        super().__init__()
        check_positive(self, temperature=temperature)
        self.temperature = temperature

    def forward(self, student_logits: Tensor, pair_logits: Tensor) -> Tensor:
        return softened_kl(student_logits, pair_logits.detach(), self.temperature)
