"""MLKD: multi-level logit distillation."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from cls_kd.functional import batch_correlation, class_correlation, softened_kl
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import check_temperatures


class MLKDLoss(DistillLoss):
    r"""Match predictions at several temperatures: of instances, between samples, between classes.

    Paper: Jin et al. 2023, CVPR

    .. math:: L = \sum_T \Big( T^2 \, \mathrm{KL}(t \,\|\, s) + \frac{1}{N} \| S S^\top -
              \bar T \bar T^\top \|_F^2 + \frac{1}{K} \| S^\top S - \bar T^\top \bar T \|_F^2 \Big)

    with s and t the softmaxes at temperature T, which are the rows of S and of the matrix with the
    bar, (N, K); KL summed over classes, mean over the batch. The terms alone are `KDLoss`,
    `BatchCorrelationLoss` and `ClassCorrelationLoss`.

    [0] Y. Jin, J. Wang, D. Lin, "Multi-Level Logit Distillation", CVPR 2023.
    [1] Jin-Ying/Multi-Level-Logit-Distillation@5ee473f:mdistiller/distillers/KD_ours.py, its three
        functions on one view of the images. Difference: there is no mask of confidence. In [1],
        with whose code the published results were made, the masks multiply values that are already
        averaged, terms of the strong view are computed and not used, and two others use the logits
        of the weak one.

    Shapes:
        student_logits, teacher_logits: (N, K).

    Args:
        temperatures: The values of T. Default: CIFAR-100.

    Weight:
        0.9, with 0.1 for cross-entropy, on CIFAR-100; 0.5 and 0.5 on ImageNet.
    """

    def __init__(self, *, temperatures: Sequence[float] = (4.0, 3.0, 5.0, 2.0, 6.0)) -> None:
        super().__init__()
        check_temperatures(self, temperatures)
        self.temperatures = tuple(temperatures)

    def forward(self, student_logits: Tensor, teacher_logits: Tensor) -> dict[str, Tensor]:
        terms = dict(
            loss_instance=softened_kl, loss_batch=batch_correlation, loss_class=class_correlation
        )
        teacher = teacher_logits.detach()
        return {
            name: torch.stack([term(student_logits, teacher, t) for t in self.temperatures]).sum()
            for name, term in terms.items()
        }
