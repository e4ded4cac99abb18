"""ICKD: inter-channel correlation of the last feature maps."""

from __future__ import annotations

from torch import Tensor

from cls_kd.functional import normalized_gram
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import built
from cls_kd.modules.connectors import LinearConnector
from cls_kd.signals.shapes import SignalShapes


class ICKDLoss(DistillLoss):
    r"""Match the inter-channel correlation of the last feature map: normalized Gram matrices.

    Paper: Liu et al. 2021, arXiv:2202.03680

    .. math:: L = \frac{1}{N C} \sum_n \| G(r(f^s_n)) - G(f^t_n) \|_F^2, \quad
              G(f)_{ij} = \frac{f_i \cdot f_j}{\| (f_i \cdot f_1, \ldots, f_i \cdot f_C) \|_2}

    with f_i the map of channel i as a vector, C the teacher's channels, and r a 1x1 convolution and
    batch normalization to the teacher's width. The maps may differ in size.

    [0] L. Liu, Q. Huang, S. Lin, H. Xie, B. Wang, X. Chang, X. Liang, "Exploring Inter-Channel
        Correlation for Diversity-Preserved Knowledge Distillation", ICCV 2021, arXiv:2202.03680.
    [1] ADLab-AutoDrive/ICKD@403b8d3:Cifar100/distiller_zoo/ICKD.py: values, gradients and a
        training of 12 steps agree. Difference: [1] also creates a connector of the teacher, which
        nothing uses. The code for ImageNet in [1] divides by the batch size once more.

    Shapes:
        student_feature, teacher_feature: (N, C, h, w).

    Weight:
        2.5 on CIFAR-100.
    """

    def __init__(self) -> None:
        super().__init__()
        self.connector: LinearConnector | None = None

    def build(self, shapes: SignalShapes) -> None:
        student, teacher = shapes.tensor("student_feature"), shapes.tensor("teacher_feature")
        self.connector = LinearConnector(student[0], teacher[0])

    def forward(self, student_feature: Tensor, teacher_feature: Tensor) -> Tensor:
        student = normalized_gram(built(self.connector, self)(student_feature).flatten(2))
        teacher = normalized_gram(teacher_feature.detach().flatten(2))
        return (student - teacher).square().sum(2).mean()
