"""SDD: scale-decoupled distillation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from cls_kd.errors import UserError
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.wrapper import LossWrapper, check_per_sample, check_signals

_SIZE = 4
_INNER = ("student_logits", "teacher_logits", "labels")
Classify = Callable[[Tensor], Tensor]


class SDDLoss(LossWrapper):
    r"""Apply a logit loss to the logits of every cell of a pyramid of grids on the last map.

    Paper: Wei et al. 2024, arXiv:2403.13512

    .. math:: L = \frac{1}{M} \sum_m \mathrm{mean}_n \, w_{n,m} \, L_\mathrm{inner}(z^s_{n,m},
              z^t_{n,m})

    with m one of the M cells of all grids, z its logits by the network's own classifier, and
    w = 2 where exactly one of the teacher's predictions, of the cell and of the whole map, is the
    label, else 1. Maps are average-pooled to 4x4 first, and coarser grids are pooled from these.

    [0] S. Wei, C. Luo, Y. Luo, "Scale Decoupled Distillation", CVPR 2024, arXiv:2403.13512.
    [1] shicaiwei123/SDD-CVPR2024@e412036:mdistiller/distillers/KD.py, SDD_DKD.py, SDD_nkd.py and
        mdistiller/models/cifar/utils.py. Differences: its NKD does not leave out the label among
        the non-target classes, by which the paper's rows of SDD-NKD were made; the warm-up of DKD
        and NKD over 20 epochs is left to ``weight``.

    Shapes:
        student_feature, teacher_feature: (N, C, h, w).
        labels: (N,), hard.

    Args:
        loss: The inner loss or its config: one of logits with a value for each sample (KD, DKD,
            NKD).
        grids: Cells on each side, of 1, 2 and 4; the first is 1. Default: pairs of networks of
            different families on CIFAR-100; of one family (1, 2).
    """

    def __init__(
        self, *, loss: DistillLoss | Mapping[str, Any], grids: Sequence[int] = (1, 2, 4)
    ) -> None:
        super().__init__(loss)
        check_per_sample(self, self.loss)
        check_signals(self, self.loss, _INNER)
        if not isinstance(grids, Sequence) or tuple(grids) not in ((1,), (1, 2), (1, 4), (1, 2, 4)):
            raise UserError(
                f"{type(self).__name__}: grids must be of 1, 2 and 4 in order, and begin with 1, "
                f"not {grids!r}."
            )
        self.grids = tuple(grids)

    @property
    def signals(self) -> tuple[str, ...]:  # type: ignore[override]
        """The maps and what classifies their cells."""
        return (
            *("student_feature", "teacher_feature", "labels"),
            *("student_classify", "teacher_classify"),
        )

    def forward(
        self,
        student_feature: Tensor,
        teacher_feature: Tensor,
        labels: Tensor,
        student_classify: Classify,
        teacher_classify: Classify,
    ) -> Tensor:
        student = _cell_logits(student_feature, self.grids, student_classify)
        teacher = _cell_logits(teacher_feature.detach(), self.grids, teacher_classify).detach()
        count = teacher.shape[1]
        correct = teacher.argmax(2) == labels.unsqueeze(1)  # (N, M), the whole map first
        weights = 1.0 + (correct != correct[:, :1]).to(student.dtype)
        inner = dict(
            student_logits=student.flatten(0, 1),
            teacher_logits=teacher.flatten(0, 1),
            labels=labels.repeat_interleave(count),
        )
        losses = self.loss.per_sample(**{name: inner[name] for name in self.loss.signals})
        return (weights.flatten() * losses).mean()


def _cell_logits(feature: Tensor, grids: Sequence[int], classify: Classify) -> Tensor:
    """Logits of every cell, grid by grid, (N, M, K)."""
    finest = F.adaptive_avg_pool2d(feature, _SIZE)
    cells = torch.cat([F.adaptive_avg_pool2d(finest, grid).flatten(2) for grid in grids], dim=2)
    cells = cells.transpose(1, 2)  # (N, M, C)
    logits = classify(cells.flatten(0, 1)[:, :, None, None])
    return logits.unflatten(0, cells.shape[:2])
