"""SP: similarity-preserving knowledge distillation."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from cls_kd.functional import normalized_gram
from cls_kd.losses.base import DistillLoss


class SPLoss(DistillLoss):
    r"""Match the pairwise similarities of the last feature maps in a mini-batch.

    Paper: Tung and Mori 2019, arXiv:1907.09682

    .. math:: L = \frac{1}{N^2} \| \hat G^s - \hat G^t \|_F^2, \quad
              \hat G_i = G_i / \| G_i \|_2, \quad G = F F^\top

    with F the flattened maps, one row a sample.

    [0] F. Tung, G. Mori, "Similarity-Preserving Knowledge Distillation", ICCV 2019,
        arXiv:1907.09682.
    [1] megvii-research/mdistiller@a08d46f:mdistiller/distillers/SP.py, which has a list of maps of
        which its configs give the last. No difference.

    Shapes:
        student_feature, teacher_feature: (N, C, h, w), C, h and w may differ.

    Weight:
        3000 on CIFAR-100.
    """

    def forward(self, student_feature: Tensor, teacher_feature: Tensor) -> Tensor:
        student, teacher = student_feature.flatten(1), teacher_feature.detach().flatten(1)
        return F.mse_loss(normalized_gram(student), normalized_gram(teacher))
