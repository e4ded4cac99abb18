"""MLKD's batch level: correlations of predictions between samples of a batch."""

from __future__ import annotations

from torch import Tensor

from cls_kd.functional import batch_correlation
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import check_positive
from cls_kd.losses.search import TEMPERATURE, search_over


class BatchCorrelationLoss(DistillLoss):
    r"""Match the similarity of predictions between the samples of a batch (MLKD's batch level).

    Paper: Jin et al. 2023, CVPR

    .. math:: L = \frac{1}{N} \| S S^\top - T T^\top \|_F^2

    with the rows of S and T (N, K) the softmaxes of student and teacher.

    [0] Y. Jin, J. Wang, D. Lin, "Multi-Level Logit Distillation", CVPR 2023.
    [1] Jin-Ying/Multi-Level-Logit-Distillation@5ee473f:mdistiller/distillers/KD_ours.py, its
        function bc_loss. No difference.

    Shapes:
        student_logits, teacher_logits: (N, K).

    Args:
        temperature: Of the softmaxes. Default: CIFAR-100.
    """

    search_space = search_over(temperature=TEMPERATURE)

    def __init__(self, *, temperature: float = 4.0) -> None:
        super().__init__()
        check_positive(self, temperature=temperature)
        self.temperature = temperature

    def forward(self, student_logits: Tensor, teacher_logits: Tensor) -> Tensor:
        return batch_correlation(student_logits, teacher_logits.detach(), self.temperature)
