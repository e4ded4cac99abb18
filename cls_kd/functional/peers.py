"""Ensemble targets of P peers and their divergence from them; logits are (P, N, K)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from cls_kd.functional.softened import softened_kl


def peer_kl(peer_logits: Tensor, targets: Tensor, temperature: float = 1.0) -> Tensor:
    """``T^2 KL(target || peer)`` at ``temperature``: sum over peers, mean over the batch.

    >>> peers = torch.zeros(3, 2, 2)
    >>> peer_kl(peers, torch.tensor([500.0, -500.0]).expand(3, 2, 2))  # 3 log 2
    tensor(2.0794)
    """
    each = softened_kl(peer_logits.flatten(0, 1), targets.flatten(0, 1), temperature)
    return len(peer_logits) * each


def mutual_kl(peer_logits: Tensor, targets: Tensor, temperature: float = 1.0) -> Tensor:
    """For each peer the mean of ``T^2 KL(target || peer)`` over the targets of all other peers.

    Sum over peers, mean over the batch; 0 for a single peer.

    >>> targets = torch.tensor([[[500.0, -500.0]], [[0.0, 0.0]]])
    >>> mutual_kl(torch.zeros(2, 1, 2), targets)  # the second peer: log 2; the first: 0
    tensor(0.6931)
    """
    count = len(peer_logits)
    pairs = [(a, b) for a in range(count) for b in range(count) if a != b]
    if not pairs:
        return 0 * peer_logits.sum()  # still a gradient for DDP
    learners = torch.stack([peer_logits[a] for a, _ in pairs])
    others = torch.stack([targets[b] for _, b in pairs])
    return peer_kl(learners, others, temperature) / (count - 1)


def mean_logits(peer_logits: Tensor, labels: Tensor) -> Tensor:
    """The mean over peers, (N, K); the labels do not matter.

    >>> mean_logits(torch.tensor([[[1.0, 0.0]], [[3.0, 1.0]]]), torch.tensor([0]))
    tensor([[2.0000, 0.5000]])
    """
    return peer_logits.mean(0)


def best_logits(peer_logits: Tensor, labels: Tensor) -> Tensor:
    """For each sample the logits of the peer with the least cross-entropy, (N, K).

    >>> peers = torch.tensor([[[2.0, 0.0], [2.0, 0.0]], [[0.0, 1.0], [0.0, 1.0]]])
    >>> best_logits(peers, torch.tensor([0, 1]))
    tensor([[2., 0.],
            [0., 1.]])
    """
    likelihood = F.log_softmax(peer_logits, 2).gather(2, _column(peer_logits, labels))  # (P, N, 1)
    best = likelihood.argmax(0, keepdim=True).expand(1, *peer_logits.shape[1:])
    return peer_logits.gather(0, best).squeeze(0)


def least_margins(peer_logits: Tensor, labels: Tensor) -> Tensor:
    """Each peer's logits less that of its label, then the least over peers, (N, K).

    >>> peers = torch.tensor([[[2.0, 1.0, 0.0]], [[5.0, 0.0, 4.5]]])
    >>> least_margins(peers, torch.tensor([0]))
    tensor([[ 0., -5., -2.]])
    """
    return (peer_logits - peer_logits.gather(2, _column(peer_logits, labels))).amin(0)


def best_combination(peer_logits: Tensor, labels: Tensor, steps: int = 50) -> Tensor:
    """For each sample the convex combination of peers with the least cross-entropy, (N, K).

    The weights are found by ``steps`` of exponentiated gradient, from equal ones: an approximation.

    >>> peers = torch.tensor([[[0.0, 3.0, 0.0]], [[0.0, 0.0, 3.0]]])  # both are wrong, in two ways
    >>> best_combination(peers, torch.tensor([0]))
    tensor([[0.0000, 1.5000, 1.5000]])
    """
    margins = peer_logits - peer_logits.gather(2, _column(peer_logits, labels))
    # The loss of a combination depends on how peers differ: their spread bounds its curvature.
    spread = (margins - margins.mean(0)).abs().amax((0, 2))  # (N,)
    rate = 4 / spread.square().clamp_min(1e-6)
    scores = torch.zeros_like(margins[..., 0])  # (P, N)
    for _ in range(steps):
        weights = F.softmax(scores, 0).unsqueeze(2)
        wrong = F.softmax((weights * margins).sum(0), 1)
        scores = scores - rate * (wrong * margins).sum(2)
    return (F.softmax(scores, 0).unsqueeze(2) * peer_logits).sum(0)


def _column(peer_logits: Tensor, labels: Tensor) -> Tensor:
    return labels.view(1, -1, 1).expand(len(peer_logits), -1, 1)
