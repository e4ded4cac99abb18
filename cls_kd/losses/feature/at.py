"""AT: attention transfer between feature maps."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from cls_kd.functional import attention_map
from cls_kd.losses.options import check_positive
from cls_kd.losses.paired_stages import PairedStages
from cls_kd.losses.search import IntegerRange, search_over
from cls_kd.losses.stages import StagePairs


class ATLoss(PairedStages):
    r"""Match the spatial attention maps of the teacher at each stage.

    Paper: Zagoruyko and Komodakis 2017, arXiv:1612.03928

    .. math:: L = \sum_j \mathrm{mean}\,(Q^s_j - Q^t_j)^2, \quad
              Q = \mathrm{vec}(\mathrm{mean}_c f_c^p) / \|\mathrm{vec}(\mathrm{mean}_c f_c^p)\|_2

    summed over stages j; the larger of two maps is average-pooled to the smaller beforehand.

    [0] S. Zagoruyko, N. Komodakis, "Paying More Attention to Attention: Improving the Performance
        of Convolutional Neural Networks via Attention Transfer", ICLR 2017, arXiv:1612.03928.
    [1] megvii-research/mdistiller@a08d46f:mdistiller/distillers/AT.py. Differences: stages can be
        chosen, and networks with unequal numbers of stages are refused where [1] drops the last.
        [1] leaves out the first of the maps that a network lists, which is the stem. Its
        MobileNetV1 lists no stem, so that the student's stages 1, 2, 3 (from 0) meet the teacher's
        0, 1, 2: ``stages=[(1, 0), (2, 1), (3, 2)]`` reproduces that.

    Shapes:
        student_stages, teacher_stages: tuples of (N, C, h, w).

    Args:
        p: p, the power; an odd one keeps signs. Default: all of the paper's data sets.
        stages: Indices in both tuples, counted from 0; negative from the last; or pairs of indices,
            the student's first. Default: all.

    Weight:
        1000 on CIFAR-100.
    """

    search_space = search_over(p=IntegerRange(1, 4))

    def __init__(self, *, p: int = 2, stages: StagePairs = None) -> None:
        super().__init__(stages=stages)
        check_positive(self, p=p)
        self.p = p

    def compare(self, student: Tensor, teacher: Tensor) -> Tensor:
        return F.mse_loss(attention_map(student, self.p), attention_map(teacher, self.p))
