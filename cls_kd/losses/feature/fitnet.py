"""FitNet: hint-based feature distillation."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from cls_kd.functional import match_size
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import built, stage_shape
from cls_kd.modules.connectors import ResizingConnector
from cls_kd.signals.shapes import SignalShapes


class FitNetLoss(DistillLoss):
    r"""Regress the teacher's feature map of one stage, the hint, from the student's.

    Paper: Romero et al. 2015, arXiv:1412.6550

    .. math:: L = \mathrm{mean}\,(r(f^s) - f^t)^2

    with r a convolution to the teacher's width and size, batch normalization and ReLU. The
    convolution is 1x1 where the maps are equally large, 3x3 with stride 2 where the student's is
    twice as large, and a transposed one (4x4, stride 2) where it is half as large.

    [0] A. Romero, N. Ballas, S. E. Kahou, A. Chassang, C. Gatta, Y. Bengio, "FitNets: Hints for
        Thin Deep Nets", ICLR 2015, arXiv:1412.6550.
    [1] HobbitLong/RepDistiller@b84f547:distiller_zoo/FitNet.py, written after its form (one stage
        of training; the paper trains the hint first), with the convolutions of its
        models/util.py. Ours: where the student's map is smaller by another factor than 2, which
        is an error in [1], the teacher's map is average-pooled to its size.

    Shapes:
        student_stages, teacher_stages: tuples of (N, C, h, w).

    Args:
        stage: Index in both tuples, counted from 0; negative from the last. Default: the second
            stage, the usual hint on CIFAR-100 (2 in [1], which counts the stem).

    Weight:
        100 on CIFAR-100.
    """

    def __init__(self, *, stage: int = 1) -> None:
        super().__init__()
        self.stage = stage
        self.connector: ResizingConnector | None = None

    @property
    def stage_indices(self) -> dict[str, tuple[int, ...]]:
        """The one stage of both networks."""
        return {name: (self.stage,) for name in ("student_stages", "teacher_stages")}

    def build(self, shapes: SignalShapes) -> None:
        student, teacher = (
            stage_shape(self, network, shapes.tensors(f"{network}_stages"), self.stage)
            for network in ("student", "teacher")
        )
        self.connector = ResizingConnector(student, teacher)

    def forward(
        self, student_stages: tuple[Tensor, ...], teacher_stages: tuple[Tensor, ...]
    ) -> Tensor:
        regressed = built(self.connector, self)(student_stages[self.stage])
        return F.mse_loss(*match_size(regressed, teacher_stages[self.stage].detach()))
