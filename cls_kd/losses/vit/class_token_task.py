"""DeiT's task loss, of the class token alone."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from cls_kd.losses.base import DistillLoss


class ClassTokenTaskLoss(DistillLoss):
    r"""Compute the task loss of the class token's logits alone, beside a distillation token.

    Paper: Touvron et al. 2021, arXiv:2012.12877

    .. math:: L = \mathrm{criterion}(z^{s,\mathrm{class}})

    In the place of ``TaskLoss``, whose logits are the mean of both tokens'.

    [0] H. Touvron, M. Cord, M. Douze, F. Massa, A. Sablayrolles, H. Jegou, "Training data-efficient
        image transformers & distillation through attention", ICML 2021, arXiv:2012.12877.
    [1] facebookresearch/deit@7e160fe:losses.py, its base loss. No difference.

    Shapes:
        student_class_token_logits: (N, K).

    Weight:
        0.5 on ImageNet.
    """

    group = "task"

    def forward(
        self, student_class_token_logits: Tensor, student_criterion: Callable[[Tensor], Tensor]
    ) -> Tensor:
        return student_criterion(student_class_token_logits)
