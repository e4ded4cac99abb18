"""MGD: masked generative distillation of feature maps."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cls_kd.functional import match_size
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import built, check_below_one
from cls_kd.losses.search import Range, search_over
from cls_kd.modules.connectors import ConvGenerator
from cls_kd.signals.shapes import SignalShapes


class MGDLoss(DistillLoss):
    r"""Generate the teacher's last feature map from the student's with randomly masked channels.

    Paper: Yang et al. 2022, arXiv:2205.01529

    .. math:: L = \frac{1}{N} \sum_n \| G(m_n \odot a(f^s_n)) - f^t_n \|^2

    summed over all channels and positions. a is a 1x1 convolution to the teacher's width (nothing
    where the widths agree), m drops each channel of each sample with probability lambda, and G is
    two 3x3 convolutions with a ReLU between them.

    [0] Z. Yang, Z. Li, M. Shao, D. Shi, Z. Yuan, C. Yuan, "Masked Generative Distillation",
        ECCV 2022, arXiv:2205.01529.
    [1] yzd-v/cls_KD@1e5d48f:mmcls/models/dis_losses/mgd.py. Differences: its alpha is ``weight``;
        the larger of two maps is average-pooled to the smaller (ours).

    Shapes:
        student_feature, teacher_feature: (N, C, h, w).

    Args:
        mask_ratio: lambda. Default: ImageNet and CIFAR-100.

    Weight:
        7e-5 on ImageNet, 1.2e-3 on CIFAR-100; small because the loss is a sum over the whole map.
    """

    search_space = search_over(mask_ratio=Range(0.05, 0.75))

    def __init__(self, *, mask_ratio: float = 0.15) -> None:
        super().__init__()
        check_below_one(self, mask_ratio=mask_ratio)
        self.mask_ratio = mask_ratio
        self.align: nn.Module | None = None
        self.generator: ConvGenerator | None = None

    def build(self, shapes: SignalShapes) -> None:
        student, teacher = shapes.tensor("student_feature")[0], shapes.tensor("teacher_feature")[0]
        self.align = nn.Identity() if student == teacher else nn.Conv2d(student, teacher, 1)
        self.generator = ConvGenerator(teacher)

    def forward(self, student_feature: Tensor, teacher_feature: Tensor) -> Tensor:
        student = built(self.align, self)(student_feature)
        kept = torch.rand(student.shape[:2], device=student.device) >= self.mask_ratio  # (N, C)
        generated = built(self.generator, self)(student * kept[:, :, None, None])
        generated, teacher = match_size(generated, teacher_feature.detach())
        return (generated - teacher).square().sum() / len(teacher)
