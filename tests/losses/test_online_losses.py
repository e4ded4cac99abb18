"""Losses of networks that learn together, against loops over peers and samples."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from cls_kd.functional import best_combination, best_logits
from cls_kd.losses import (
    ClassifierDiversityLoss,
    DMLLoss,
    EnsembleDistillationLoss,
    EnsembleTaskLoss,
    KDCLLoss,
    PeerTaskLoss,
)

PEERS, BATCH, CLASSES = 3, 5, 4


def normal(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (2 * torch.randn(*shape, generator=generator, dtype=torch.float64)).requires_grad_()


def logits(seed: int = 0) -> Tensor:
    return normal(PEERS, BATCH, CLASSES, seed=seed)


LABELS = torch.tensor([0, 1, 2, 3, 0])


def kl(target: Tensor, student: Tensor, temperature: float) -> Tensor:
    """Of two rows of logits, by the definition."""
    p, q = (F.softmax(one / temperature, dim=0) for one in (target, student))
    return temperature**2 * (p * (p / q).log()).sum()


def by_hand(peers: Tensor, targets: Tensor, temperature: float) -> Tensor:
    return sum(
        kl(targets[peer, sample], peers[peer, sample], temperature) / BATCH
        for peer in range(PEERS)
        for sample in range(BATCH)
    )


def criterion(values: Tensor) -> Tensor:
    return F.cross_entropy(values, LABELS)


def test_task_losses_are_the_head_s_of_each_branch_and_of_the_ensemble() -> None:
    peers = logits()
    value = PeerTaskLoss()(peer_logits=peers, student_criterion=criterion)
    assert torch.isclose(value, criterion(peers[0]) + criterion(peers[1]) + criterion(peers[2]))
    ensemble = normal(BATCH, CLASSES)
    value = EnsembleTaskLoss()(ensemble_logits=ensemble, student_criterion=criterion)
    assert torch.equal(value, criterion(ensemble))


@pytest.mark.parametrize("temperature", [1.0, 3.0])
@pytest.mark.parametrize("detach", [True, False])
def test_each_branch_is_taught_by_its_own_target(temperature: float, detach: bool) -> None:
    peers, targets = logits(), logits(seed=1)
    loss = EnsembleDistillationLoss(temperature=temperature, detach=detach)
    value = loss(peer_logits=peers, peer_targets=targets)
    expected = by_hand(peers, targets.detach() if detach else targets, temperature)
    assert torch.isclose(value, expected)
    gradients = torch.autograd.grad(value, peers, retain_graph=True)[0]
    assert torch.allclose(gradients, torch.autograd.grad(expected, peers, retain_graph=True)[0])
    value.backward()
    assert (targets.grad is None) == detach
    if not detach:
        expected.backward()
        assert targets.grad.abs().sum() > 0


def test_equal_peers_have_nothing_to_teach_each_other() -> None:
    one = normal(1, BATCH, CLASSES).expand(PEERS, -1, -1)
    assert DMLLoss()(peer_logits=one).item() == pytest.approx(0, abs=1e-12)
    same = EnsembleDistillationLoss()(peer_logits=one, peer_targets=one)
    assert same.item() == pytest.approx(0, abs=1e-12)


def test_a_network_alone_learns_from_nobody() -> None:
    assert DMLLoss()(peer_logits=normal(1, BATCH, CLASSES)).item() == pytest.approx(0, abs=1e-12)
    nothing = ClassifierDiversityLoss()(peer_classifiers=normal(1, CLASSES, 6))
    nothing.backward()
    assert nothing.item() == 0


def target_of(mode: str, peers: Tensor, sample: int) -> Tensor:
    """The target's logits of one sample."""
    rows, label = peers[:, sample].detach(), LABELS[sample]
    if mode == "mean":
        return sum(rows) / PEERS
    if mode == "minlogit":
        return torch.stack([min(row[c] - row[label] for row in rows) for c in range(CLASSES)])
    return min(rows, key=lambda row: F.cross_entropy(row, label).item())


@pytest.mark.parametrize("mode", ["naive", "minlogit", "mean"])
def test_kdcl_has_one_target_for_all(mode: str) -> None:
    peers = logits()
    target = torch.stack([target_of(mode, peers, sample) for sample in range(BATCH)])
    expected = by_hand(peers, target.expand_as(peers), 2.0)
    value = KDCLLoss(mode=mode, temperature=2.0)(peer_logits=peers, labels=LABELS)
    assert torch.isclose(value, expected)
    (gradient,) = torch.autograd.grad(value, peers, retain_graph=True)
    assert torch.allclose(gradient, torch.autograd.grad(expected, peers)[0])


def test_naive_may_choose_another_peer_for_each_sample() -> None:
    peers = torch.zeros(2, 2, 2)
    peers[0, 0, 0] = peers[1, 1, 1] = 5.0  # the first is right of sample 0, the second of sample 1
    chosen = best_logits(peers, torch.tensor([0, 1]))
    assert torch.equal(chosen, torch.tensor([[5.0, 0.0], [0.0, 5.0]]))


def test_linear_finds_the_best_of_two_peers() -> None:
    """Against a fine grid of mixtures, and never behind the equal one."""
    peers = torch.cat([logits(), logits(seed=2), logits(seed=3)], 1)[:2].detach()
    labels = LABELS.repeat(3)
    found = best_combination(peers, labels)
    grid = torch.linspace(0, 1, 1001, dtype=peers.dtype).view(-1, 1, 1)
    mixtures = grid * peers[0] + (1 - grid) * peers[1]  # (1001, N, K)
    each = F.cross_entropy(mixtures.flatten(0, 1), labels.repeat(1001), reduction="none")
    best = each.view(1001, -1).amin(0)
    own = F.cross_entropy(found, labels, reduction="none")
    assert (own >= best - 1e-6).all()
    assert (own - best).max() < 0.05
    assert (own <= F.cross_entropy(peers.mean(0), labels, reduction="none") + 1e-9).all()


def test_linear_is_what_kdcl_teaches() -> None:
    peers = logits()
    target = best_combination(peers.detach(), LABELS).expand_as(peers)
    value = KDCLLoss(mode="linear", temperature=2.0)(peer_logits=peers, labels=LABELS)
    assert torch.isclose(value, by_hand(peers, target, 2.0))


def test_diversity_has_the_gradient_of_the_frobenius_norms() -> None:
    weights = normal(PEERS, CLASSES, 6)
    value = ClassifierDiversityLoss()(peer_classifiers=weights)
    fixed = weights.detach()
    expected = sum(
        math.sqrt(
            sum(float(fixed[a, :, i] @ fixed[b, :, j]) ** 2 for i in range(6) for j in range(6))
        )
        for a, b in [(0, 1), (0, 2), (1, 2)]
    )
    assert value.item() == pytest.approx(expected)
    assert torch.autograd.gradcheck(
        lambda w: ClassifierDiversityLoss()(peer_classifiers=w), weights
    )


def test_diversity_is_least_where_classifiers_look_at_other_classes() -> None:
    weights = torch.zeros(2, 4, 3, requires_grad=True)
    with torch.no_grad():
        weights[0, :2], weights[1, 2:] = 1.0, 1.0
    value = ClassifierDiversityLoss()(peer_classifiers=weights)
    value.backward()
    assert value.item() == 0
    assert weights.grad.isfinite().all()
