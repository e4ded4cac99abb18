"""Rules for the networks of mmpretrain: taps, classifier, criterion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from mmpretrain.models import (
    VGG,
    ClsHead,
    ConvNeXt,
    DeiTClsHead,
    DenseNet,
    EfficientNet,
    ImageClassifier,
    MlpMixer,
    MobileNetV2,
    MobileNetV3,
    ResNet,
    ShuffleNetV2,
    SwinTransformer,
    TimmClassifier,
    VisionTransformer,
)
from mmpretrain.models.classifiers.base import BaseClassifier
from mmpretrain.models.losses import CrossEntropyLoss
from torch import Tensor, nn

from cls_kd.adapters.internals import concatenates_labels, criterion_loss, has_criterion
from cls_kd.adapters.samples import for_criterion, samples_of
from cls_kd.errors import UserError
from cls_kd.signals.batch import Batch
from cls_kd.signals.feature_info import timm_classify
from cls_kd.signals.heads import (
    classify_with,
    criterion_of,
    describe,
    has_classes,
    has_plain_criterion,
    takes_labels_at_once,
)
from cls_kd.signals.rules import NetworkRule
from cls_kd.signals.tap import Tap, Taps
from cls_kd.signals.tap_groups import distillation_token_taps, isotropic_taps
from cls_kd.signals.taps import (
    backbone_taps,
    classifier_path,
    declared_taps,
    embedding_tap,
    network_taps,
    prefixed,
)


@network_taps.register
def _(network: ImageClassifier) -> Taps:
    taps: Taps = {"feature": Tap("backbone", item=-1), **embedding_tap(network)}
    if isinstance(getattr(network, "head", None), DeiTClsHead):
        taps |= distillation_token_taps("head.layers.head", "head.layers.head_dist")
    taps.update(prefixed(backbone_taps(network.backbone), "backbone"))
    taps.update(declared_taps(network.backbone, "backbone"))
    return taps


@network_taps.register
def _(network: TimmClassifier) -> Taps:
    return prefixed(network_taps(network.model), "model")


@classifier_path.register
def _(network: TimmClassifier) -> str | None:
    path = classifier_path(network.model)
    return None if path is None else f"model.{path}"


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
    stages = [
        [Tap(f"stages.{stage}.blocks.{index}") for index in range(len(sequence.blocks))]
        for stage, sequence in enumerate(backbone.stages)
    ]
    blocks = tuple(block for stage in stages for block in stage)
    last = len(backbone.stages) - 1
    normed = Tap(f"norm{last}") if hasattr(backbone, f"norm{last}") else blocks[-1]
    return {
        "blocks": blocks,
        "block_maps": tuple(replace(block, first_patch=0) for block in blocks),
        "tokens": blocks[-1],
        "normed_tokens": normed,
        "stages": tuple(replace(stage[-1], first_patch=0) for stage in stages),
    }


@backbone_taps.register
def _(backbone: VisionTransformer) -> Taps:
    blocks = tuple(Tap(f"layers.{index}") for index in range(len(backbone.layers)))
    normed = Tap("ln1") if backbone.final_norm else blocks[-1]
    return isotropic_taps(blocks, normed, backbone.num_extra_tokens)


@backbone_taps.register
def _(backbone: MlpMixer) -> Taps:
    blocks = tuple(Tap(f"layers.{index}") for index in range(len(backbone.layers)))
    return isotropic_taps(blocks, Tap(backbone.norm1_name), first_patch=0)


@NetworkRule
def after_feature(backbone: nn.Module, feature: Tensor) -> Tensor:
    """Layers that a backbone applies after its ``feature``, such as a final norm; mostly none."""
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


@after_feature.register
def _(backbone: MlpMixer, feature: Tensor) -> Tensor:
    return feature.flatten(2)


@after_feature.register
def _(backbone: VisionTransformer, feature: Tensor) -> Tensor:
    raise UserError(
        f"{describe(backbone)} classifies its class token: it cannot classify a feature map on its "
        "own."
    )


@has_classes.register
def _(network: TimmClassifier) -> bool:
    return has_classes(network.model)


@classify_with.register
def _(network: ImageClassifier) -> Callable[[Tensor], Tensor]:
    def classify(feature: Tensor) -> Tensor:
        features: Any = (after_feature(network.backbone, feature),)
        return network.head(network.neck(features) if network.with_neck else features)

    return classify


@classify_with.register
def _(network: TimmClassifier) -> Callable[[Tensor], Tensor]:
    return timm_classify(network.model)


@criterion_of.register(BaseClassifier)
@criterion_of.register(ClsHead)
def _(network: Any, batch: Batch) -> Callable[[Tensor], Tensor]:
    """The criterion of the head, for hard and for mixed labels."""
    owner: Any = network if has_criterion(network) else getattr(network, "head", None)
    if not has_criterion(owner):
        raise UserError(
            f"{describe(network)} has no criterion: a classifier of mmpretrain has one in its "
            "head (`loss=dict(type='CrossEntropyLoss')`)."
        )

    def criterion(logits: Tensor) -> Tensor:
        return criterion_loss(owner, logits, for_criterion(samples_of(batch), owner))

    return criterion


@has_plain_criterion.register(BaseClassifier)
@has_plain_criterion.register(ClsHead)
def _(network: Any) -> bool:
    """Of mmpretrain's cross-entropy without weights, sigmoid, soft labels or measured accuracy."""
    head: Any = network if isinstance(network, ClsHead) else getattr(network, "head", None)
    loss: Any = getattr(head, "loss_module", None)
    return (
        type(loss) is CrossEntropyLoss
        and concatenates_labels(head)
        and not (has_criterion(network) and network is not head)
        and not (loss.use_sigmoid or loss.use_soft or loss.class_weight or head.cal_acc)
        and (loss.loss_weight, loss.reduction) == (1.0, "mean")
    )


@takes_labels_at_once.register(BaseClassifier)
@takes_labels_at_once.register(ClsHead)
def _(network: Any) -> bool:
    owner: Any = network if has_criterion(network) else getattr(network, "head", None)
    return concatenates_labels(owner)
