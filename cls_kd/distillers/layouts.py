"""Layouts: how other code names the parameters of networks that we have too; data for ``convert``.

A layout is a list of rules, a pattern for a whole key and our name. There, ``{2}`` is the match of
the second group, and ``{2-1}`` the number before it. The first rule that fits counts. That the
function stays what it was is shown by ``tests/distillers/test_convert.py``, for every layout.
"""

from __future__ import annotations

from typing import TypeAlias

Rules: TypeAlias = tuple[tuple[str, str], ...]


def _pairs(here: str, there: str, *kinds: tuple[str, str]) -> Rules:
    """The same rule for several modules of one block."""
    return tuple((f"{here}{old}", f"{there}{new}") for old, new in kinds)


# torchvision counts the blocks of MobileNetV2 through: number, our stage, index in it.
_INVERTED_RESIDUALS = [
    (first + index, stage, index)
    for stage, first, count in ((2, 2, 2), (3, 4, 3), (4, 7, 4), (5, 11, 3), (6, 14, 3), (7, 17, 1))
    for index in range(count)
]

# Convolutions of each block of VGG.
_VGG = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}


def _vgg(counts: tuple[int, ...], norm: bool) -> Rules:
    """Theirs counts every batch norm and ReLU; ours a convolution with them as one."""
    rules: list[tuple[str, str]] = [(r"classifier\.(\d)\.(\w+)", "backbone.classifier.{1}.{2}")]
    theirs = ours = 0
    for count in counts:
        for _ in range(count):
            rules.append((rf"features\.{theirs}\.(\w+)", f"backbone.features.{ours}.conv.{{1}}"))
            if norm:
                here = rf"features\.{theirs + 1}\.(\w+)"
                rules.append((here, f"backbone.features.{ours}.bn.{{1}}"))
            theirs += 3 if norm else 2
            ours += 1
        theirs += 1  # pooling
        ours += 1
    return tuple(rules)


