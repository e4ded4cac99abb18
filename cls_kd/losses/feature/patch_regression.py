"""PatchRegression: a teacher's patch tokens, position by position."""

from __future__ import annotations

from torch import Tensor, nn

from cls_kd.functional.maps import interpolate_map
from cls_kd.functional.regression import DISTANCES
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import built, check_choice
from cls_kd.losses.tokens import check_aspect
from cls_kd.modules.projections import HEADS
from cls_kd.signals.shapes import SignalShapes


class PatchRegressionLoss(DistillLoss):
    r"""Regress the teacher's patch tokens by a projection of the student's last map.

    Paper: none

    .. math:: L = \mathrm{mean}_{n,p} \; d(h(\tilde f^s_{np}), f^t_{np})

    over the positions p of one grid. Maps stand for tokens: those of a vision transformer are its
    patches after the final norm, without class token and registers, so that convolutional students
    and teachers take part. The student's map is interpolated to the grid of the teacher's
    (bilinear, with anti-aliasing where it is the finer one), and h is trained with the student and
    not deployed.

    Shapes:
        student_feature, teacher_feature: (N, C, h, w), C, h and w may differ, h / w may not.

    Args:
        distance: As in `EmbeddingRegressionLoss`. Default: ``'cosine'``.
        head: ``'linear'`` (default) or ``'mlp'``, on each position.
    """

    def __init__(self, *, distance: str = "cosine", head: str = "linear") -> None:
        super().__init__()
        check_choice(self, "distance", distance, DISTANCES)
        check_choice(self, "head", head, HEADS)
        self.distance = distance
        self.head = head
        self.projection: nn.Module | None = None

    def build(self, shapes: SignalShapes) -> None:
        student, teacher = shapes.tensor("student_feature"), shapes.tensor("teacher_feature")
        check_aspect(self, student, teacher)
        self.projection = HEADS[self.head](student[0], teacher[0])

    def forward(self, student_feature: Tensor, teacher_feature: Tensor) -> Tensor:
        student = interpolate_map(student_feature, teacher_feature.shape[-2:])
        student, teacher = (
            feature.flatten(2).transpose(1, 2) for feature in (student, teacher_feature.detach())
        )
        projected = built(self.projection, self)(student)
        return DISTANCES[self.distance](projected, teacher).mean()
