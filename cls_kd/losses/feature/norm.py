"""NORM: N-to-one representation matching."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from cls_kd.errors import UserError
from cls_kd.losses.base import DistillLoss
from cls_kd.signals.shapes import SignalShapes


class NORMLoss(DistillLoss):
    r"""Regress N copies of the teacher's last map from the student's expanded map.

    Paper: Liu et al. 2023, arXiv:2305.13803

    .. math:: L = \sum_{i=1}^{n} \mathrm{mean}\,(g_i - f^t)^2

    with g_1 to g_n the n groups of channels of the student's expanded map. The student has to be an
    ``NToOneClassifier``: a linear residual block that expands its last map to n times the teacher's
    width and contracts it again; n follows from its channels. A larger map is max-pooled.

    [0] X. Liu, L. Li, C. Li, A. Yao, "NORM: Knowledge Distillation via N-to-One Representation
        Matching", ICLR 2023, arXiv:2305.13803.
    [1] OSVAI/NORM@c6dfc39:helper/loops.py and models/cifar/resnet_student.py. Differences: in
        training on CIFAR-100, [1] also standardizes the logits of both networks (layer
        normalization without weights) and multiplies them by 2.5 before every loss on logits,
        cross-entropy included, and tests on plain logits. That is not done here, and published
        results come from it. [1] cannot train its ShuffleNets: they add the image as the residual.

    Shapes:
        student_expanded_feature: (N, n C, h, w).
        teacher_feature: (N, C, h, w).

    Weight:
        1 on CIFAR-100, where that of cross-entropy is 0.0625 to 0.5.
    """

    stateless = True  # build only checks

    def build(self, shapes: SignalShapes) -> None:
        expanded = shapes.tensor("student_expanded_feature")[0]
        teacher = shapes.tensor("teacher_feature")[0]
        if expanded % teacher:
            raise UserError(
                f"NORMLoss: the student's expanded map has {expanded} channels, no multiple of the "
                f"teacher's {teacher}. Give the student teacher_channels={teacher}."
            )

    def forward(self, student_expanded_feature: Tensor, teacher_feature: Tensor) -> Tensor:
        size = [*map(min, student_expanded_feature.shape[-2:], teacher_feature.shape[-2:])]
        teacher = F.adaptive_max_pool2d(teacher_feature.detach(), size).unsqueeze(1)
        student = F.adaptive_max_pool2d(student_expanded_feature, size)
        groups = student.unflatten(1, (-1, teacher.shape[2]))  # (N, n, C, h, w)
        return groups.shape[1] * F.mse_loss(groups, teacher.expand_as(groups))
