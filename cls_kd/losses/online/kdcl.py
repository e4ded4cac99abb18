"""KDCL: collaborative learning from a joint soft target."""

from __future__ import annotations

from torch import Tensor

from cls_kd.errors import UserError, did_you_mean
from cls_kd.functional import best_combination, best_logits, least_margins, mean_logits, peer_kl
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import check_positive
from cls_kd.losses.search import TEMPERATURE, search_over

TARGETS = {
    "naive": best_logits,
    "linear": best_combination,
    "minlogit": least_margins,
    "mean": mean_logits,
}
"""Logits of all peers and labels to the logits of the target, (N, K)."""


class KDCLLoss(DistillLoss):
    r"""Match all networks' predictions to one ensemble target, from their logits and the labels.

    Paper: Guo et al. 2020, CVPR 2020

    .. math:: L = T^2 \sum_a \mathrm{KL}(\mathrm{softmax}(z / T) \,\|\, \mathrm{softmax}(z_a / T))

    mean over the batch. For each sample the target z, a constant, is: the logits of the student
    with the least cross-entropy (``naive``); the convex combination of students with the least
    cross-entropy (``linear``); the least over students of the logits less the label's
    (``minlogit``); the mean (``mean``). Choosing sample by sample is ours.

    [0] Q. Guo, X. Wang, Y. Wu, Z. Yu, D. Liang, X. Hu, P. Luo, "Online Knowledge Distillation via
        Collaborative Learning", CVPR 2020. There each student gets an augmentation of its own;
        here all get the same images. Its fourth target, from errors on held-out data, is not here.
    [1] No code of the authors is known.

    Shapes:
        peer_logits: (P, N, K).
        labels: (N,).

    Args:
        mode: ``naive``, ``linear``, ``minlogit`` or ``mean``.
        temperature: T. Default: ours.
    """

    search_space = search_over(temperature=TEMPERATURE)

    def __init__(self, *, mode: str = "minlogit", temperature: float = 3.0) -> None:
        super().__init__()
        check_positive(self, temperature=temperature)
        if mode not in TARGETS:
            raise UserError(f"KDCLLoss has no mode {mode!r}.{did_you_mean(str(mode), TARGETS)}")
        self.mode = mode
        self.temperature = temperature

    def forward(self, peer_logits: Tensor, labels: Tensor) -> Tensor:
        target = TARGETS[self.mode](peer_logits.detach(), labels)
        return peer_kl(peer_logits, target.expand_as(peer_logits), self.temperature)
