"""ScaleKD: cross-attention projectors from a CNN or a transformer to a large transformer."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from cls_kd.errors import UserError
from cls_kd.functional import match_size
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import built, check_not_negative, check_positive
from cls_kd.modules.attention_projector import AttentionProjector
from cls_kd.signals.shapes import SignalShapes


class ScaleKDFeatureLoss(DistillLoss):
    r"""Match the last map's directions at each position, with and without its spatial mean.

    Paper: Fan et al. 2024, arXiv:2411.06786

    .. math:: L = \frac{w_s}{N} \| \nu(p_1(f^s)) - \nu(f^t) \|^2
                + \frac{w_f}{N} \| \nu(p_2(f^s) - \overline{p_2(f^s)})
                  - \nu(f^t - \overline{f^t}) \|^2

    with nu the L2-normalization over channels at each position, the bar the mean over positions,
    and p_1, p_2 two cross-attention projectors, whose learned queries attend to the student's map.

    This is the term of the last stage. Left out is that of the stage before it, which passes
    the projected map through the teacher's last stage and makes its result the queries of the last
    stage's projectors.

    [0] J. Fan, C. Li, X. Liu, A. Yao, "ScaleKD: Strong Vision Transformers Could Be Excellent
        Teachers", NeurIPS 2024, arXiv:2411.06786.
    [1] deep-optimization/ScaleKD@478a7db:mmcls/models/dis_losses/fmdv2.py; its two terms were
        compared, not its projectors. Differences: its cosine transform only removes the mean over
        positions, and is not computed; attention without windows; a larger map of the student is
        average-pooled before the projectors, a larger one of the teacher before the loss (ours).

    Shapes:
        student_feature, teacher_feature: (N, C, h, w).

    Args:
        spatial_weight: w_s. Default: ImageNet.
        frequency_weight: w_f. Default: ImageNet.
        num_heads: Attention heads of the projectors; a divisor of the teacher's width. Default: 8.
        softmax_scale: Factor of the attention logits. Default: ImageNet.

    Weight:
        1 on ImageNet.
    """

    def __init__(
        self,
        *,
        spatial_weight: float = 0.08,
        frequency_weight: float = 0.06,
        num_heads: int = 8,
        softmax_scale: float = 5.0,
    ) -> None:
        super().__init__()
        check_not_negative(self, spatial_weight=spatial_weight, frequency_weight=frequency_weight)
        check_positive(self, num_heads=num_heads, softmax_scale=softmax_scale)
        self.spatial_weight = spatial_weight
        self.frequency_weight = frequency_weight
        self.num_heads = num_heads
        self.softmax_scale = softmax_scale
        self.spatial_projector: nn.Module | None = None
        self.frequency_projector: nn.Module | None = None

    def build(self, shapes: SignalShapes) -> None:
        student, teacher = shapes.tensor("student_feature"), shapes.tensor("teacher_feature")
        if teacher[0] % self.num_heads:
            raise UserError(
                f"ScaleKDFeatureLoss: num_heads={self.num_heads} does not divide the teacher's "
                f"{teacher[0]} channels."
            )
        shape = (teacher[0], *(min(student[axis], teacher[axis]) for axis in (1, 2)))
        self.spatial_projector, self.frequency_projector = (
            AttentionProjector(student[0], shape, self.num_heads, self.softmax_scale)
            for _ in range(2)
        )

    def forward(self, student_feature: Tensor, teacher_feature: Tensor) -> dict[str, Tensor]:
        student, teacher = match_size(student_feature, teacher_feature.detach())
        spatial = built(self.spatial_projector, self)(student)
        frequency = built(self.frequency_projector, self)(student)
        return dict(
            loss_spatial=self.spatial_weight * _squared_error(spatial, teacher),
            loss_frequency=self.frequency_weight
            * _squared_error(_without_mean(frequency), _without_mean(teacher)),
        )


def _without_mean(feature: Tensor) -> Tensor:
    return feature - feature.mean((2, 3), keepdim=True)


def _squared_error(student: Tensor, teacher: Tensor) -> Tensor:
    """Of maps with channels of unit length at each position; sum, mean over the batch."""
    difference = F.normalize(student, dim=1) - F.normalize(teacher, dim=1)
    return difference.square().sum() / len(student)
