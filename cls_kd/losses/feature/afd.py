"""AFD: attention-based feature distillation, which stages to match is learned."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from cls_kd.functional import attention_map
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import built, check_positive
from cls_kd.modules.stage_attention import StageAttention
from cls_kd.signals.shapes import SignalShapes


class AFDLoss(DistillLoss):
    r"""Match spatial attention maps of all pairs of stages, with learned weights of the pairs.

    Paper: Ji et al. 2021, arXiv:2102.02973

    .. math:: L = \frac{1}{N} \sum_{n, t} \sum_s \alpha_{nts} \,
                \mathrm{mean}\, (Q(P_t(f^s_s)) - Q(f^t_t))^2, \quad
              Q = \mathrm{vec}(\mathrm{mean}_c f_c^2) / \|\mathrm{vec}(\mathrm{mean}_c f_c^2)\|_2

    with P_t adaptive average pooling of the squares to the size of the teacher's map t, up or down.
    The weights alpha sum to 1 over the student's maps s; they come from channel means of both maps
    (see `StageAttention`), and have a gradient.

    [0] M. Ji, B. Heo, S. Park, "Show, Attend and Distill: Knowledge Distillation via
        Attention-based Feature Matching", AAAI 2021, arXiv:2102.02973.
    [1] clovaai/attention-feature-distillation@dd990d0:distill/AFD.py: values and gradients agree.
        Differences: the maps are those of the stages, where the paper takes the map after each
        residual block, 18 and 6 of WRN-40-2 and WRN-16-2; ``taps=dict(stages=...)`` of either
        network names others. Biases that have no effect are left out.

    Shapes:
        student_stages, teacher_stages: tuples of (N, C, h, w).

    Args:
        qk_dim: Length of queries and keys. Default: all of the paper's data sets.

    Weight:
        200 on CIFAR-100, with 0.9 KD.
    """

    def __init__(self, *, qk_dim: int = 128) -> None:
        super().__init__()
        check_positive(self, qk_dim=qk_dim)
        self.qk_dim = qk_dim
        self.attention: StageAttention | None = None

    def build(self, shapes: SignalShapes) -> None:
        student, teacher = (
            [shape[0] for shape in shapes.tensors(f"{role}_stages")]
            for role in ("student", "teacher")
        )
        self.attention = StageAttention(student, teacher, self.qk_dim)

    def forward(
        self, student_stages: tuple[Tensor, ...], teacher_stages: tuple[Tensor, ...]
    ) -> Tensor:
        teacher = [maps.detach() for maps in teacher_stages]
        weights = built(self.attention, self)(student_stages, teacher)  # (N, T, S)
        errors = torch.stack([_errors(student_stages, maps) for maps in teacher], dim=1)
        return (weights * errors).sum((1, 2)).mean()


def _errors(student: tuple[Tensor, ...], teacher: Tensor) -> Tensor:
    """Of each of the student's maps to one of the teacher, (N, S)."""
    target, size = attention_map(teacher), (teacher.shape[2], teacher.shape[3])
    maps = [_resized_attention_map(feature, size) for feature in student]
    return torch.stack([(student_map - target).square().mean(1) for student_map in maps], dim=1)


def _resized_attention_map(feature: Tensor, size: tuple[int, int]) -> Tensor:
    squares = feature.square().mean(1, keepdim=True)
    return attention_map(F.adaptive_avg_pool2d(squares, size), p=1)
