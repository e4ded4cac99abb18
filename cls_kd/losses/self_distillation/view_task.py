"""The task loss of every augmentation of an image."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from cls_kd.losses.base import DistillLoss


class ViewTaskLoss(DistillLoss):
    r"""Keep, for every augmentation of an image, the loss that the head has for the labels.

    Paper: none

    .. math:: L = \sum_a \mathrm{criterion}(z_a)

    Shapes:
        view_logits: (V, N, K).
    """

    group = "task"

    def forward(self, view_logits: Tensor, student_criterion: Callable[[Tensor], Tensor]) -> Tensor:
        return torch.stack([student_criterion(logits) for logits in view_logits]).sum()
