"""DDGSD: self-distillation between augmented views of an image."""

from __future__ import annotations

from itertools import permutations

import torch
from torch import Tensor

from cls_kd.functional import softened_kl
from cls_kd.losses.base import DistillLoss
from cls_kd.losses.options import check_not_negative, check_positive
from cls_kd.losses.search import TEMPERATURE, Range, search_over


class DDGSDLoss(DistillLoss):
    r"""Match predictions, and mean embeddings (MMD), between augmented views of the same images.

    Paper: Xu and Liu 2019

    .. math:: L = \sum_{a \ne b} T^2 \, \mathrm{KL}(\mathrm{softmax}(\bar z_b / T) \,\|\,
              \mathrm{softmax}(z_a / T)) + \mu \sum_{a < b} \| \mathrm{mean}_n e_{a,n} -
              \mathrm{mean}_n e_{b,n} \|^2

    with z the logits and e the embeddings of views a and b, targets constant; KL summed over
    classes, mean over the batch. The training data need ``Views`` around them;
    configs/methods/ddgsd.py brings it along.

    [0] T.-B. Xu, C.-L. Liu, "Data-Distortion Guided Self-Distillation for Deep Neural Networks",
        AAAI 2019.
    [1] No public code of the authors is known; winycg/Self-KD-Lib@ede3062 squares the difference of
        two means over batch and dimensions. Ours: more than two views are compared in pairs.

    Shapes:
        view_logits: (V, N, K).
        view_embeddings: (V, N, D).

    Args:
        temperature: T. Default: of [1], on CIFAR-100.
        mmd_weight: mu. Default: of SD-Dropout's authors, who compare with this method.
    """

    search_space = search_over(temperature=TEMPERATURE, mmd_weight=Range(0.0005, 0.05, log=True))

    def __init__(self, *, temperature: float = 3.0, mmd_weight: float = 0.005) -> None:
        super().__init__()
        check_positive(self, temperature=temperature)
        check_not_negative(self, mmd_weight=mmd_weight)
        self.temperature, self.mmd_weight = temperature, mmd_weight

    def forward(self, view_logits: Tensor, view_embeddings: Tensor) -> dict[str, Tensor]:
        terms = [
            softened_kl(a, b.detach(), self.temperature) for a, b in permutations(view_logits, 2)
        ]
        means = view_embeddings.mean(1)
        # Each pair is seen from both sides.
        mmd = (means.unsqueeze(0) - means.unsqueeze(1)).square().sum() / 2
        return dict(loss_kl=torch.stack(terms).sum(), loss_mmd=self.mmd_weight * mmd)
