"""Confidence penalty: entropy regularization of predictions."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from cls_kd.losses.base import DistillLoss


class ConfidencePenaltyLoss(DistillLoss):
    r"""Maximize the entropy of the predicted class distribution, to penalize overconfidence.

    Paper: Pereyra et al. 2017, arXiv:1701.06548

    .. math:: L = -H(f) = \sum_c f_c \log f_c

    with f the softmax at temperature 1; mean over the batch, from -log K (uniform) to 0 (certain).
    It is KL(f || u) - log K for the uniform u, where label smoothing has KL(u || f). The weight
    is the paper's beta; the hinge that the paper also tries is not here.

    [0] G. Pereyra, G. Tucker, J. Chorowski, L. Kaiser, G. Hinton, "Regularizing Neural Networks by
        Penalizing Confident Output Distributions", ICLR Workshop 2017, arXiv:1701.06548.
    [1] No public code of the authors is known.

    Shapes:
        student_logits: (N, K).
    """

    def forward(self, student_logits: Tensor) -> Tensor:
        log_scores = F.log_softmax(student_logits, dim=1)
        return (log_scores.exp() * log_scores).sum(1).mean()