LAYOUTS: dict[str, Rules] = {
    # RepDistiller and mdistiller name alike; so do torchvision and timm, for their ResNets.
    "RepDistiller, mdistiller, ResNets": (
        (r"(fc|linear|classifier|classifier\.0)\.(\w+)", "head.fc.{2}"),
        (r"(.+)\.shortcut\.(.+)", "backbone.{1}.downsample.{2}"),
        (r"(.+)", "backbone.{1}"),
    ),
    "torchvision MobileNetV2": (
        (r"classifier\.1\.(\w+)", "head.fc.{1}"),
        (r"features\.0\.0\.(\w+)", "backbone.conv1.conv.{1}"),
        (r"features\.0\.1\.(\w+)", "backbone.conv1.bn.{1}"),
        (r"features\.18\.0\.(\w+)", "backbone.conv2.conv.{1}"),
        (r"features\.18\.1\.(\w+)", "backbone.conv2.bn.{1}"),
        # The first block has no expanding convolution.
        *_pairs(
            r"features\.1\.conv\.",
            "backbone.layer1.0.conv.",
            (r"0\.0\.(\w+)", "0.conv.{1}"),
            (r"0\.1\.(\w+)", "0.bn.{1}"),
            (r"1\.(\w+)", "1.conv.{1}"),
            (r"2\.(\w+)", "1.bn.{1}"),
        ),
        *(
            rule
            for number, stage, index in _INVERTED_RESIDUALS
            for rule in _pairs(
                rf"features\.{number}\.conv\.",
                f"backbone.layer{stage}.{index}.conv.",
                (r"([01])\.0\.(\w+)", "{1}.conv.{2}"),
                (r"([01])\.1\.(\w+)", "{1}.bn.{2}"),
                (r"2\.(\w+)", "2.conv.{1}"),
                (r"3\.(\w+)", "2.bn.{1}"),
            )
        ),
    ),
    "torchvision ShuffleNetV2": (
        (r"fc\.(\w+)", "head.fc.{1}"),
        (r"conv1\.0\.(\w+)", "backbone.conv1.conv.{1}"),
        (r"conv1\.1\.(\w+)", "backbone.conv1.bn.{1}"),
        (r"conv5\.0\.(\w+)", "backbone.layers.3.conv.{1}"),
        (r"conv5\.1\.(\w+)", "backbone.layers.3.bn.{1}"),
        *_pairs(
            r"stage(\d)\.(\d+)\.",
            "backbone.layers.{1-2}.{2}.",
            (r"branch1\.0\.(\w+)", "branch1.0.conv.{3}"),
            (r"branch1\.1\.(\w+)", "branch1.0.bn.{3}"),
            (r"branch1\.2\.(\w+)", "branch1.1.conv.{3}"),
            (r"branch1\.3\.(\w+)", "branch1.1.bn.{3}"),
            (r"branch2\.0\.(\w+)", "branch2.0.conv.{3}"),
            (r"branch2\.1\.(\w+)", "branch2.0.bn.{3}"),
            (r"branch2\.3\.(\w+)", "branch2.1.conv.{3}"),
            (r"branch2\.4\.(\w+)", "branch2.1.bn.{3}"),
            (r"branch2\.5\.(\w+)", "branch2.2.conv.{3}"),
            (r"branch2\.6\.(\w+)", "branch2.2.bn.{3}"),
        ),
    ),
    "torchvision DenseNet": (
        (r"classifier\.(\w+)", "head.fc.{1}"),
        (r"features\.conv0\.(\w+)", "backbone.stem.0.{1}"),
        (r"features\.norm0\.(\w+)", "backbone.stem.1.{1}"),
        (r"features\.norm5\.(\w+)", "backbone.transitions.3.0.{1}"),
        (r"features\.transition(\d)\.(.+)", "backbone.transitions.{1-1}.{2}"),
        (
            r"features\.denseblock(\d)\.denselayer(\d+)\.(.+)",
            "backbone.stages.{1-1}.block.{2-1}.{3}",
        ),
    ),
    "torchvision ConvNeXt": (
        (r"classifier\.0\.(\w+)", "backbone.norm3.{1}"),
        (r"classifier\.2\.(\w+)", "head.fc.{1}"),
        # Downsampling layers and stages take turns.
        *(
            (rf"features\.{2 * stage}\.(.+)", f"backbone.downsample_layers.{stage}.{{1}}")
            for stage in range(4)
        ),
        *(
            rule
            for stage in range(4)
            for rule in _pairs(
                rf"features\.{2 * stage + 1}\.(\d+)\.",
                f"backbone.stages.{stage}.{{1}}.",
                (r"layer_scale", "gamma"),
                (r"block\.0\.(\w+)", "depthwise_conv.{2}"),
                (r"block\.2\.(\w+)", "norm.{2}"),
                (r"block\.3\.(\w+)", "pointwise_conv1.{2}"),
                (r"block\.5\.(\w+)", "pointwise_conv2.{2}"),
            )
        ),
    ),
    "torchvision ViT": (
        (r"heads\.head\.(\w+)", "head.layers.head.{1}"),
        (r"class_token", "backbone.cls_token"),
        (r"encoder\.pos_embedding", "backbone.pos_embed"),
        (r"conv_proj\.(\w+)", "backbone.patch_embed.projection.{1}"),
        (r"encoder\.ln\.(\w+)", "backbone.ln1.{1}"),
        *_pairs(
            r"encoder\.layers\.encoder_layer_(\d+)\.",
            "backbone.layers.{1}.",
            (r"ln_([12])\.(\w+)", "ln{2}.{3}"),
            (r"self_attention\.in_proj_(\w+)", "attn.qkv.{2}"),
            (r"self_attention\.out_proj\.(\w+)", "attn.proj.{2}"),
            (r"mlp\.0\.(\w+)", "ffn.layers.0.0.{2}"),
            (r"mlp\.3\.(\w+)", "ffn.layers.1.{2}"),
        ),
    ),
    "timm ViT, DeiT": (
        (r"(head|head_dist)\.(\w+)", "head.layers.{1}.{2}"),
        (r"(cls_token|dist_token|pos_embed)", "backbone.{1}"),
        (r"patch_embed\.proj\.(\w+)", "backbone.patch_embed.projection.{1}"),
        (r"norm\.(\w+)", "backbone.ln1.{1}"),
        *_pairs(
            r"blocks\.(\d+)\.",
            "backbone.layers.{1}.",
            (r"norm([12])\.(\w+)", "ln{2}.{3}"),
            (r"attn\.(.+)", "attn.{2}"),
            (r"mlp\.fc1\.(\w+)", "ffn.layers.0.0.{2}"),
            (r"mlp\.fc2\.(\w+)", "ffn.layers.1.{2}"),
        ),
    ),
    "timm ConvNeXt": (
        (r"head\.fc\.(\w+)", "head.fc.{1}"),
        (r"head\.norm\.(\w+)", "backbone.norm3.{1}"),
        (r"stem\.(.+)", "backbone.downsample_layers.0.{1}"),
        (r"stages\.(\d)\.downsample\.(.+)", "backbone.downsample_layers.{1}.{2}"),
        *_pairs(
            r"stages\.(\d)\.blocks\.(\d+)\.",
            "backbone.stages.{1}.{2}.",
            (r"(gamma|norm\.\w+)", "{3}"),
            (r"conv_dw\.(\w+)", "depthwise_conv.{3}"),
            (r"mlp\.fc([12])\.(\w+)", "pointwise_conv{3}.{4}"),
        ),
    ),
    "timm RegNet": (
        (r"head\.fc\.(\w+)", "head.fc.{1}"),
        (r"stem\.conv\.(\w+)", "backbone.conv1.{1}"),
        (r"stem\.bn\.(\w+)", "backbone.bn1.{1}"),
        *_pairs(
            r"s(\d)\.b(\d+)\.",
            "backbone.layer{1}.{2-1}.",
            (r"conv(\d)\.conv\.(\w+)", "conv{3}.{4}"),
            (r"conv(\d)\.bn\.(\w+)", "bn{3}.{4}"),
            (r"downsample\.conv\.(\w+)", "downsample.0.{3}"),
            (r"downsample\.bn\.(\w+)", "downsample.1.{3}"),
        ),
    ),
    **{
        f"torchvision VGG-{depth}{' with batch norm' if norm else ''}": _vgg(counts, norm)
        for depth, counts in _VGG.items()
        for norm in (False, True)
    },
}
