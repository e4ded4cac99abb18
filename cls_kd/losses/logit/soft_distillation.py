"""DeiT: soft distillation."""

from __future__ import annotations

from torch import Tensor

from cls_kd.functional import softened_kl
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import check_positive
from cls_kd.losses.search import TEMPERATURE, search_over


class SoftDistillationLoss(DistillLoss):
    r"""Match the teacher's softened distribution, averaged over classes: DeiT's scale of KD.

    Paper: Touvron et al. 2021, arXiv:2012.12877

    .. math:: L = \frac{T^2}{N K} \sum_n \mathrm{KL}(\mathrm{softmax}(z^t_n / T) \,\|\,
              \mathrm{softmax}(z^s_n / T))

    the K-th part of `KDLoss`. In DeiT the student's logits are those of its distillation token.

    [0] H. Touvron, M. Cord, M. Douze, F. Massa, A. Sablayrolles, H. Jegou, "Training data-efficient
        image transformers & distillation through attention", ICML 2021, arXiv:2012.12877.
    [1] facebookresearch/deit@7e160fe:losses.py, its distillation_type 'soft'. No difference.

    Shapes:
        student_logits, teacher_logits: (N, K).

    Args:
        temperature: T. Default: ImageNet.

    Weight:
        0.1, with 0.9 for cross-entropy.
    """

    search_space = search_over(temperature=TEMPERATURE)

    def __init__(self, *, temperature: float = 3.0) -> None:
        super().__init__()
        check_positive(self, temperature=temperature)
        self.temperature = temperature

    def forward(self, student_logits: Tensor, teacher_logits: Tensor) -> Tensor:
        kl = softened_kl(student_logits, teacher_logits.detach(), self.temperature)
        return kl / student_logits.shape[1]
