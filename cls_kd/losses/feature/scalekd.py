"""ScaleKD: cross-attention projectors from a CNN or a transformer to a large transformer."""

from __future__ import annotations

from torch import Tensor, nn

from cls_kd.errors import UserError
from cls_kd.functional import direction_error, without_mean
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import built, check_not_negative, check_positive
from cls_kd.modules.attention_projector import LearnedQueryProjector
from cls_kd.signals.shapes import Shape, SignalShapes


class ScaleKDFeatureLoss(DistillLoss):
    r"""Match the last map's directions at each position, with and without its spatial mean.

    Paper: Fan et al. 2024, arXiv:2411.06786

    .. math:: L = \frac{w_s}{N} \| \nu(p_1(f^s)) - \nu(f^t) \|^2
                + \frac{w_f}{N} \| \nu(p_2(f^s) - \overline{p_2(f^s)})
                  - \nu(f^t - \overline{f^t}) \|^2

    with nu the L2-normalization over channels at each position, the bar the mean over positions,
    and p_1, p_2 two cross-attention projectors, whose learned queries attend to the student's map.

    This is the term of the last stage alone, which needs no further pass of the teacher;
    `ScaleKDLoss` is the whole method.

    [0] J. Fan, C. Li, X. Liu, A. Yao, "ScaleKD: Strong Vision Transformers Could Be Excellent
        Teachers", NeurIPS 2024, arXiv:2411.06786.
    [1] deep-optimization/ScaleKD@478a7db:mmcls/models/dis_losses/fmdv2.py; its two terms were
        compared, not its projectors. Differences: its cosine transform only removes the mean over
        positions, and is not computed; attention without windows; maps of both networks may have
        different sizes (ours).

    Shapes:
        student_feature, teacher_feature: (N, C, h, w).

    Args:
        spatial_weight: w_s. Default: ImageNet.
        frequency_weight: w_f. Default: ImageNet.
        num_heads: Attention heads of the projectors; a divisor of the teacher's width. Default: 8
            (ours).
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
        check_heads(self, "num_heads", self.num_heads, teacher)
        self.spatial_projector, self.frequency_projector = (
            LearnedQueryProjector(student, teacher, self.num_heads, self.softmax_scale)
            for _ in range(2)
        )

    def forward(self, student_feature: Tensor, teacher_feature: Tensor) -> dict[str, Tensor]:
        teacher = teacher_feature.detach()
        spatial = built(self.spatial_projector, self)(student_feature)
        frequency = built(self.frequency_projector, self)(student_feature)
        return dict(
            loss_spatial=self.spatial_weight * direction_error(spatial, teacher),
            loss_frequency=self.frequency_weight
            * direction_error(without_mean(frequency), without_mean(teacher)),
        )


def check_heads(owner: object, option: str, heads: int, teacher: Shape) -> None:
    """Refuse a number of attention heads that does not divide the width of a teacher's map.

    Raises:
        UserError: Names the loss, the option and the width.
    """
    if teacher[0] % heads:
        raise UserError(
            f"{type(owner).__name__}: {option}={heads} does not divide the teacher's {teacher[0]} "
            "channels."
        )
