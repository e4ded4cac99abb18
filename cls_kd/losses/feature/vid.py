"""VID: variational information distillation between feature maps."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cls_kd.errors import UserError
from cls_kd.functional import match_size
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import built, check_positive
from cls_kd.losses.search import Range, search_over
from cls_kd.losses.stages import StagePairs, paired_maps, paired_shapes
from cls_kd.modules.gaussian import GaussianRegressor
from cls_kd.signals.shapes import SignalShapes


class VIDLoss(DistillLoss):
    r"""Maximize the mutual information with the teacher's stages: a Gaussian variational bound.

    Paper: Ahn et al. 2019, arXiv:1904.05835

    .. math:: L = \frac{1}{2} \sum_j \mathrm{mean} \left(
                \frac{(\mu_j(f^s_j) - f^t_j)^2}{\sigma_j^2} + \log \sigma_j^2 \right), \quad
              \sigma_{jc}^2 = \log(1 + e^{\alpha_{jc}}) + \epsilon

    summed over stages j. mu_j is three 1x1 convolutions to the teacher's width with ReLUs between
    them, and alpha_jc a learned number for each of its channels c. The larger of two maps is
    average-pooled to the smaller beforehand.

    [0] S. Ahn, S. X. Hu, A. Damianou, N. D. Lawrence, Z. Dai, "Variational Information Distillation
        for Knowledge Transfer", CVPR 2019, arXiv:1904.05835.
    [1] HobbitLong/RepDistiller@b84f547:distiller_zoo/VID.py: values, gradients and a training of 12
        steps agree. Differences: log(1 + exp(alpha)) is a softplus, which does not overflow; stages
        as of `ATLoss`. In megvii-research/mdistiller@a08d46f the optimizer does not know alpha:
        ``learn_variance=False`` trains as there.

    Shapes:
        student_stages, teacher_stages: tuples of (N, C, h, w).

    Args:
        init_variance: What all variances start from. Default: all of [1]'s data sets.
        eps: epsilon, lower bound of the variances. Default: likewise.
        learn_variance: Whether alpha is trained. Default: as in the paper.
        stages: Indices in both tuples, counted from 0; negative from the last; or pairs of indices,
            the student's first. Default: all.
    """

    search_space = search_over(init_variance=Range(0.5, 20.0, log=True))

    def __init__(
        self,
        *,
        init_variance: float = 5.0,
        eps: float = 1e-5,
        learn_variance: bool = True,
        stages: StagePairs = None,
    ) -> None:
        super().__init__()
        check_positive(self, init_variance=init_variance, eps=eps)
        if init_variance <= eps:
            raise UserError(f"VIDLoss: init_variance must be above eps, not {init_variance!r}.")
        self.init_variance = init_variance
        self.eps = eps
        self.learn_variance = learn_variance
        self.stages = stages
        self.gaussians: nn.ModuleList | None = None

    def build(self, shapes: SignalShapes) -> None:
        self.gaussians = nn.ModuleList(
            GaussianRegressor(student[0], teacher[0], self.init_variance, self.eps)
            for student, teacher in paired_shapes(self, self.stages, shapes)
        )
        for gaussian in self.gaussians:
            gaussian.log_scale.requires_grad_(self.learn_variance)

    def forward(
        self, student_stages: tuple[Tensor, ...], teacher_stages: tuple[Tensor, ...]
    ) -> Tensor:
        pairs = paired_maps(self, self.stages, student_stages, teacher_stages)
        gaussians = built(self.gaussians, self)
        losses = [
            gaussian(*match_size(*maps)) for gaussian, maps in zip(gaussians, pairs, strict=True)
        ]
        return torch.stack(losses).sum()
