"""FeatureMSE: regression of the teacher's last feature map."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from cls_kd.functional import match_size
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import built
from cls_kd.modules.connectors import align_channels
from cls_kd.signals.shapes import SignalShapes


class FeatureMSELoss(DistillLoss):
    r"""Regress the teacher's last feature map: mean squared error.

    Paper: none

    .. math:: L = \mathrm{mean}\,(r(f^s) - f^t)^2

    over all elements. r is a 1x1 convolution and batch normalization to the teacher's width,
    nothing where the widths agree; the larger of two maps is average-pooled to the smaller. A plain
    baseline: `FitNetLoss` regresses one inner stage, `SimKDLoss` has the student end as its
    teacher does.

    Shapes:
        student_feature, teacher_feature: (N, C, h, w).
    """

    def __init__(self) -> None:
        super().__init__()
        self.connector: nn.Module | None = None

    def build(self, shapes: SignalShapes) -> None:
        student, teacher = shapes.tensor("student_feature"), shapes.tensor("teacher_feature")
        self.connector = align_channels(student[0], teacher[0])

    def forward(self, student_feature: Tensor, teacher_feature: Tensor) -> Tensor:
        student = built(self.connector, self)(student_feature)
        return F.mse_loss(*match_size(student, teacher_feature.detach()))
