"""AB: activation boundaries of hidden neurons."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from cls_kd.functional import match_size
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import built, check_positive
from cls_kd.losses.search import Range, search_over
from cls_kd.losses.stages import PREACTS, StagePairs, paired_maps, paired_shapes, sum_doubling
from cls_kd.modules.connectors import align_maps
from cls_kd.signals.shapes import SignalShapes

_SCALE = 3 / 1000


class ABLoss(DistillLoss):
    r"""Match which neurons are active: a hinge loss on the signs of the teacher's pre-activations.

    Paper: Heo et al. 2019, arXiv:1811.03233

    .. math:: L = \frac{3}{1000 N} \sum_{i=0}^{n-1} 2^{i-n+1} \sum
                \begin{cases} \max(0, m - s)^2 & t > 0 \\ \max(0, m + s)^2 & t \le 0 \end{cases},
              \quad s = r_i(f^s_i), \quad t = f^t_i

    over the pre-activations f_i of stage i of n. r_i is a convolution to the teacher's width and
    size (those of `FitNetLoss`) and batch normalization, nothing where the shapes agree.

    In the paper this initializes the student: it is trained on L alone, then on the labels alone.
    ``configs/methods/ab.py`` does both in one run, by schedules of the weights.

    [0] B. Heo, M. Lee, S. Yun, J. Y. Choi, "Knowledge Transfer via Distillation of Activation
        Boundaries Formed by Hidden Neurons", AAAI 2019, arXiv:1811.03233.
    [1] HobbitLong/RepDistiller@b84f547:distiller_zoo/AB.py: values and gradients agree, without
        connectors. Differences: stages as of `ATLoss`; where the student's map is smaller by
        another factor than 2, an error in [1], the teacher's is average-pooled to its size; its 30
        epochs on L come before the others, with a learning rate of their own.

    Shapes:
        student_preacts, teacher_preacts: tuples of (N, C, h, w).

    Args:
        margin: m. Default: CIFAR-100.
        stages: Indices in both tuples, counted from 0; negative from the last; or pairs of indices,
            the student's first. Default: all.
    """

    search_space = search_over(margin=Range(0.1, 10.0, log=True))

    def __init__(self, *, margin: float = 1.0, stages: StagePairs = None) -> None:
        super().__init__()
        check_positive(self, margin=margin)
        self.margin = margin
        self.stages = stages
        self.connectors: nn.ModuleList | None = None

    def build(self, shapes: SignalShapes) -> None:
        self.connectors = nn.ModuleList(
            align_maps(student, teacher)
            for student, teacher in paired_shapes(self, self.stages, shapes, PREACTS)
        )

    def forward(
        self, student_preacts: tuple[Tensor, ...], teacher_preacts: tuple[Tensor, ...]
    ) -> Tensor:
        pairs = paired_maps(self, self.stages, student_preacts, teacher_preacts)
        stages = zip(built(self.connectors, self), pairs, strict=True)
        losses = [self._hinge(connect(student), teacher) for connect, (student, teacher) in stages]
        return sum_doubling(losses)

    def _hinge(self, student: Tensor, teacher: Tensor) -> Tensor:
        student, teacher = match_size(student, teacher)
        signed = student * ((teacher > 0).to(student) * 2 - 1)
        return F.relu(self.margin - signed).square().sum() * (_SCALE / len(student))
