"""CD: classifier diversity of branches."""

from __future__ import annotations

import torch
from torch import Tensor

from cls_kd.losses.base import DistillLoss


class ClassifierDiversityLoss(DistillLoss):
    r"""Penalize similar classifier weights: the Frobenius norm of the product of each two branches.

    Paper: Li et al. 2020, arXiv:2010.00795

    .. math:: L = \sum_{a < b} \| W_a^\top W_b \|_F

    over unordered pairs, with W of shape (K, D): the D x D matrix holds the inner products,
    over classes, of the weights of each feature in one branch with those in the other.

    [0] Z. Li, Y. Huang, D. Chen, T. Luo, N. Cai, Z. Pan, "Online Knowledge Distillation via
        Multi-branch Diversity Enhancement", ACCV 2020, arXiv:2010.00795.
    [1] No code of the authors is known. The scale 5e-8, which later works carry, leaves this term
        almost without effect: see docs/papers/online.md.

    Shapes:
        peer_classifiers: (P, K, D).
    """

    def forward(self, peer_classifiers: Tensor) -> Tensor:
        peers = len(peer_classifiers)
        # Host-side indices: the pairs are known without asking the device.
        pairs = [(a, b) for a in range(peers) for b in range(a + 1, peers)]
        products = [peer_classifiers[a].t() @ peer_classifiers[b] for a, b in pairs]
        norms = [torch.linalg.matrix_norm(product) for product in products]
        # A single branch has no pair: 0, and still a gradient for DDP.
        return torch.stack(norms).sum() if norms else peer_classifiers.sum() * 0.0
