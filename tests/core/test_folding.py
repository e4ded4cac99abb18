"""Batch norm folded into convolutions: where it may be, and that nothing but rounding changes."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from mmpretrain.models import MobileNetV2, RegNet, ShuffleNetV2
from torch import Tensor, nn

from cls_kd.core.folding import Folding
from cls_kd.models import (
    CIFARVGG,
    CIFARResNet,
    CIFARShuffleNetV1,
    CIFARWideResNet,
    MobileNetV1,
)
from cls_kd.signals.tap import Tap
from tests.distillers import tiny


def with_statistics(network: nn.Module, seed: int = 0) -> nn.Module:
    """In eval mode, with batch norms as after a training."""
    torch.manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d) and module.track_running_stats:
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.1)
    network.eval()  # of which some of mmpretrain's networks return None
    return network


def fold(network: nn.Module, images: Tensor, *taps: Tap) -> Folding:
    return Folding(network, lambda: network(images), taps)


def last(output: Any) -> Tensor:
    return output[-1] if isinstance(output, tuple) else output


BODIES = {
    "resnet": (lambda: CIFARResNet(depth=8), 9),
    "bottlenecks": (lambda: tiny.build(tiny.resnet_cifar(depth=50)).backbone, 53),
    "wide, pre-activation": (lambda: CIFARWideResNet(depth=10, widen=1), 3),
    "vgg": (lambda: CIFARVGG(depth=8), 5),
    "shufflenet v1": (lambda: CIFARShuffleNetV1(), 49),
    "shufflenet v2": (lambda: ShuffleNetV2(widen_factor=0.5), 56),
    "mobilenet v1": (lambda: MobileNetV1(), 27),
    "mobilenet v2": (lambda: MobileNetV2(widen_factor=0.1), 52),
    "groups": (lambda: RegNet("regnetx_400mf"), 71),
}


@pytest.mark.parametrize("kind", BODIES)
def test_each_kind_of_network_differs_by_rounding(kind: str) -> None:
    make, count = BODIES[kind]
    torch.manual_seed(0)
    network, images = with_statistics(make()), tiny.images(2, channels=3, size=32)
    before = copy.deepcopy(network.state_dict())
    with torch.no_grad():
        plain = last(network(images))
        folding = fold(network, images)
        folded = last(network(images))
        folding.use(False)
        unfolded = last(network(images))
    assert len(folding.pairs) == count
    assert float((folded - plain).abs().max() / plain.abs().max()) <= 2e-6
    assert not torch.equal(folded, plain), "nothing was folded"
    assert torch.equal(unfolded, plain)
    after = network.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[key], before[key]) for key in before)


class Small(nn.Module):
    """A convolution, a batch norm, and what a subclass does between them."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3)
        self.norm, self.other = nn.BatchNorm2d(4), nn.BatchNorm2d(4)

    def forward(self, images: Tensor) -> Tensor:
        return self.norm(self.first(images)).relu()


class TwoReaders(Small):
    def forward(self, images: Tensor) -> Tensor:
        map = self.first(images)
        return self.norm(map) + map


class AView(Small):
    def forward(self, images: Tensor) -> Tensor:
        map = self.first(images)
        return self.norm(map) + map.flatten(1).mean()


class RunsTwice(Small):
    def forward(self, images: Tensor) -> Tensor:
        return self.other(self.second(self.norm(self.second(self.first(images)))))


class NormsTwice(Small):
    def forward(self, images: Tensor) -> Tensor:
        return self.norm(self.second(self.norm(self.first(images))))


class Returned(Small):
    def forward(self, images: Tensor) -> Any:
        map = self.first(images)
        return map, self.norm(map)


class InBetween(Small):
    def forward(self, images: Tensor) -> Tensor:
        return self.norm(self.first(images).relu())


class ReadsTheWeight(Small):
    def forward(self, images: Tensor) -> Tensor:
        return self.norm(self.first(images)) * self.first.weight.norm()


class Reflecting(Small):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect")


class BatchStatistics(Small):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(4, track_running_stats=False)


@pytest.mark.parametrize(
    ("kind", "count"),
    [
        (Small, 1),
        (TwoReaders, 0),
        (AView, 0),
        (RunsTwice, 0),
        (NormsTwice, 0),
        (Returned, 0),
        (InBetween, 0),
        (ReadsTheWeight, 0),
        (Reflecting, 0),
        (BatchStatistics, 0),
    ],
)
def test_only_a_sole_reader_is_folded(kind: type[Small], count: int) -> None:
    network, images = with_statistics(kind()), tiny.images(2, channels=3)
    plain = network(images)
    assert len(fold(network, images).pairs) == count
    torch.testing.assert_close(network(images), plain)


@pytest.mark.parametrize(
    ("tap", "count"), [("first", 0), ("norm:input", 0), ("norm", 1), ("first:input", 1)]
)
def test_not_where_somebody_may_look_between(tap: str, count: int) -> None:
    network, images = with_statistics(Small()), tiny.images(2, channels=3)
    assert len(fold(network, images, Tap.parse(tap)).pairs) == count


def test_in_training_mode_the_network_is_the_plain_one() -> None:
    network, images = with_statistics(Small()), tiny.images(4, channels=3)
    twin = copy.deepcopy(network)
    fold(network, images)
    expected = twin.train()(images)
    assert torch.equal(network.train()(images), expected)
    assert torch.equal(network.norm.running_mean, twin.norm.running_mean)


def test_weights_that_are_loaded_are_folded_anew() -> None:
    network, images = with_statistics(Small()), tiny.images(4, channels=3)
    folding, other = fold(network, images), with_statistics(Small(), seed=1)
    network.load_state_dict(other.state_dict())
    torch.testing.assert_close(network(images), other(images))
    assert folding.is_intact()


def test_a_folded_parameter_that_was_changed_is_noticed() -> None:
    network = with_statistics(Small())
    folding = fold(network, tiny.images(2, channels=3))
    assert folding.is_intact()
    network.first.folded_weight.add_(1e-3)
    assert not folding.is_intact()
