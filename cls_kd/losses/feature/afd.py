"""AFD: attention-based feature distillation, which blocks to match is learned."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from cls_kd.errors import UserError
from cls_kd.functional import attention_map
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import built, check_positive
from cls_kd.modules.stage_attention import StageAttention
from cls_kd.signals.shapes import SignalShapes


class AFDLoss(DistillLoss):
    r"""Match spatial attention maps of all pairs of blocks, with learned weights of the pairs.

    Paper: Ji et al. 2021, arXiv:2102.02973

    .. math:: L = \frac{1}{N} \sum_{n, t} \sum_s \alpha_{nts} \,
                \mathrm{mean}\, (Q(P_t(f^s_s)) - Q(f^t_t))^2, \quad
              Q = \mathrm{vec}(\mathrm{mean}_c f_c^2) / \|\mathrm{vec}(\mathrm{mean}_c f_c^2)\|_2

    with P_t adaptive average pooling of the squares to the size of the teacher's map t, up or down.
    The maps are those after each residual block. The weights alpha sum to 1 over the student's maps
    s; they come from channel means of both maps (see `StageAttention`), and have a gradient.

    [0] M. Ji, B. Heo, S. Park, "Show, Attend and Distill: Knowledge Distillation via
        Attention-based Feature Matching", AAAI 2021, arXiv:2102.02973.
    [1] clovaai/attention-feature-distillation@dd990d0:distill/AFD.py: values and gradients agree.
        Difference: biases that have no effect are left out. Ours: a network whose blocks are
        unknown shows its stages; ``taps=dict(block_maps=...)`` names others.

    Shapes:
        student_block_maps, teacher_block_maps: tuples of (N, C, h, w).

    Args:
        qk_dim: Length of queries and keys. Default: all of the paper's data sets.
        teacher_step: Distance of the teacher's blocks that are compared; the last is the last one
            that is a multiple. Default: 1; 2 for ResNet110.

    Weight:
        200 on CIFAR-100, with 0.9 KD.
    """

    def __init__(self, *, qk_dim: int = 128, teacher_step: int = 1) -> None:
        super().__init__()
        check_positive(self, qk_dim=qk_dim, teacher_step=teacher_step)
        self.qk_dim = qk_dim
        self.chosen = slice(teacher_step - 1, None, teacher_step)
        self.attention: StageAttention | None = None

    def build(self, shapes: SignalShapes) -> None:
        student, teacher = (
            [shape[0] for shape in shapes.tensors(f"{role}_block_maps")]
            for role in ("student", "teacher")
        )
        if not teacher[self.chosen]:
            raise UserError(
                f"AFDLoss: teacher_step={self.chosen.step}, and the teacher has {len(teacher)} "
                "blocks."
            )
        self.attention = StageAttention(student, teacher[self.chosen], self.qk_dim)

    def forward(
        self, student_block_maps: tuple[Tensor, ...], teacher_block_maps: tuple[Tensor, ...]
    ) -> Tensor:
        teacher = [maps.detach() for maps in teacher_block_maps[self.chosen]]
        weights = built(self.attention, self)(student_block_maps, teacher)  # (N, T, S)
        squares = [maps.square().mean(1, keepdim=True) for maps in student_block_maps]
        student = {size: _attention_maps(squares, size) for size in map(_size, teacher)}
        errors = [
            (student[_size(maps)] - attention_map(maps).unsqueeze(1)).square().mean(2)
            for maps in teacher
        ]
        return (weights * torch.stack(errors, dim=1)).sum((1, 2)).mean()


def _size(feature: Tensor) -> tuple[int, int]:
    return feature.shape[2], feature.shape[3]


def _attention_maps(squares: list[Tensor], size: tuple[int, int]) -> Tensor:
    """Of all maps (N, 1, h, w) at one size, (N, S, positions)."""
    resized = [F.adaptive_avg_pool2d(item, size) for item in squares]
    return torch.stack([attention_map(item, p=1) for item in resized], dim=1)
