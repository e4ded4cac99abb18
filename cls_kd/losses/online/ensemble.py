"""Online distillation from an ensemble of all branches to each of them."""

from __future__ import annotations

from torch import Tensor

from cls_kd.functional import peer_kl
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import check_positive
from cls_kd.losses.search import TEMPERATURE, search_over


class EnsembleDistillationLoss(DistillLoss):
    r"""Match each branch's predictions to its ensemble target, computed by the student's fusion.

    Paper: Lan et al. 2018, arXiv:1806.04606

    .. math::
        L = T^2 \sum_a \mathrm{KL}(\mathrm{softmax}(t_a / T) \,\|\, \mathrm{softmax}(z_a / T))

    mean over the batch. The student's fusion decides what the targets are: one ensemble for all
    (ONE, OKDMDE), the other branches (CL-ILR), a separate mixture for each peer (OKDDip).

    [0] X. Lan, X. Zhu, S. Gong, "Knowledge Distillation by On-the-Fly Native Ensemble", NeurIPS
        2018, arXiv:1806.04606. Also D. Chen et al., "Online Knowledge Distillation with Diverse
        Peers", AAAI 2020, arXiv:1912.00350.
    [1] Lan-Xu/ONE_NeurIPS2018 (detach=True), DefangChen/OKDDip-AAAI2020 (detach=False). No
        difference; the ramp-up of both is a schedule of ``weight``.

    Shapes:
        peer_logits, peer_targets: (P, N, K).

    Args:
        temperature: T. Default: CIFAR, both papers.
        detach: Whether targets are constants. False: this loss also trains the fusion, and moves
            the branches that a target is made of.
    """

    search_space = search_over(temperature=TEMPERATURE)

    def __init__(self, *, temperature: float = 3.0, detach: bool = True) -> None:
        super().__init__()
        check_positive(self, temperature=temperature)
        self.temperature = temperature
        self.detach = detach

    def forward(self, peer_logits: Tensor, peer_targets: Tensor) -> Tensor:
        targets = peer_targets.detach() if self.detach else peer_targets
        return peer_kl(peer_logits, targets, self.temperature)
