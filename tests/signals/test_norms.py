"""The batch norm before a stage's last ReLU, on every kind of network with pre-activations."""

from __future__ import annotations

import pytest
import torch
import torchvision
from torch import nn

from cls_kd.errors import UserError
from cls_kd.models import DigitsCNN
from cls_kd.registry import MODELS
from cls_kd.signals import NetworkSource
from cls_kd.signals.norms import norm_before
from cls_kd.signals.tap import Tap
from cls_kd.signals.taps import find_taps

CIFAR = {
    "CIFARResNet": (dict(depth=8), "layer3.0.bn2"),
    "CIFARWideResNet": (dict(depth=10, widen=1), "bn1"),
    "CIFARMobileNetV2": ({}, "blocks.6.0.conv.7"),
}


@pytest.mark.parametrize("name", CIFAR)
def test_norm_of_the_last_stage(name: str) -> None:
    options, path = CIFAR[name]
    backbone = MODELS.build(dict(type=name, **options))
    tap = Tap.parse(backbone.taps["preacts"][-1])
    assert norm_before(backbone, tap) is backbone.get_submodule(path)


def test_a_residual_branch_counts_and_not_its_shortcut() -> None:
    """Also where the ReLU was made between two batch norms, as torchvision's blocks do."""
    network = torchvision.models.resnet18()
    taps = find_taps(network)["preacts"]
    expected = [network.get_submodule(f"layer{stage}.1.bn2") for stage in (1, 2, 3, 4)]
    assert [norm_before(network, tap) for tap in taps] == expected


def test_in_a_sequence_it_is_the_last_in_front_of_the_relu() -> None:
    network = nn.Sequential(nn.BatchNorm2d(3), nn.ReLU(), nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    assert norm_before(network, Tap.parse("1:input")) is network[0]


def test_the_signal_is_weight_and_bias_of_each_stage() -> None:
    backbone = DigitsCNN(widths=(4, 8))
    network = nn.Sequential()
    network.backbone = backbone
    network.forward = lambda images: backbone(images)[0].mean((2, 3))
    taps = {"preacts": ("backbone.stage1.norm", "backbone.stage2.norm")}
    with torch.no_grad():
        backbone.stage1.norm.bias.fill_(3.0)
    source = NetworkSource("teacher", network, ["teacher_preact_norms"], taps)
    images = torch.zeros(1, 1, 8, 8)
    assert source.measure(images)["teacher_preact_norms"] == ((2, 4), (2, 8))
    first, second = source.run(images)["teacher_preact_norms"]
    assert first.tolist() == [[1.0] * 4, [3.0] * 4]
    assert second.shape == (2, 8)


def test_a_network_without_batch_norm_is_refused() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU())
    with pytest.raises(UserError, match="no batch norm with weight and bias before '1'"):
        norm_before(network, Tap.parse("1:input"))
    with pytest.raises(UserError, match="has no tap for 'teacher_preacts'"):
        NetworkSource("teacher", network, ["teacher_preact_norms"])
