"""Taps: where each kind of network keeps its stages; that is the network's knowledge.

Resolution, first hit wins:

1. ``taps=`` of the distiller's config, for one network of one run;
2. a ``taps`` attribute that the backbone (or the whole network) declares about itself, paths
   relative to it: ``self.taps = dict(stages=('stage1', 'stage2'), preacts=('stage1.norm', ...))``;
3. the rules below, by the backbone's class, and timm's ``feature_info``.

A path is dotted; its end may say more: ``'layer1'`` is the module's output, ``'relu:input'`` its
input, ``'backbone[-1]'`` the last item of an output that is a tuple. Where a module runs several
times in one pass, the last run counts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import singledispatch
from typing import Literal

from mmpretrain.models import (
    VGG,
    ConvNeXt,
    DenseNet,
    EfficientNet,
    ImageClassifier,
    MobileNetV2,
    MobileNetV3,
    ResNet,
    ShuffleNetV2,
    SwinTransformer,
    TimmClassifier,
    VisionTransformer,
)
from torch import Tensor, nn

from cls_kd.errors import UserError, did_you_mean

_PATH = re.compile(r"^(?P<module>[\w.]*)(?:\[(?P<item>-?\d+)\])?(?::(?P<side>input|output))?$")


@dataclass(frozen=True)
class Tap:
    """One place in a network.

    Attributes:
        module: Dotted path from the network; empty for the network itself.
        side: What is taken, the module's output or its first input.
        item: Which item, where that is a tuple.
    """

    module: str
    side: Literal["input", "output"] = "output"
    item: int | None = None

    @classmethod
    def parse(cls, path: str) -> Tap:
        """Read ``'layer1.0.relu:input'`` or ``'backbone[-1]'``."""
        match = _PATH.match(path)
        if match is None:
            raise UserError(
                f"The tap {path!r} is not a path: write 'layer1', 'layer1.relu:input' or "
                "'backbone[-1]'."
            )
        item = match["item"]
        side: Literal["input", "output"] = "input" if match["side"] == "input" else "output"
        return cls(match["module"], side, None if item is None else int(item))


Taps = dict[str, "Tap | tuple[Tap, ...]"]
"""Signal name without its role (``stages``, ``embedding``, ...) to the place or places."""


def find_taps(
    network: nn.Module, override: Mapping[str, str | tuple[str, ...]] | None = None
) -> Taps:
    """Every place of ``network`` that can be named.

    Raises:
        UserError: A declared or given path names no module of the network.
    """
    taps = _network_taps(network)
    taps.update(_declared(network, ""))
    taps.update({name: _parse(path) for name, path in (override or {}).items()})
    if "stages" in taps and "feature" not in taps:
        taps["feature"] = _as_tuple(taps["stages"])[-1]
    for name, tap in taps.items():
        for one in _as_tuple(tap):
            _check_path(network, name, one)
    return taps


def classifier_path(network: nn.Module) -> str | None:
    """Path of the last linear layer, whose input is the embedding; None where there is none."""
    if isinstance(network, TimmClassifier):
        classifier = network.model.get_classifier()
        names = [name for name, module in network.named_modules() if module is classifier]
        return names[0] if names and isinstance(classifier, nn.Linear) else None
    root = "head" if isinstance(getattr(network, "head", None), nn.Module) else ""
    linear = [
        name
        for name, module in network.named_modules()
        if isinstance(module, nn.Linear) and name.startswith(root)
    ]
    return linear[-1] if linear else None


@singledispatch
def _network_taps(network: nn.Module) -> Taps:
    return _embedding(network)


@_network_taps.register
def _(network: ImageClassifier) -> Taps:
    taps: Taps = {"feature": Tap("backbone", item=-1), **_embedding(network)}
    taps.update(_prefixed(backbone_taps(network.backbone), "backbone"))
    taps.update(_declared(network.backbone, "backbone"))
    return taps


@_network_taps.register
def _(network: TimmClassifier) -> Taps:
    taps = _embedding(network)
    # Entries of stride 2 (a stem, or a first stage) are left out, so that stages of timm's networks
    # line up with those of mmpretrain's: strides 4, 8, 16, 32.
    info = [entry for entry in network.model.feature_info if entry["reduction"] > 2]
    places = tuple(Tap(f"model.{entry['module']}") for entry in info)
    modules = [name for name, _ in network.named_modules()]
    if getattr(network.model, "output_fmt", "NCHW") != "NCHW":
        return taps  # Swin and others keep maps as (N, h, w, C)
    if any(place.module not in modules for place in places):
        return taps  # places that timm itself only knows after rebuilding the network
    if hasattr(network.model, "patch_embed") and hasattr(network.model, "blocks"):
        taps["blocks"], taps["tokens"] = places, places[-1]
        taps["normed_tokens"] = Tap("model.norm") if "model.norm" in modules else places[-1]
        return taps
    taps["stages"] = places
    heads = [name for name in modules if name.endswith(("global_pool", "pre_logits"))]
    taps["feature"] = Tap(heads[0], "input") if heads else places[-1]
    return taps


@singledispatch
def backbone_taps(backbone: nn.Module) -> Taps:
    """Paths relative to the backbone. Add a kind of network with ``@backbone_taps.register``."""
    return {}


@backbone_taps.register
def _(backbone: ResNet) -> Taps:
    last = {name: len(getattr(backbone, name)) - 1 for name in backbone.res_layers}
    return {
        "stages": tuple(Tap(name) for name in last),
        # A block calls its one ReLU two or three times; the last call sees the sum.
        "preacts": tuple(Tap(f"{name}.{index}.relu", "input") for name, index in last.items()),
    }


@backbone_taps.register
def _(backbone: MobileNetV2) -> Taps:
    stages = tuple(Tap(name) for name in backbone.layers)
    return {"stages": stages}


@backbone_taps.register
def _(backbone: MobileNetV3) -> Taps:
    strides = [setting[5] for setting in backbone.arch_settings[backbone.arch]]
    # The stem is layer0: the layer before one that halves has that one's place in the settings.
    ends = [index for index, stride in enumerate(strides) if stride == 2] + [len(strides)]
    return {"stages": tuple(Tap(f"layer{index}") for index in ends[-4:])}


@backbone_taps.register
def _(backbone: EfficientNet) -> Taps:
    # Each of these begins with a stride of 2; what lies before them has stride 2 in all.
    return {"stages": tuple(Tap(f"layers.{index}") for index in range(2, 6))}


@backbone_taps.register
def _(backbone: ShuffleNetV2) -> Taps:
    return {"stages": tuple(Tap(f"layers.{index}") for index in range(3))}


@backbone_taps.register
def _(backbone: VGG) -> Taps:
    # After pooling, and without the first, of stride 2: strides 4, 8, 16, 32, as elsewhere.
    stages = tuple(Tap(f"features.{end - 1}") for _, end in backbone.range_sub_modules[1:])
    if backbone.num_classes <= 0:
        return {"stages": stages}
    # The classifier is a part of this backbone, its last output the logits.
    embedding = Tap(f"classifier.{len(backbone.classifier) - 1}", "input")
    return {"stages": stages, "feature": stages[-1], "embedding": embedding}


@backbone_taps.register
def _(backbone: DenseNet) -> Taps:
    last = len(backbone.stages) - 1
    return {
        "stages": tuple(Tap(f"stages.{index}") for index in range(last + 1)),
        # The batch norm that follows a dense block; the last one has a number for a name.
        "preacts": (
            *(Tap(f"transitions.{index}.norm") for index in range(last)),
            Tap(f"transitions.{last}.0"),
        ),
    }


@backbone_taps.register
def _(backbone: ConvNeXt) -> Taps:
    taps: Taps = {"stages": tuple(Tap(f"stages.{index}") for index in range(backbone.num_stages))}
    if backbone.gap_before_final_norm:  # then its own output is pooled
        taps["feature"] = Tap(f"stages.{backbone.num_stages - 1}")
    return taps


@backbone_taps.register
def _(backbone: SwinTransformer) -> Taps:
    # Between its stages it keeps tokens, no maps; their number and width change on the way.
    blocks = tuple(
        Tap(f"stages.{stage}.blocks.{index}")
        for stage, sequence in enumerate(backbone.stages)
        for index in range(len(sequence.blocks))
    )
    last = len(backbone.stages) - 1
    normed = Tap(f"norm{last}") if hasattr(backbone, f"norm{last}") else blocks[-1]
    return {"blocks": blocks, "tokens": blocks[-1], "normed_tokens": normed}


@backbone_taps.register
def _(backbone: VisionTransformer) -> Taps:
    blocks = tuple(Tap(f"layers.{index}") for index in range(len(backbone.layers)))
    normed = Tap("ln1") if backbone.final_norm else blocks[-1]
    return {"blocks": blocks, "tokens": blocks[-1], "normed_tokens": normed}


@singledispatch
def after_feature(backbone: nn.Module, feature: Tensor) -> Tensor:
    """What a backbone makes of its ``feature`` before it gives it away: of most, nothing."""
    return feature


@after_feature.register
def _(backbone: ConvNeXt, feature: Tensor) -> Tensor:
    if not backbone.gap_before_final_norm:
        return feature
    norm = backbone.get_submodule(f"norm{backbone.num_stages - 1}")
    return norm(feature.mean((2, 3), keepdim=True)).flatten(1)


@after_feature.register
def _(backbone: VGG, feature: Tensor) -> Tensor:
    return backbone.classifier(feature.flatten(1)) if backbone.num_classes > 0 else feature


def _embedding(network: nn.Module) -> Taps:
    path = classifier_path(network)
    return {} if path is None else {"embedding": Tap(path, "input")}


def _declared(module: nn.Module, prefix: str) -> Taps:
    declared = getattr(module, "taps", None)
    if not isinstance(declared, Mapping):
        return {}
    return _prefixed({name: _parse(path) for name, path in declared.items()}, prefix)


def _prefixed(taps: Taps, prefix: str) -> Taps:
    def moved(tap: Tap) -> Tap:
        return replace(tap, module=".".join(part for part in (prefix, tap.module) if part))

    return {
        name: moved(tap) if isinstance(tap, Tap) else tuple(moved(one) for one in tap)
        for name, tap in taps.items()
    }


def _parse(path: str | tuple[str, ...] | list[str]) -> Tap | tuple[Tap, ...]:
    return Tap.parse(path) if isinstance(path, str) else tuple(Tap.parse(one) for one in path)


def _as_tuple(tap: Tap | tuple[Tap, ...]) -> tuple[Tap, ...]:
    return tap if isinstance(tap, tuple) else (tap,)


def _check_path(network: nn.Module, name: str, tap: Tap) -> None:
    modules = {path for path, _ in network.named_modules()}
    if tap.module not in modules:
        raise UserError(
            f"{type(network).__name__} has no module {tap.module!r}, which its tap {name!r} names."
            f"{did_you_mean(tap.module, modules, every=False)}"
        )
