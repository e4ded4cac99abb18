"""FSP: flow of the solution procedure, products of consecutive feature maps."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cls_kd.errors import UserError
from cls_kd.functional import match_size
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import built
from cls_kd.losses.stages import StagePairs, paired_maps, paired_shapes
from cls_kd.modules.connectors import align_channels
from cls_kd.signals.shapes import SignalShapes


class FSPLoss(DistillLoss):
    r"""Match the flow between consecutive stages: products of each two channels (FSP matrix).

    Paper: Yim et al. 2017, CVPR 2017

    .. math:: L = \sum_j \mathrm{mean}\,(G^s_j - G^t_j)^2, \quad
              G_j = \frac{1}{h w} \sum_p f_j(p)\, f_{j+1}(p)^\top

    summed over consecutive stages; the larger of the two maps of a network is average-pooled to the
    smaller. Ours: where the widths of student and teacher differ, which the paper rules out, a 1x1
    convolution and batch normalization take the student's maps to the teacher's.

    In the paper this initializes the student: it is trained on L alone, then on the labels alone.
    ``configs/methods/fsp.py`` does both in one run, by schedules of the weights.

    [0] J. Yim, D. Joo, J. Bae, J. Kim, "A Gift from Knowledge Distillation: Fast Optimization,
        Network Minimization and Transfer Learning", CVPR 2017.
    [1] HobbitLong/RepDistiller@b84f547:distiller_zoo/FSP.py: values and gradients agree.
        Differences: stages as of `ATLoss`; [1] also takes the stem's map, which is no stage here;
        its 30 epochs on L come before the others, with a learning rate of their own.

    Shapes:
        student_stages, teacher_stages: tuples of (N, C, h, w), at least two.

    Args:
        stages: Indices in both tuples, counted from 0; negative from the last; or pairs of indices,
            the student's first. Default: all.

    Weight:
        1 in the first phase of [1]; its 50 multiplies nothing.
    """

    def __init__(self, *, stages: StagePairs = None) -> None:
        super().__init__()
        self.stages = stages
        self.connectors: nn.ModuleList | None = None

    def build(self, shapes: SignalShapes) -> None:
        pairs = paired_shapes(self, self.stages, shapes)
        if len(pairs) < 2:
            raise UserError("FSPLoss compares consecutive stages: give it two or more.")
        self.connectors = nn.ModuleList(
            align_channels(student[0], teacher[0]) for student, teacher in pairs
        )

    def forward(
        self, student_stages: tuple[Tensor, ...], teacher_stages: tuple[Tensor, ...]
    ) -> Tensor:
        pairs = paired_maps(self, self.stages, student_stages, teacher_stages)
        connectors = built(self.connectors, self)
        student = [connect(maps[0]) for connect, maps in zip(connectors, pairs, strict=True)]
        teacher = [maps[1] for maps in pairs]
        flows = zip(_flows(student), _flows(teacher), strict=True)
        return torch.stack([F.mse_loss(*matrices) for matrices in flows]).sum()


def _flows(maps: list[Tensor]) -> list[Tensor]:
    """(N, C_j, C_j+1) of each two consecutive maps."""
    return [_flow(*match_size(*consecutive)) for consecutive in pairwise(maps)]


def _flow(first: Tensor, second: Tensor) -> Tensor:
    return torch.einsum("nchw,ndhw->ncd", first, second) / first[0, 0].numel()
