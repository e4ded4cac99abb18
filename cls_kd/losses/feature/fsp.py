"""FSP: flow of the solution procedure, products of consecutive feature maps."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise, starmap

import torch
import torch.nn.functional as F
from torch import Tensor

from cls_kd.functional import match_size
from cls_kd.losses.aligned_stages import AlignedStages


class FSPLoss(AlignedStages):
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

    min_stages = 2

    def compare(self, student: Sequence[Tensor], teacher: Sequence[Tensor]) -> Tensor:
        flows = zip(_flows(student), _flows(teacher), strict=True)
        return torch.stack([F.mse_loss(*matrices) for matrices in flows]).sum()


def _flows(maps: Sequence[Tensor]) -> list[Tensor]:
    """(N, C_j, C_j+1) of each two consecutive maps."""
    return [
        torch.einsum("nchw,ndhw->ncd", first, second) / first[0, 0].numel()
        for first, second in starmap(match_size, pairwise(maps))
    ]
