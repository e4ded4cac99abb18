"""WKD-F: Wasserstein distance of Gaussian feature distributions."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cls_kd.errors import UserError
from cls_kd.functional import match_resolution
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import built, check_not_negative, check_positive
from cls_kd.losses.search import Range, search_over
from cls_kd.modules.connectors import NarrowConnector, ResizingConnector
from cls_kd.signals.shapes import SignalShapes


class WKDFeatureLoss(DistillLoss):
    r"""Match each channel's mean and deviation: the Wasserstein distance of diagonal Gaussians.

    Paper: Lv et al. 2024, arXiv:2412.08139

    .. math:: L = \gamma \, \| \mu^s - \mu^t \|^2 + \| \sigma^s - \sigma^t \|^2

    sum over channels, mean over samples and the cells of a grid on the map; mu is the mean over the
    positions of a cell and sigma the square root of their unbiased variance plus ``eps``. Where the
    grid does not divide the map, cells overlap as those of adaptive pooling. The student's map
    passes through a convolution to the teacher's width and size, or a bottleneck of three, batch
    normalization and ReLU first.

    [0] J. Lv, H. Yang, P. Li, "Wasserstein Distance Rivals Kullback-Leibler Divergence for
        Knowledge Distillation", NeurIPS 2024, arXiv:2412.08139.
    [1] JiamingLv/WKD@214cf88:mdistiller/distillers/WKD.py and _common.py. Differences: the decay of
        the weight to 0 is left to ``weight``; where the student's map is smaller by another factor
        than 2, which is an error in [1], it is bilinearly enlarged behind the convolution; a cell
        of one position is refused, where [1] gives NaN.

    Shapes:
        student_feature, teacher_feature: (N, C, h, w).

    Args:
        mean_weight: gamma, weight of the means. Default: ResNet32x4 to ResNet8x4 on CIFAR-100; 2 on
            ImageNet.
        grid: Cells along each side of the map. Default: one cell; 4 for WRN-40-2 to ShuffleNetV1
            and on ImageNet.
        bottleneck: Channels between the convolutions of a bottleneck. Default: one convolution;
            256 on ImageNet.
        eps: Added to the variance. Default: CIFAR-100 and ImageNet.

    Weight:
        0.08 for ResNet32x4 to ResNet8x4 on CIFAR-100, with a cosine decay from epoch 150 of 240.
    """

    search_space = search_over(mean_weight=Range(0.5, 20.0, log=True))

    def __init__(
        self,
        *,
        mean_weight: float = 4.0,
        grid: int = 1,
        bottleneck: int | None = None,
        eps: float = 1e-5,
    ) -> None:
        super().__init__()
        check_not_negative(self, mean_weight=mean_weight)
        check_positive(self, grid=grid, eps=eps, bottleneck=1 if bottleneck is None else bottleneck)
        self.mean_weight = mean_weight
        self.grid = grid
        self.bottleneck = bottleneck
        self.eps = eps
        self.connector: nn.Module | None = None

    def build(self, shapes: SignalShapes) -> None:
        student, teacher = shapes.tensor("student_feature"), shapes.tensor("teacher_feature")
        height, width = teacher[1:]
        sides = [min(end - begin for begin, end in self._cells(size)) for size in (height, width)]
        if sides[0] * sides[1] < 2:
            raise UserError(
                f"WKDFeatureLoss: grid={self.grid} makes cells of a single position of the "
                f"teacher's map of {height}x{width} positions."
            )
        self.connector = (
            ResizingConnector(student, teacher)
            if self.bottleneck is None
            else NarrowConnector(student[0], self.bottleneck, teacher[0])
        )

    def forward(self, student_feature: Tensor, teacher_feature: Tensor) -> dict[str, Tensor]:
        teacher = teacher_feature.detach()
        student = match_resolution(built(self.connector, self)(student_feature), teacher)
        means, deviations = zip(self._moments(student), self._moments(teacher), strict=True)
        return dict(
            loss_mean=self.mean_weight * _squared_distance(*means),
            loss_deviation=_squared_distance(*deviations),
        )

    def _moments(self, feature: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and deviation of each channel in each cell, (N, C, cells)."""
        rows, columns = (self._cells(size) for size in feature.shape[2:])
        moments = [
            torch.var_mean(feature[:, :, above:below, left:right], dim=(2, 3), correction=1)
            for above, below in rows
            for left, right in columns
        ]
        variances, means = (torch.stack(values, dim=2) for values in zip(*moments, strict=True))
        return means, (variances + self.eps).sqrt()

    def _cells(self, size: int) -> list[tuple[int, int]]:
        """Beginning and end of each cell along a side, as those of adaptive pooling."""
        ends = [-(-(index + 1) * size // self.grid) for index in range(self.grid)]
        return [(index * size // self.grid, end) for index, end in enumerate(ends)]


def _squared_distance(student: Tensor, teacher: Tensor) -> Tensor:
    """Sum over channels, mean over samples and cells."""
    return (student - teacher).square().sum(1).mean()
