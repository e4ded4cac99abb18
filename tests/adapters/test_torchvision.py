"""Stages, tokens and heads of torchvision's networks are where the adapter says."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torchvision import models

from cls_kd.signals import NetworkSource, find_taps
from cls_kd.signals.heads import classify_with

SIZE = 64
# Channels of the stages at strides 4, 8, 16 and 32, as in the papers' tables.
STAGES: dict[str, tuple[int, ...]] = {
    "resnet18": (64, 128, 256, 512),
    "resnext50_32x4d": (256, 512, 1024, 2048),
    "convnext_tiny": (96, 192, 384, 768),
    "efficientnet_b0": (24, 40, 112, 320),
    "mobilenet_v2": (24, 32, 96, 320),
    "mobilenet_v3_small": (16, 24, 48, 96),
    "regnet_y_400mf": (48, 104, 208, 440),
    "shufflenet_v2_x0_5": (48, 96, 192),
    "vgg11_bn": (256, 512, 512, 512),
    "densenet121": (256, 512, 1024, 1024),
}
FEATURE = {
    "efficientnet_b0": 1280,
    "mobilenet_v2": 1280,
    "mobilenet_v3_small": 576,
    "shufflenet_v2_x0_5": 1024,
}
"""Channels of the map before the pooling, where a convolution follows the last stage."""


def on_meta(name: str) -> nn.Module:
    # torchvision's RegNet computes its widths with tensors: it cannot be made on the meta device.
    with torch.device("cpu" if name.startswith("regnet") else "meta"):
        return getattr(models, name)(num_classes=7).to("meta")


@pytest.mark.parametrize("name", STAGES)
def test_stages_of_convolutional_networks(name: str) -> None:
    network = on_meta(name)
    wanted = ["teacher_logits", "teacher_stages", "teacher_feature", "teacher_embedding"]
    shapes = NetworkSource("teacher", network, wanted).measure(
        torch.zeros(1, 3, SIZE, SIZE, device="meta")
    )
    channels = STAGES[name]
    sides = [SIZE // stride for stride in (4, 8, 16, 32)][-len(channels) :]
    expected = tuple((width, side, side) for width, side in zip(channels, sides, strict=True))
    # VGG pools after its last convolution.
    assert shapes["teacher_stages"] == expected
    assert shapes["teacher_feature"] == (FEATURE.get(name, channels[-1]), 2, 2)
    assert shapes["teacher_logits"] == (7,)


def test_tokens_of_a_vision_transformer() -> None:
    with torch.device("meta"):
        network = models.VisionTransformer(
            image_size=32, patch_size=8, num_layers=3, num_heads=2, hidden_dim=12, mlp_dim=24
        )
    wanted = ["teacher_blocks", "teacher_tokens", "teacher_normed_tokens", "teacher_embedding"]
    shapes = NetworkSource("teacher", network, wanted).measure(
        torch.zeros(1, 3, 32, 32, device="meta")
    )
    assert shapes["teacher_blocks"] == ((17, 12),) * 3
    assert shapes["teacher_tokens"] == shapes["teacher_normed_tokens"] == (17, 12)
    assert shapes["teacher_embedding"] == (12,)


def vgg() -> nn.Module:
    features = models.vgg.make_layers([8, "M", 8, "M", 16, "M", 16, "M", 16, "M"])
    with torch.device("meta"):  # its own classifier has a hundred million weights
        network = models.VGG(nn.Sequential())
    network.features, network.classifier = features, nn.Linear(16 * 49, 7)
    return network


def convnext() -> nn.Module:
    blocks = [models.convnext.CNBlockConfig(8, 16, 1), models.convnext.CNBlockConfig(16, None, 1)]
    return models.ConvNeXt(blocks, num_classes=7)


def densenet() -> nn.Module:
    return models.DenseNet(4, (1, 1, 1, 1), 8, num_classes=7)


SMALL: dict[str, Callable[[], nn.Module]] = {
    "ResNet": lambda: models.resnet18(num_classes=7),
    "MobileNetV2": lambda: models.mobilenet_v2(num_classes=7, width_mult=0.25),
    "MobileNetV3": lambda: models.mobilenet_v3_small(num_classes=7),
    "EfficientNet": lambda: models.efficientnet_b0(num_classes=7),
    "RegNet": lambda: models.regnet_y_400mf(num_classes=7),
    "ShuffleNetV2": lambda: models.shufflenet_v2_x0_5(num_classes=7),
    "VGG": vgg,
    "ConvNeXt": convnext,
    "DenseNet": densenet,
}


@pytest.mark.parametrize("name", SMALL)
def test_the_head_on_the_feature_gives_the_logits(name: str) -> None:
    torch.manual_seed(0)
    network = SMALL[name]().eval()
    source = NetworkSource("student", network, ["student_feature", "student_logits"])
    with torch.no_grad():
        seen = source.run(torch.randn(2, 3, 32, 32))
        logits = classify_with(network)(seen["student_feature"])
    torch.testing.assert_close(logits, seen["student_logits"])


def test_maps_of_a_swin_transformer() -> None:
    torch.manual_seed(0)
    network = models.SwinTransformer([2, 2], 8, [1, 1, 1, 1], [1, 1, 1, 1], [2, 2], num_classes=7)
    wanted = ["student_logits", "student_stages", "student_feature", "student_embedding"]
    source = NetworkSource("student", network, wanted)
    images = torch.randn(2, 3, SIZE, SIZE)
    shapes = source.measure(images)
    assert shapes["student_stages"] == ((8, 32, 32), (16, 16, 16), (32, 8, 8), (64, 4, 4))
    with torch.no_grad():
        seen = source.run(images)
        logits = classify_with(network)(seen["student_feature"])
    pooled = seen["student_feature"].mean((2, 3))
    torch.testing.assert_close(seen["student_embedding"], pooled)
    torch.testing.assert_close(logits, seen["student_logits"])


def test_networks_without_a_rule_give_their_embedding() -> None:
    with torch.device("meta"):
        network = models.maxvit_t(num_classes=7)
    assert set(find_taps(network)) == {"embedding"}
