"""Annealing-KD: regression of the teacher's logits, which grow during the training."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from cls_kd.errors import UserError
from cls_kd.losses.base import DistillLoss


class AnnealingKDLoss(DistillLoss):
    r"""Regress the teacher's logits, scaled by a temperature that grows from epoch to epoch.

    Paper: Jafari et al. 2021, arXiv:2104.07163

    .. math:: L = \mathrm{mean}\,(z^s - \phi z^t)^2, \quad
              \phi = \min\Big(1, \frac{1 + \lfloor e / \lfloor E / T \rfloor \rfloor}{T}\Big)

    with e the finished epochs of E; mean over all elements. It is the first phase of the method,
    without cross-entropy; the second is a run with cross-entropy alone that starts from the
    student of the first.

    [0] A. Jafari, M. Rezagholizadeh, P. Sharma, A. Ghodsi, "Annealing Knowledge Distillation", EACL
        2021, arXiv:2104.07163.
    [1] The authors' script for CIFAR was read, its repository is not known. Difference: the factor
        ends at 1, which it passes there where E is not a multiple of T; with fewer epochs than T,
        ours, it grows in each.

    Shapes:
        student_logits, teacher_logits: (N, K).

    Args:
        max_temperature: T, number of steps to the whole logits. Default: CIFAR.
    """

    def __init__(self, *, max_temperature: int = 10) -> None:
        super().__init__()
        if not isinstance(max_temperature, int) or max_temperature < 1:
            raise UserError(
                f"{type(self).__name__}: max_temperature must be a whole number of 1 or more, not "
                f"{max_temperature!r}."
            )
        self.max_temperature = max_temperature

    def forward(
        self, student_logits: Tensor, teacher_logits: Tensor, epoch: int, max_epochs: int
    ) -> Tensor:
        epochs_per_step = max(max_epochs // self.max_temperature, 1)
        factor = min((1 + epoch // epochs_per_step) / self.max_temperature, 1.0)
        return F.mse_loss(student_logits, factor * teacher_logits.detach())
