"""tf-NKD and USKD against slow versions that are written sample by sample."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from cls_kd.errors import UserError
from cls_kd.functional import two_targets
from cls_kd.losses import TfNKDLoss, USKDLoss, USKDTokenLoss
from cls_kd.signals.shapes import SignalShapes

from .fabricate import SIZES, Sizes, fabricate

CLASSES = SIZES.classes
HARD = torch.eye(CLASSES)[[0, 1, 2, 3]].double()
MIXED = torch.tensor(
    [[0.7, 0.3, 0, 0, 0], [0, 0.4, 0, 0, 0.6], [0, 0, 1.0, 0, 0], [0.9, 0, 0, 0.1, 0]]
).double()
TARGETS = {"hard": HARD, "mixed": MIXED}
every_target = pytest.mark.parametrize("targets", TARGETS.values(), ids=list(TARGETS))


def classes_of(target: Tensor) -> list[int]:
    """The two largest shares; the second may be 0."""
    return sorted(range(len(target)), key=lambda i: -target[i].item())[:2]


def slow_target(logits: Tensor, targets: Tensor, power: int) -> tuple[Tensor, Tensor]:
    """Value and gradient of the target term, in the order in which the formula is read."""
    softmax = [
        [math.exp(z) / sum(math.exp(y) for y in row) for z in row] for row in logits.tolist()
    ]
    count = len(softmax)
    value, gradient = 0.0, torch.zeros_like(logits)
    for k in range(2):
        places = [classes_of(target)[k] for target in targets]
        believed = [softmax[n][place] ** power for n, place in enumerate(places)]
        named = [one for n, one in enumerate(believed) if targets[n, places[n]] > 0]
        mean = sum(named) / max(len(named), 1)
        for n, place in enumerate(places):
            share = targets[n, place].item()
            weight = believed[n] + share - mean if share > 0 else 0.0
            value -= weight * math.log(softmax[n][place]) / count
            for i in range(logits.shape[1]):
                gradient[n, i] += weight * (softmax[n][i] - (i == place)) / count
    return torch.tensor(value).double(), gradient


@every_target
def test_tf_nkd_by_hand(targets: Tensor) -> None:
    logits = torch.randn(4, CLASSES, dtype=torch.float64, requires_grad=True)
    loss = TfNKDLoss()(student_logits=logits, labels=targets.argmax(1), targets=targets)
    value, gradient = slow_target(logits.detach(), targets, power=1)
    loss.backward()
    torch.testing.assert_close(loss.detach(), value, rtol=1e-6, atol=0)
    torch.testing.assert_close(logits.grad, gradient)


@pytest.mark.parametrize("loss", [TfNKDLoss(), USKDLoss(), USKDTokenLoss()])
def test_hard_labels_need_no_targets(loss: Any) -> None:
    loss.build(SIZES.facts())
    signals = fabricate(loss.signals)
    given = loss(**signals)
    del signals["targets"]
    assert loss(**signals) == given


@pytest.mark.parametrize("loss", [TfNKDLoss(), USKDLoss()])
@pytest.mark.parametrize("targets", [HARD, MIXED])
def test_label_smoothing_is_taken_off(loss: Any, targets: Tensor) -> None:
    loss.build(SIZES.facts())
    signals = fabricate(loss.signals) | {"targets": targets.float()}
    sharp = loss(**signals)
    smoothed = loss(**(signals | {"targets": 0.9 * targets.float() + 0.1 / CLASSES}))
    torch.testing.assert_close(smoothed, sharp)


def test_equal_beliefs_make_tf_nkd_the_cross_entropy() -> None:
    logits = torch.randn(1, CLASSES).expand(3, -1)
    labels = torch.tensor([2, 2, 2])
    loss = TfNKDLoss()(student_logits=logits, labels=labels)
    torch.testing.assert_close(loss, F.cross_entropy(logits, labels))


def test_weights_of_tf_nkd_have_mean_one() -> None:
    """Where all samples have the same log-probability gradient, only the mean weight is left."""
    logits = torch.randn(6, CLASSES, requires_grad=True)
    labels = torch.tensor([0, 1, 2, 3, 4, 0])
    TfNKDLoss()(student_logits=logits, labels=labels).backward()
    softmax = logits.detach().softmax(1)
    weights = -logits.grad.gather(1, labels[:, None]) / (1 - softmax.gather(1, labels[:, None])) * 6
    assert weights.mean().item() == pytest.approx(1, abs=1e-5)
    assert weights.std() > 0.01


def test_two_targets_of_two_classes_and_of_nothing() -> None:
    classes, shares = two_targets(torch.tensor([[0.0, 1.0], [0.3, 0.7], [0.5, 0.5]]))
    assert classes[:2, 0].tolist() == [1, 1]
    assert shares.tolist() == [[1.0, 0.0], [1.0, 0.0], [0.0, 0.0]]


def slow_uskd(logits: Tensor, weak: Tensor, targets: Tensor) -> dict[str, float]:
    """The non-target and the weak term for each sample, with lists and sorted()."""
    non_target = weak_loss = 0.0
    for z, u, target in zip(logits, weak, targets, strict=True):
        s, w = z.softmax(0).tolist(), u.softmax(0).tolist()
        own = [i for i in range(CLASSES) if target[i] > 0]
        rest = [i for i in range(CLASSES) if target[i] == 0]
        s_own, w_own = sum(s[i] for i in own), sum(w[i] for i in own)
        rank = [w[i] / (1 - w_own + 1e-6) + s[i] / (1 - s_own + 1e-6) for i in range(CLASSES)]
        place = {i: k for k, i in enumerate(sorted(range(CLASSES), key=lambda i: -rank[i]), 1)}
        mass = {i: 1 / place[i] for i in rest}
        others = sum(math.exp(z[i]) for i in rest)
        for i in rest:
            log_share = float(z[i]) - math.log(others)
            non_target -= mass[i] / sum(mass.values()) * log_share / len(logits)
        for i in range(CLASSES):
            smoothed = 0.9 * float(target[i]) + 0.1 / CLASSES
            weak_loss -= smoothed * math.log(w[i]) / len(logits)
    return dict(non_target=non_target, weak=weak_loss)


@every_target
@pytest.mark.parametrize("kind", [USKDLoss, USKDTokenLoss])
def test_uskd_by_hand(kind: type, targets: Tensor) -> None:
    sizes = Sizes(tokens={"student": (4, 5, 6), "teacher": (3, 5, 8)})
    loss = kind(alpha=2.0, beta=3.0, mu=5.0)
    loss.build(sizes.facts())
    loss.double()
    signals = {
        name: tuple(one.double() for one in value) if isinstance(value, tuple) else value.double()
        for name, value in fabricate(loss.signals, sizes).items()
    } | {"targets": targets, "labels": targets.argmax(1)}
    middle = (
        signals["student_stages"][1].mean((2, 3))
        if kind is USKDLoss
        else signals["student_blocks"][1][:, 0]
    )
    weak = F.linear(middle, loss.weak_head.weight, loss.weak_head.bias).detach()
    logits = signals["student_logits"].detach()

    terms = {name: value.item() for name, value in loss(**signals).items()}
    assert set(terms) == {"loss_target", "loss_non_target", "loss_weak"}
    expected = slow_uskd(logits, weak, targets)
    value, _ = slow_target(logits, targets, power=2)
    assert terms["loss_target"] == pytest.approx(2 * value.item(), rel=1e-6)
    assert terms["loss_non_target"] == pytest.approx(3 * expected["non_target"], rel=1e-6)
    assert terms["loss_weak"] == pytest.approx(5 * expected["weak"], rel=1e-6)


def test_uskd_gradients() -> None:
    """Ranks and beliefs are constants; the stage is reached by the weak logits alone."""
    loss = USKDLoss(alpha=1.0, beta=0.5, mu=0.25)
    loss.build(SIZES.facts())
    signals = fabricate(loss.signals)
    logits, labels = signals["student_logits"], signals["labels"]
    terms = loss(**signals)
    (by_target,) = torch.autograd.grad(terms["loss_target"], logits, retain_graph=True)
    _, expected = slow_target(logits.detach().double(), HARD, power=2)
    torch.testing.assert_close(by_target.double(), expected)
    (by_rest,) = torch.autograd.grad(terms["loss_non_target"], logits, retain_graph=True)
    assert (by_rest.gather(1, labels[:, None]) == 0).all(), "the label's logit is not in it"
    torch.testing.assert_close(by_rest.sum(1), torch.zeros(4))
    (stage,) = torch.autograd.grad(
        terms["loss_weak"], signals["student_stages"][1], retain_graph=True
    )
    assert stage.abs().sum() > 0
    for other in ("loss_target", "loss_non_target"):
        assert torch.autograd.grad(
            terms[other], signals["student_stages"][1], retain_graph=True, allow_unused=True
        ) == (None,)


def test_ranks_are_of_probabilities() -> None:
    """With logarithms of s in the ranking, the class that s likes best would come last."""
    loss = USKDLoss(alpha=0.0, beta=1.0, mu=0.0)
    loss.build(SIZES.facts())
    with torch.no_grad():
        loss.weak_head.weight.zero_()
        loss.weak_head.bias.zero_()
    logits = torch.tensor([[0.0, 3.0, 2.0, 1.0, 0.5]])
    terms = loss(
        student_logits=logits,
        student_stages=(torch.zeros(1, 4, 2, 2),) * 2,
        labels=torch.tensor([0]),
    )
    # The label is last of five: the others have the places 1 to 4.
    mass = torch.tensor([1, 1 / 2, 1 / 3, 1 / 4])
    log_rest = logits[0, 1:].log_softmax(0)
    torch.testing.assert_close(terms["loss_non_target"], -(mass / mass.sum() * log_rest).sum())


def test_a_target_in_front_uses_up_the_first_place() -> None:
    loss = USKDLoss(alpha=0.0, beta=1.0, mu=0.0)
    loss.build(SIZES.facts())
    with torch.no_grad():
        loss.weak_head.weight.zero_()
        loss.weak_head.bias.zero_()
    logits = torch.tensor([[9.0, 3.0, 2.0, 1.0, 0.5]])
    terms = loss(
        student_logits=logits,
        student_stages=(torch.zeros(1, 4, 2, 2),) * 2,
        labels=torch.tensor([0]),
    )
    mass = torch.tensor([1 / 2, 1 / 3, 1 / 4, 1 / 5])
    log_rest = logits[0, 1:].log_softmax(0)
    torch.testing.assert_close(terms["loss_non_target"], -(mass / mass.sum() * log_rest).sum())


def test_uskd_needs_something_in_the_middle() -> None:
    shapes = {"student_stages": ((4, 2, 2),), "student_blocks": ((5, 4),)}
    with pytest.raises(UserError, match="second-to-last stage"):
        USKDLoss().build(SignalShapes(shapes, num_classes=5))
    with pytest.raises(UserError, match="middle block"):
        USKDTokenLoss().build(SignalShapes(shapes, num_classes=5))
    # Swin has patches only; the first is no class token.
    swin = {"student_blocks": ((64, 4), (16, 8), (4, 16))}
    with pytest.raises(UserError, match=r"64 tokens .* whole grid of patches"):
        USKDTokenLoss().build(SignalShapes(swin, num_classes=5))
    with pytest.raises(UserError, match=r"build\(shapes\)"):
        USKDLoss()(**fabricate(USKDLoss().signals))
