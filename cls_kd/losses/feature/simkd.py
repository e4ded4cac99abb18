"""SimKD: simple knowledge distillation, the student reuses its teacher's classifier."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from cls_kd.errors import UserError
from cls_kd.functional import match_size
from cls_kd.losses.base import DistillLoss
from cls_kd.signals.shapes import SignalShapes


class SimKDLoss(DistillLoss):
    r"""Regress the teacher's last feature map, so that the student can use its classifier.

    Paper: Chen et al. 2022, arXiv:2203.14001

    .. math:: L = \mathrm{mean}\,(P(f^s) - f^t)^2

    over all elements; the larger of two maps is average-pooled to the smaller. The projector P and
    the teacher's frozen classifier belong to the student and are deployed with it: its backbone is
    a `ProjectedBackbone`, and its head is initialized by `TeacherClassifier` and frozen
    (configs/digits/simkd.py). The label is not used.

    [0] D. Chen, J.-P. Mei, H. Zhang, C. Wang, Y. Feng, C. Chen, "Knowledge Distillation with the
        Reused Teacher Classifier", CVPR 2022, arXiv:2203.14001.
    [1] DefangChen/SimKD@2b389c3:models/util.py, helper/loops.py: values and gradients, also those
        of the projector, and a training of 12 steps agree. Differences: [1] keeps the student's own
        classifier in the optimizer, which decays it; here there is none. A student's map that is
        larger than the teacher's is pooled to ``size`` in the network; [1] runs the teacher at test
        time to know its size.

    Shapes:
        student_projected, teacher_feature: (N, C, h, w).
    """

    stateless = True

    def build(self, shapes: SignalShapes) -> None:
        student, teacher = shapes.tensor("student_projected"), shapes.tensor("teacher_feature")
        if student[0] != teacher[0]:
            raise UserError(
                f"SimKDLoss: the student's projector has {student[0]} channels and the teacher's "
                f"last map {teacher[0]}: give ProjectedBackbone out_channels={teacher[0]}."
            )
        if student[1] > teacher[1]:
            raise UserError(
                f"SimKDLoss: the student's last map is {student[1]} pixels high and the teacher's "
                f"{teacher[1]}: give ProjectedBackbone size={teacher[1]}."
            )

    def forward(self, student_projected: Tensor, teacher_feature: Tensor) -> Tensor:
        return F.mse_loss(*match_size(student_projected, teacher_feature.detach()))
