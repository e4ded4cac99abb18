"""Task losses of branches and of their ensemble."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from cls_kd.losses.base import DistillLoss


class PeerTaskLoss(DistillLoss):
    r"""Compute the task loss, usually cross-entropy, of every branch.

    Paper: none

    .. math:: L = \sum_a \mathrm{criterion}(z_a)

    ``student_criterion`` knows the labels, also smoothed or mixed ones.

    Shapes:
        peer_logits: (P, N, K).
    """

    group = "task"

    def forward(self, peer_logits: Tensor, student_criterion: Callable[[Tensor], Tensor]) -> Tensor:
        return torch.stack([student_criterion(logits) for logits in peer_logits]).sum()


class EnsembleTaskLoss(DistillLoss):
    r"""Compute the task loss, usually cross-entropy, of the ensemble of all branches.

    Paper: Lan et al. 2018, arXiv:1806.04606

    .. math:: L = \mathrm{criterion}(z_e)

    [0] X. Lan, X. Zhu, S. Gong, "Knowledge Distillation by On-the-Fly Native Ensemble", NeurIPS
        2018, arXiv:1806.04606.
    [1] Lan-Xu/ONE_NeurIPS2018. No difference.

    Shapes:
        ensemble_logits: (N, K).
    """

    group = "task"

    def forward(
        self, ensemble_logits: Tensor, student_criterion: Callable[[Tensor], Tensor]
    ) -> Tensor:
        return student_criterion(ensemble_logits)
