"""Cumulative spatial distillation: a CNN's predictions at each position, for patch tokens."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor, nn

from cls_kd.errors import UserError, did_you_mean
from cls_kd.functional import classify_positions, grid_side, match_size, patch_tokens, softened_kl
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import built, check_positive
from cls_kd.losses.tokens import check_grid
from cls_kd.signals.shapes import SignalShapes

_DECAYS: dict[str, Callable[[float], float]] = {
    "linear": lambda progress: 1 - progress,
    "x2": lambda progress: (1 - progress) ** 2,
    "cos": lambda progress: math.cos(math.pi / 2 * progress),
}


def _hard(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Cross-entropy with the teacher's class at each position, mean over all."""
    return F.cross_entropy(student, teacher.argmax(1))


def _soft(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """KL divergence at each position, their sum, mean over the batch."""
    positions = student.shape[2] * student.shape[3]
    return positions * softened_kl(_rows(student), _rows(teacher), temperature)


def _rows(logits: Tensor) -> Tensor:
    """(N, K, h, w) -> (N h w, K)."""
    return logits.movedim(1, -1).flatten(0, -2)


_KINDS = {"hard": _hard, "soft": _soft}


class CumulativeSpatialLoss(DistillLoss):
    r"""Match a CNN's predictions at each position, more and more their mean, by patch tokens.

    Paper: Zhao et al. 2023, arXiv:2307.08500

    .. math:: L = \ell\big(h(x^s_l), \; a z^t_l + (1 - a) \tfrac{1}{M} \sum_m z^t_m\big),
              \qquad a = 1 - \mathrm{progress}

    with z_l the logits of the teacher's classifier at position l of its last map, and h a linear
    classifier of patch tokens, trained with the student and not deployed; its logits are
    average-pooled to the teacher's positions. l is cross-entropy with the arg-max, mean over
    positions ('hard'), or T^2 KL at temperature T, summed over them ('soft').

    [0] B. Zhao, R. Song, J. Liang, "Cumulative Spatial Knowledge Distillation for Vision
        Transformers", ICCV 2023, arXiv:2307.08500.
    [1] Zzzzz1/CSKD@fa0d8b8:cskd/cskd.py. Differences: a decreases in every step, and not once an
        epoch; any square grid of patches, not 14x14 alone. Its loss on a distillation token is not
        a part of this one.

    Shapes:
        student_normed_tokens: (N, L, D).
        teacher_feature: (N, C, h, w).
        progress: float.

    Args:
        kind: 'hard' or 'soft'. Default: ImageNet.
        decay: a as a function of the progress p: 'linear', 1 - p; 'x2', (1 - p)^2; 'cos',
            cos(pi p / 2). Default: ImageNet.
        temperature: T of 'soft'. Default: ImageNet.

    Weight:
        1 on ImageNet, beside 0.5 for cross-entropy and 0.5 for a distillation token.
    """

    def __init__(
        self, *, kind: str = "hard", decay: str = "linear", temperature: float = 1.0
    ) -> None:
        super().__init__()
        check_positive(self, temperature=temperature)
        for option, value, known in (("kind", kind, _KINDS), ("decay", decay, _DECAYS)):
            if value not in known:
                names = ", ".join(map(repr, known))
                raise UserError(
                    f"CumulativeSpatialLoss: {option} is one of {names}, not {value!r}."
                    f"{did_you_mean(str(value), known)}"
                )
        self.compare = _KINDS[kind]
        self.decay = _DECAYS[decay]
        self.temperature = temperature
        self.dense_head: nn.Module | None = None

    def build(self, shapes: SignalShapes) -> None:
        tokens = shapes.tensor("student_normed_tokens")
        check_grid(self, "student", tokens)
        self.dense_head = nn.Linear(tokens[1], shapes.num_classes)

    def forward(
        self,
        student_normed_tokens: Tensor,
        teacher_feature: Tensor,
        teacher_classify: Callable[[Tensor], Tensor],
        progress: float,
    ) -> Tensor:
        dense = built(self.dense_head, self)(patch_tokens(student_normed_tokens))
        side = grid_side(dense.shape[1])
        grid = dense.transpose(1, 2).unflatten(2, (side, side))  # (N, K, side, side)
        teacher = classify_positions(teacher_classify, teacher_feature.detach()).detach()
        student, teacher = match_size(grid, teacher)
        fraction = self.decay(progress)
        target = fraction * teacher + (1 - fraction) * teacher.mean((2, 3), keepdim=True)
        return self.compare(student, target, self.temperature)
