"""FitNet: a hint from the middle of the teacher."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from cls_kd.functional import match_size
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import built, stage_shape
from cls_kd.modules.connectors import ConvConnector
from cls_kd.signals.shapes import ShapeFacts


class FitNetLoss(DistillLoss):
    r"""Regress the teacher's feature map of one stage from the student's.

    Paper: Romero et al. 2015, arXiv:1412.6550

    .. math:: L = \mathrm{mean}\,(r(f^s) - f^t)^2

    with r a 1x1 convolution, batch normalisation and ReLU to the teacher's width; the larger of
    the two maps is average-pooled to the smaller.

    [0] A. Romero, N. Ballas, S. E. Kahou, A. Chassang, C. Gatta, Y. Bengio, "FitNets: Hints for
        Thin Deep Nets", ICLR 2015, arXiv:1412.6550.
    [1] HobbitLong/RepDistiller@b84f547:distiller_zoo/FitNet.py, written after its form (one stage
        of training; the paper trains the hint first). Difference: maps of different size are
        pooled, where [1] strides or pads the connector's convolution.

    Shapes:
        student_stages, teacher_stages: tuples of (N, C, h, w).

    Args:
        stage: Place in both tuples, counted from 0; negative from the last. Default: the second
            stage, the usual hint on CIFAR-100 (2 in [1], which counts the stem).

    Weight:
        100 on CIFAR-100.
    """

    def __init__(
        self,
        *,
        stage: int = 1,
    ) -> None:
        super().__init__()
        self.stage = stage
        self.connector: ConvConnector | None = None

    def build(self, shapes: ShapeFacts) -> None:
        student, teacher = (
            stage_shape(self, network, shapes.many(f"{network}_stages"), self.stage)
            for network in ("student", "teacher")
        )
        self.connector = ConvConnector(student[0], teacher[0])

    def forward(
        self, student_stages: tuple[Tensor, ...], teacher_stages: tuple[Tensor, ...]
    ) -> Tensor:
        regressed = built(self.connector, self)(student_stages[self.stage])
        return F.mse_loss(*match_size(regressed, teacher_stages[self.stage].detach()))
