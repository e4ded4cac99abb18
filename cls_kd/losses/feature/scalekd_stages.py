"""ScaleKD: the last two stages, one of them through the teacher's own last stage."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor, nn

from cls_kd.errors import UserError
from cls_kd.functional import direction_error, without_mean
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.feature.scalekd import check_heads
from cls_kd.losses.options import built, check_not_negative, check_positive
from cls_kd.modules.attention_projector import AttentionProjector, LearnedQueryProjector
from cls_kd.signals.forward_from import Continued
from cls_kd.signals.shapes import SignalShapes


class ScaleKDLoss(DistillLoss):
    r"""Match last maps: of the student, and of the teacher continued from the student's stage.

    Paper: Fan et al. 2024, arXiv:2411.06786

    .. math:: L = \sum_{f \in \{g_1, h_1\}} w_s \, E(f, f^t)
                + \sum_{f \in \{g_2, h_2\}} w_f \, E(f - \bar f, f^t - \bar f^t), \quad
              g_i = t(q_i(f^s_{-2})), \; h_i = p_i(f^s, g_i)

    with E the squared distance of maps of unit length at each position, a sum, mean over the batch,
    and the bar a mean over positions. The projectors q_i turn the student's last stage but one into
    the teacher's by cross-attention of learned queries; t is the teacher from there on, frozen,
    with its gradient. The projectors p_i take the results g_i as queries.

    Each step costs two further passes of the teacher.

    [0] J. Fan, C. Li, X. Liu, A. Yao, "ScaleKD: Strong Vision Transformers Could Be Excellent
        Teachers", NeurIPS 2024, arXiv:2411.06786.
    [1] deep-optimization/ScaleKD@478a7db:mmcls/models/dis_losses/fmdv2.py and
        classifiers/distiller.py; the two terms were compared. Differences: as of
        ``ScaleKDFeatureLoss``; queries that [1] learns for p_i and never uses are not here.

    Shapes:
        student_stages, teacher_stages: tuples of (N, C, h, w), at least two.
        student_feature, teacher_feature: (N, C, h, w).

    Args:
        spatial_weight: w_s. Default: ImageNet.
        frequency_weight: w_f. Default: ImageNet.
        stage_num_heads: Attention heads of q_i; a divisor of the width of the teacher's last stage
            but one. Default: 8 (ours); 16 for Swin-L, 3 for Swin-S.
        num_heads: Attention heads of p_i; a divisor of the teacher's width. Default: 8 (ours); 24
            for Swin-L, 6 for Swin-S.
        softmax_scale: Factor of the attention logits. Default: ImageNet.

    Weight:
        1 on ImageNet.
    """

    def __init__(
        self,
        *,
        spatial_weight: float = 0.08,
        frequency_weight: float = 0.06,
        stage_num_heads: int = 8,
        num_heads: int = 8,
        softmax_scale: float = 5.0,
    ) -> None:
        super().__init__()
        check_not_negative(self, spatial_weight=spatial_weight, frequency_weight=frequency_weight)
        check_positive(self, stage_num_heads=stage_num_heads, num_heads=num_heads)
        check_positive(self, softmax_scale=softmax_scale)
        self.weights = spatial_weight, frequency_weight
        self.heads = stage_num_heads, num_heads
        self.softmax_scale = softmax_scale
        self.stage_projectors: nn.ModuleList | None = None
        self.projectors: nn.ModuleList | None = None

    @property
    def stage_indices(self) -> Mapping[str, tuple[int, ...]]:
        """The last stage but one."""
        return {"student_stages": (-2,), "teacher_stages": (-2,)}

    def build(self, shapes: SignalShapes) -> None:
        stages = [shapes.tensors(f"{role}_stages") for role in ("student", "teacher")]
        if min(map(len, stages)) < 2:
            raise UserError(
                f"ScaleKDLoss compares the last two stages; the student has {len(stages[0])} and "
                f"the teacher {len(stages[1])}."
            )
        before, stage = stages[0][-2], stages[1][-2]
        last, target = shapes.tensor("student_feature"), shapes.tensor("teacher_feature")
        check_heads(self, "stage_num_heads", self.heads[0], stage)
        check_heads(self, "num_heads", self.heads[1], target)
        self.stage_projectors = nn.ModuleList(
            LearnedQueryProjector(before, stage, self.heads[0], self.softmax_scale)
            for _ in self.weights
        )
        self.projectors = nn.ModuleList(
            AttentionProjector(last, target, self.heads[1], self.softmax_scale)
            for _ in self.weights
        )

    def forward(
        self,
        student_stages: tuple[Tensor, ...],
        student_feature: Tensor,
        teacher_stages: tuple[Tensor, ...],
        teacher_feature: Tensor,
        teacher_forward_from: Callable[[int, Tensor], Continued],
    ) -> dict[str, Tensor]:
        continued = [
            teacher_forward_from(len(teacher_stages) - 2, project(student_stages[-2])).feature
            for project in built(self.stage_projectors, self)
        ]
        pairs = zip(built(self.projectors, self), continued, strict=True)
        projected = [project(student_feature, queries) for project, queries in pairs]
        target = teacher_feature.detach()
        return {
            **self._errors("stage", continued, target),
            **self._errors("last", projected, target),
        }

    def _errors(self, name: str, maps: list[Tensor], target: Tensor) -> dict[str, Tensor]:
        spatial = direction_error(maps[0], target)
        frequency = direction_error(without_mean(maps[1]), without_mean(target))
        return {
            f"loss_{name}_spatial": self.weights[0] * spatial,
            f"loss_{name}_frequency": self.weights[1] * frequency,
        }
