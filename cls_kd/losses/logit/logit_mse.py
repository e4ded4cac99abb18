"""LogitMSE: regression of the teacher's logits."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from cls_kd.losses.base import DistillLoss


class LogitMSELoss(DistillLoss):
    r"""Regress the teacher's logits: mean squared error.

    Paper: Ba and Caruana 2014, arXiv:1312.6184

    .. math:: L = \mathrm{mean}_{n,i} (z^s_{ni} - z^t_{ni})^2

    over samples and classes. Up to a factor it is KD's limit for a large temperature on logits
    without a mean (Kim et al. 2021, arXiv:2105.08919).

    [0] L. J. Ba, R. Caruana, "Do Deep Nets Really Need to be Deep?", NIPS 2014, arXiv:1312.6184.
    [1] No code of the authors; values from the formula. The paper has half of the sum over classes.
        Ours: the mean, as torch.nn.MSELoss.

    Shapes:
        student_logits, teacher_logits: (N, K).
    """

    multi_label = True

    def forward(self, student_logits: Tensor, teacher_logits: Tensor) -> Tensor:
        return F.mse_loss(student_logits, teacher_logits.detach())
