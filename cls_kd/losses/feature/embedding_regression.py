"""EmbeddingRegression: a teacher's embedding, through a head that is thrown away."""

from __future__ import annotations

from torch import Tensor, nn

from cls_kd.functional.regression import DISTANCES
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import built, check_choice
from cls_kd.modules.projections import HEADS
from cls_kd.signals.shapes import SignalShapes


class EmbeddingRegressionLoss(DistillLoss):
    r"""Regress the teacher's embedding by a projection of the student's.

    Paper: none

    .. math:: L = \mathrm{mean}_n \; d(h(e^s_n), e^t_n), \quad
              d \in \Big\{ 1 - \cos, \; \tfrac1D \textstyle\sum \mathrm{smooth}_{L_1}, \;
              \tfrac1D \sum (\cdot)^2 \Big\}

    with h a head that is trained with the student and not deployed. It needs neither labels nor
    classes: the plain loss of a student of a foundation model.

    Shapes:
        student_embedding, teacher_embedding: (N, D), D may differ.

    Args:
        distance: ``'cosine'`` (default), ``'smooth_l1'``, ``'mse'``, or ``'cosine_smooth_l1'``,
            half of each.
        head: ``'linear'`` (default) or ``'mlp'`` (see `cls_kd.modules.projections`).
    """

    def __init__(self, *, distance: str = "cosine", head: str = "linear") -> None:
        super().__init__()
        check_choice(self, "distance", distance, DISTANCES)
        check_choice(self, "head", head, HEADS)
        self.distance = distance
        self.head = head
        self.projection: nn.Module | None = None

    def build(self, shapes: SignalShapes) -> None:
        student, teacher = shapes.tensor("student_embedding"), shapes.tensor("teacher_embedding")
        self.projection = HEADS[self.head](student[0], teacher[0])

    def forward(self, student_embedding: Tensor, teacher_embedding: Tensor) -> Tensor:
        projected = built(self.projection, self)(student_embedding)
        return DISTANCES[self.distance](projected, teacher_embedding.detach()).mean()
