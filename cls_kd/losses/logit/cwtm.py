"""CWTM: cross-entropy weighted by the teacher's confidence."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from cls_kd.losses.base import DistillLoss


class CWTMLoss(DistillLoss):
    r"""Weight each sample's cross-entropy by the teacher's confidence, its maximum probability.

    Paper: Furlanello et al. 2018, arXiv:1805.04770

    .. math:: L = -\sum_n w_n \sum_c v_{nc} \log s_{nc}, \quad
              w_n = \max_c t_{nc} \Big/ \sum_m \max_c t_{mc}

    with s and t the softmaxes at temperature 1 and v the label; the sums are over the batch of one
    process. It replaces the cross-entropy: the ablation of [0] that keeps of KD only the weight of
    each sample, without the other classes' probabilities (confidence weighted by teacher max).

    [0] T. Furlanello, Z. Lipton, M. Tschannen, L. Itti, A. Anandkumar, "Born-Again Neural
        Networks", ICML 2018, arXiv:1805.04770.
    [1] No public code of the authors is known.

    Shapes:
        student_logits, teacher_logits, targets: (N, K).
    """

    def forward(self, student_logits: Tensor, teacher_logits: Tensor, targets: Tensor) -> Tensor:
        confidence = F.softmax(teacher_logits.detach(), dim=1).amax(1)
        each = -(targets * F.log_softmax(student_logits, dim=1)).sum(1)
        return (confidence / confidence.sum() * each).sum()
