"""VkD: an orthogonal projection of the student's representation."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import orthogonal

from cls_kd.functional import patch_tokens
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import built
from cls_kd.losses.tokens import check_grid
from cls_kd.signals.shapes import SignalShapes


class VkDLoss(DistillLoss):
    r"""Match the teacher's normalized pooled map by an orthogonal projection of the mean token.

    Paper: Miles et al. 2024, arXiv:2403.06213

    .. math:: L = \mathrm{mean}\;\mathrm{smooth}_{L_1}(P \bar x^s - \mathrm{LN}(\bar f^t)),
              \qquad P^\top P = I \;\text{or}\; P P^\top = I

    with the mean of the student's patch tokens after the final norm, the teacher's pooled map and
    layer normalization without weights; P is a linear layer without bias, kept orthogonal by a
    parametrization (matrix exponential or Householder reflections).

    [0] R. Miles, I. Elezi, J. Deng, "VkD: Improving Knowledge Distillation using Orthogonal
        Projections", CVPR 2024, arXiv:2403.06213.
    [1] roymiles/VkD@6f8a507:engine.py and train.py. Differences: its distillation token, which it
        starts as the mean of the patch embeddings, its convolutional stem and the loss on logits
        are not parts of this loss.

    Shapes:
        student_normed_tokens: (N, L, D).
        teacher_feature: (N, C, h, w).

    Weight:
        1 on ImageNet.
    """

    def __init__(self) -> None:
        super().__init__()
        self.projection: nn.Module | None = None

    def build(self, shapes: SignalShapes) -> None:
        tokens = shapes.tensor("student_normed_tokens")
        check_grid(self, "student", tokens)
        teacher = shapes.tensor("teacher_feature")[0]
        self.projection = orthogonal(nn.Linear(tokens[1], teacher, bias=False))

    def forward(self, student_normed_tokens: Tensor, teacher_feature: Tensor) -> Tensor:
        projected = built(self.projection, self)(patch_tokens(student_normed_tokens).mean(1))
        pooled = teacher_feature.detach().mean((2, 3))
        return F.smooth_l1_loss(projected, F.layer_norm(pooled, pooled.shape[1:]))
