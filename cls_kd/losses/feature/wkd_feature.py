"""WKD-F: Wasserstein distance of Gaussian feature distributions."""

from __future__ import annotations

import torch
from torch import Tensor

from cls_kd.errors import UserError
from cls_kd.functional import match_size
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import built, check_not_negative, check_positive
from cls_kd.losses.search import Range, search_over
from cls_kd.modules.connectors import ResizingConnector
from cls_kd.signals.shapes import SignalShapes


class WKDFeatureLoss(DistillLoss):
    r"""Match each channel's mean and deviation: the Wasserstein distance of diagonal Gaussians.

    Paper: Lv et al. 2024, arXiv:2412.08139

    .. math:: L = \gamma \, \| \mu^s - \mu^t \|^2 + \| \sigma^s - \sigma^t \|^2

    sum over channels, mean over samples and the cells of a grid on the map; mu is the mean over the
    positions of a cell and sigma the square root of their unbiased variance plus ``eps``. The
    student's map passes through a convolution to the teacher's width and size, batch normalization
    and ReLU first.

    [0] J. Lv, H. Yang, P. Li, "Wasserstein Distance Rivals Kullback-Leibler Divergence for
        Knowledge Distillation", NeurIPS 2024, arXiv:2412.08139.
    [1] JiamingLv/WKD@214cf88:mdistiller/distillers/WKD.py and _common.py. Differences: the decay of
        the weight to 0 is left to ``weight``; where the student's map is smaller by another factor
        than 2, which is an error in [1], the teacher's map is average-pooled to its size; a cell of
        one position is refused, where [1] gives NaN.

    Shapes:
        student_feature, teacher_feature: (N, C, h, w).

    Args:
        mean_weight: gamma, weight of the means. Default: ResNet32x4 to ResNet8x4 on CIFAR-100; 2 on
            ImageNet.
        grid: Cells along each side of the map. Default: one cell; 4 for WRN-40-2 to ShuffleNetV1.
        eps: Added to the variance. Default: CIFAR-100 and ImageNet.

    Weight:
        0.08 for ResNet32x4 to ResNet8x4 on CIFAR-100, with a cosine decay from epoch 150 of 240.
    """

    search_space = search_over(mean_weight=Range(0.5, 20.0, log=True))

    def __init__(self, *, mean_weight: float = 4.0, grid: int = 1, eps: float = 1e-5) -> None:
        super().__init__()
        check_not_negative(self, mean_weight=mean_weight)
        check_positive(self, grid=grid, eps=eps)
        self.mean_weight = mean_weight
        self.grid = grid
        self.eps = eps
        self.connector: ResizingConnector | None = None

    def build(self, shapes: SignalShapes) -> None:
        student, teacher = shapes.tensor("student_feature"), shapes.tensor("teacher_feature")
        height, width = (min(student[axis], teacher[axis]) for axis in (1, 2))
        if height % self.grid or width % self.grid or height * width <= self.grid**2:
            raise UserError(
                f"WKDFeatureLoss: grid={self.grid} does not divide a map of {height}x{width} "
                "positions into equal cells of two or more positions each."
            )
        self.connector = ResizingConnector(student, teacher)

    def forward(self, student_feature: Tensor, teacher_feature: Tensor) -> dict[str, Tensor]:
        projected = built(self.connector, self)(student_feature)
        student, teacher = match_size(projected, teacher_feature.detach())
        means, deviations = zip(self._moments(student), self._moments(teacher), strict=True)
        return dict(
            loss_mean=self.mean_weight * _squared_distance(*means),
            loss_deviation=_squared_distance(*deviations),
        )

    def _moments(self, feature: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and deviation of each channel in each cell, (N, C, grid, grid)."""
        height, width = (size // self.grid for size in feature.shape[-2:])
        cells = feature.unflatten(3, (self.grid, width)).unflatten(2, (self.grid, height))
        variance, mean = torch.var_mean(cells, dim=(3, 5), correction=1)
        return mean, (variance + self.eps).sqrt()


def _squared_distance(student: Tensor, teacher: Tensor) -> Tensor:
    """Sum over channels, mean over samples and cells."""
    return (student - teacher).square().sum(1).mean()
