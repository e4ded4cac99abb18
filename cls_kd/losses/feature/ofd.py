"""OFD: overhaul of feature distillation, pre-activations with margins."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cls_kd.functional import match_size, negative_margins
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import built
from cls_kd.losses.stages import (
    PREACTS,
    StagePairs,
    pair_stages,
    paired_maps,
    paired_shapes,
    sum_doubling,
)
from cls_kd.modules.connectors import LinearConnector
from cls_kd.signals.shapes import SignalShapes


class OFDLoss(DistillLoss):
    r"""Regress the teacher's pre-activations above a margin: partial squared distance.

    Paper: Heo et al. 2019, arXiv:1904.01866

    .. math:: L = \frac{1}{N} \sum_{i=0}^{n-1} 2^{i-n+1} \sum_{s > t \;\text{or}\; t > 0} (s - t)^2,
              \quad s = r_i(f^s_i), \quad t = \max(f^t_i, m_i)

    over the pre-activations f_i of stage i of n. r_i is a 1x1 convolution and batch normalization;
    its convolution starts normal with deviation sqrt(2 / width of the teacher). m_i is a margin for
    each channel: the expectation of the negative values of a normal variable with the bias and the
    weight of the teacher's batch norm before the ReLU as mean and deviation. The larger of two maps
    is average-pooled to the smaller.

    [0] B. Heo, J. Kim, S. Yun, H. Park, N. Kwak, J. Y. Choi, "A Comprehensive Overhaul of Feature
        Distillation", ICCV 2019, arXiv:1904.01866.
    [1] clovaai/overhaul-distillation@76344a8:CIFAR-100/distiller.py: margins and, divided by N, the
        value and gradients of a stage agree; a training of 12 steps agrees with
        megvii-research/mdistiller@a08d46f. Differences: the teacher is in eval mode, where both
        codes, and so the published results, have it in training mode; unequal numbers of stages
        are refused, where mdistiller aligns the last ones.

    Shapes:
        student_preacts, teacher_preacts: tuples of (N, C, h, w).
        teacher_preact_norms: tuple of (2, C), weight and bias.

    Args:
        stages: Indices in both tuples, counted from 0; negative from the last; or pairs of indices,
            the student's first. Default: all.

    Weight:
        1e-3 on CIFAR-100, 1e-4 on ImageNet; small because the loss is a sum over whole maps.
    """

    def __init__(self, *, stages: StagePairs = None) -> None:
        super().__init__()
        self.stages = stages
        self.connectors: nn.ModuleList | None = None

    def build(self, shapes: SignalShapes) -> None:
        self.connectors = nn.ModuleList(
            LinearConnector(student[0], teacher[0])
            for student, teacher in paired_shapes(self, self.stages, shapes, PREACTS)
        )
        for weight in self.connectors.parameters():
            if weight.ndim > 1:
                nn.init.kaiming_normal_(weight, mode="fan_out")

    def forward(
        self,
        student_preacts: tuple[Tensor, ...],
        teacher_preacts: tuple[Tensor, ...],
        teacher_preact_norms: tuple[Tensor, ...],
    ) -> Tensor:
        pairs = paired_maps(self, self.stages, student_preacts, teacher_preacts)
        indices = pair_stages(self, self.stages, len(student_preacts), len(teacher_preacts))
        margins = [
            negative_margins(*teacher_preact_norms[teacher].detach()) for _, teacher in indices
        ]
        stages = zip(built(self.connectors, self), pairs, margins, strict=True)
        losses = [
            partial_squared_error(*match_size(connect(student), teacher), margin)
            for connect, (student, teacher), margin in stages
        ]
        return sum_doubling(losses)


def partial_squared_error(student: Tensor, teacher: Tensor, margin: Tensor) -> Tensor:
    """Squared distance to the teacher's map above its margins, a sum over a sample; batch mean.

    Args:
        student: (N, C, h, w).
        teacher: (N, C, h, w).
        margin: Lower bounds of the teacher's channels, (C,).
    """
    target = torch.maximum(teacher, margin[:, None, None])
    counts = (student > target) | (target > 0)
    return ((student - target).square() * counts).sum() / len(student)
