"""Rules for the networks of torchvision: places of their stages and tokens, and their heads."""

from __future__ import annotations

import copy
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models import (
    ConvNeXt,
    DenseNet,
    EfficientNet,
    MobileNetV2,
    MobileNetV3,
    RegNet,
    ResNet,
    ShuffleNetV2,
    SwinTransformer,
    VisionTransformer,
)
from torchvision.models.vgg import VGG

from cls_kd.signals.heads import classify_with
from cls_kd.signals.tap import Tap, Taps
from cls_kd.signals.tap_groups import isotropic_taps
from cls_kd.signals.taps import embedding_tap, network_taps

_SIZE = 64


@network_taps.register
def _(network: ResNet) -> Taps:
    layers = ("layer1", "layer2", "layer3", "layer4")
    last = {name: len(getattr(network, name)) - 1 for name in layers}
    return {
        "stages": tuple(Tap(name) for name in layers),
        # A block calls its one ReLU two or three times; the last call sees the sum.
        "preacts": tuple(Tap(f"{name}.{index}.relu", "input") for name, index in last.items()),
        **embedding_tap(network),
    }


@network_taps.register(ConvNeXt)
@network_taps.register(DenseNet)
@network_taps.register(VGG)
def _(network: Any) -> Taps:
    return {"stages": _last_of_each_resolution(network.features), **embedding_tap(network)}


@network_taps.register(EfficientNet)
@network_taps.register(MobileNetV2)
@network_taps.register(MobileNetV3)
def _(network: Any) -> Taps:
    # The last of `features` is the 1x1 convolution in front of the pooling, not a stage.
    feature = Tap(f"features.{len(network.features) - 1}")
    stages = _last_of_each_resolution(network.features[:-1])
    return {"stages": stages, "feature": feature, **embedding_tap(network)}


@network_taps.register
def _(network: RegNet) -> Taps:
    names = [name for name, _ in network.trunk_output.named_children()]
    return {
        "stages": tuple(Tap(f"trunk_output.{name}") for name in names),
        **embedding_tap(network),
    }


@network_taps.register
def _(network: ShuffleNetV2) -> Taps:
    stages = tuple(Tap(name) for name in ("stage2", "stage3", "stage4"))
    return {"stages": stages, "feature": Tap("conv5"), **embedding_tap(network)}


@network_taps.register
def _(network: VisionTransformer) -> Taps:
    names = [name for name, _ in network.encoder.layers.named_children()]
    blocks = tuple(Tap(f"encoder.layers.{name}") for name in names)
    taps = isotropic_taps(blocks, Tap("encoder.ln"), first_patch=1)
    return {**taps, **embedding_tap(network)}


@network_taps.register
def _(network: SwinTransformer) -> Taps:
    # Maps (N, h, w, C); between two stages there is a patch merging.
    stages = range(1, len(network.features), 2)
    return {
        "stages": tuple(Tap(f"features.{index}", first_patch=0) for index in stages),
        "feature": Tap("norm", first_patch=0),
        **embedding_tap(network),
    }


@classify_with.register(RegNet)
@classify_with.register(ResNet)
def _(network: Any) -> Any:
    return lambda feature: network.fc(network.avgpool(feature).flatten(1))


@classify_with.register
def _(network: ShuffleNetV2) -> Any:
    return lambda feature: network.fc(feature.mean((2, 3)))


@classify_with.register
def _(network: SwinTransformer) -> Any:
    return lambda feature: network.head(network.avgpool(feature).flatten(1))


@classify_with.register
def _(network: ConvNeXt) -> Any:
    return lambda feature: network.classifier(network.avgpool(feature))


@classify_with.register(EfficientNet)
@classify_with.register(MobileNetV3)
@classify_with.register(VGG)
def _(network: Any) -> Any:
    return lambda feature: network.classifier(network.avgpool(feature).flatten(1))


@classify_with.register
def _(network: MobileNetV2) -> Any:
    return lambda feature: network.classifier(feature.mean((2, 3)))


@classify_with.register
def _(network: DenseNet) -> Any:
    return lambda feature: network.classifier(F.relu(feature).mean((2, 3)))


@torch.no_grad()
def _last_of_each_resolution(features: nn.Sequential) -> tuple[Tap, ...]:
    """The last module at each resolution, strides 4 and more, as the stages of other networks."""
    values = torch.zeros(1, 3, _SIZE, _SIZE, device="meta")
    last: dict[int, Tap] = {}
    for name, module in copy.deepcopy(features).to("meta").eval().named_children():
        values = module(values)
        last[_SIZE // values.shape[-1]] = Tap(f"features.{name}")
    return tuple(tap for stride, tap in last.items() if stride > 2)
