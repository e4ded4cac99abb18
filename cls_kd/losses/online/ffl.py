"""FFL: feature fusion learning between branches and a fused classifier."""

from __future__ import annotations

from torch import Tensor

from cls_kd.functional import peer_kl, softened_kl
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import check_positive
from cls_kd.losses.search import TEMPERATURE, search_over


class FFLLoss(DistillLoss):
    r"""Distill a fused classifier into each branch, and the mean of the branches into it.

    Paper: Kim et al. 2021, arXiv:1904.09058

    .. math:: L = T^2 \sum_a \mathrm{KL}(\mathrm{softmax}(z_f / T) \,\|\,
              \mathrm{softmax}(z_a / T)) + T^2 \, \mathrm{KL}(\mathrm{softmax}(\bar z / T) \,\|\,
              \mathrm{softmax}(z_f / T)), \quad \bar z = \frac1P \sum_a z_a

    mean over the batch; every target is a constant. z_f are the logits of the student's fusion,
    ``FeatureClassifierFusion``; configs/methods/ffl.py brings it along.

    [0] J. Kim, M. Hyun, I. Chung, N. Kwak, "Feature Fusion for Online Mutual Knowledge
        Distillation", ICPR 2020, arXiv:1904.09058.
    [1] Jangho-Kim/FFL-pytorch@546d478:train_FFL.py and utils.py. Differences: there 1e-7 is added
        to every probability of a target, and the fusion has an optimizer of its own, with a weight
        decay of 1e-5 where the branches have 1e-4. Its ramp-up is a schedule of ``weight``.

    Shapes:
        peer_logits: (P, N, K).
        ensemble_logits: (N, K).

    Args:
        temperature: T. Default: CIFAR.
    """

    search_space = search_over(temperature=TEMPERATURE)

    def __init__(self, *, temperature: float = 3.0) -> None:
        super().__init__()
        check_positive(self, temperature=temperature)
        self.temperature = temperature

    def forward(self, peer_logits: Tensor, ensemble_logits: Tensor) -> dict[str, Tensor]:
        target = ensemble_logits.detach().expand_as(peer_logits)
        mean = peer_logits.detach().mean(0)
        return dict(
            loss_branches=peer_kl(peer_logits, target, self.temperature),
            loss_fusion=softened_kl(ensemble_logits, mean, self.temperature),
        )
