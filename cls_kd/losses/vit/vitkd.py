"""ViTKD: feature distillation for vision transformers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cls_kd.errors import UserError
from cls_kd.functional import patch_tokens
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import built, check_below_one, check_not_negative, check_positive
from cls_kd.losses.tokens import check_same_grid
from cls_kd.modules.connectors import TokenGenerator, align_width
from cls_kd.signals.shapes import SignalShapes

_MIMICKED = 2


class ViTKDLoss(DistillLoss):
    r"""Mimic the tokens of the first two blocks, and generate the last ones from masked tokens.

    Paper: Yang et al. 2022, arXiv:2209.02432

    .. math:: L = \frac{\alpha}{N} \sum_{b=1}^{2} \| a_b(x^s_b) - x^t_b \|^2
                + \frac{\beta}{\lambda N} \| m \odot (G(u(a(x^s))) - x^t) \|^2

    on the tokens of patches: x_b after block b, x after the final norm. Every a is a linear layer
    to the teacher's width, nothing where the widths agree. u replaces a fraction lambda
    of each sample's tokens by one learned token, m is 1 there, and G is two 3x3 convolutions
    with a ReLU between them, on the grid of patches.

    [0] Z. Yang, Z. Li, A. Zeng, Z. Li, C. Yuan, Y. Li, "ViTKD: Feature-based Knowledge Distillation
        for Vision Transformers", CVPR Workshops 2024, arXiv:2209.02432.
    [1] yzd-v/cls_KD@1e5d48f:mmcls/models/dis_losses/vitkd.py. Ours: how many class tokens there
        are is not asked for: the grid is the largest square, what stands before it is left out.

    Shapes:
        student_blocks, teacher_blocks: tuples of (N, L, D), at least two.
        student_normed_tokens, teacher_normed_tokens: (N, L, D).

    Args:
        alpha: alpha, weight of the mimicking. Default: ImageNet. It is small because the loss is a
            sum over tokens and width.
        beta: beta, weight of the generation. Default: ImageNet.
        mask_ratio: lambda. Default: ImageNet.
    """

    def __init__(self, *, alpha: float = 3e-5, beta: float = 3e-6, mask_ratio: float = 0.5) -> None:
        super().__init__()
        check_not_negative(self, alpha=alpha, beta=beta)
        check_positive(self, mask_ratio=mask_ratio)
        check_below_one(self, mask_ratio=mask_ratio)
        self.alpha = alpha
        self.beta = beta
        self.mask_ratio = mask_ratio
        self.mimic: nn.ModuleList | None = None
        self.generator: TokenGenerator | None = None

    def build(self, shapes: SignalShapes) -> None:
        blocks = shapes.tensors("student_blocks"), shapes.tensors("teacher_blocks")
        if min(map(len, blocks)) < _MIMICKED:
            raise UserError("ViTKDLoss mimics two blocks: one of the networks has fewer.")
        student, teacher = (
            shapes.tensor("student_normed_tokens"),
            shapes.tensor("teacher_normed_tokens"),
        )
        check_same_grid(self, student, teacher)
        pairs = zip(*(maps[:_MIMICKED] for maps in blocks), strict=True)
        self.mimic = nn.ModuleList(align_width(ours[1], theirs[1]) for ours, theirs in pairs)
        self.generator = TokenGenerator(student[1], teacher[1], self.mask_ratio)

    def forward(
        self,
        student_blocks: tuple[Tensor, ...],
        teacher_blocks: tuple[Tensor, ...],
        student_normed_tokens: Tensor,
        teacher_normed_tokens: Tensor,
    ) -> dict[str, Tensor]:
        first = zip(built(self.mimic, self), student_blocks, teacher_blocks, strict=False)
        mimicked = [
            _squared_error(align(patch_tokens(student)), patch_tokens(teacher.detach()))
            for align, student, teacher in first
        ]
        generated, masked = built(self.generator, self)(patch_tokens(student_normed_tokens))
        wanted = patch_tokens(teacher_normed_tokens.detach())
        error = _squared_error(generated * masked, wanted * masked) / self.mask_ratio
        return dict(
            loss_mimic=self.alpha * torch.stack(mimicked).sum(),
            loss_generate=self.beta * error,
        )


def _squared_error(student: Tensor, teacher: Tensor) -> Tensor:
    return (student - teacher).square().sum() / len(teacher)
