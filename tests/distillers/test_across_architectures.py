"""Any kind of network teaches any other: by its logits, its maps and its embeddings."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from mmpretrain.models import (
    ConvNeXt,
    GlobalAveragePooling,
    ImageClassifier,
    LinearClsHead,
    MlpMixer,
    SwinTransformer,
    TimmClassifier,
)

from cls_kd.losses import ATLoss, FitNetLoss, KDLoss, RKDLoss, TaskLoss
from tests.distillers import tiny

SIZE = 64
_MIXER = dict(embed_dims=12, num_layers=6, tokens_mlp_dims=8, channels_mlp_dims=24)
_SWIN = dict(embed_dims=6, depths=[1, 1, 2, 1], num_heads=[1, 1, 1, 1])
_CONVNEXT = dict(depths=[1, 1, 1, 1], channels=[4, 6, 8, 12])


def _vit() -> dict[str, Any]:
    network = tiny.vit(12, blocks=6)
    return {**network, "backbone": {**network["backbone"], "img_size": SIZE, "patch_size": 16}}


def _mixer() -> dict[str, Any]:
    return dict(
        type=ImageClassifier,
        backbone=dict(type=MlpMixer, arch=_MIXER, img_size=SIZE, patch_size=16),
        neck=dict(type=GlobalAveragePooling, dim=1),
        head=dict(type=LinearClsHead, num_classes=tiny.CLASSES, in_channels=12),
    )


def _convnext() -> dict[str, Any]:
    network = tiny.classifier(dict(type=ConvNeXt, arch=_CONVNEXT), width=12)
    return {**network, "neck": None}


NETWORKS: dict[str, dict[str, Any]] = {
    "ResNet": tiny.resnet_cifar(2),
    "ConvNeXt": _convnext(),
    "ViT": _vit(),
    "Swin": tiny.classifier(
        dict(type=SwinTransformer, arch=_SWIN, img_size=SIZE, window_size=2), width=48
    ),
    "Mixer": _mixer(),
    "ResMLP": dict(
        type=TimmClassifier, model_name="resmlp_12_224", num_classes=tiny.CLASSES, img_size=SIZE
    ),
}
KINDS = list(NETWORKS)
# Each with the two that follow it in a ring: every kind teaches, and is taught, twice.
PAIRS = [
    (teacher, KINDS[(index + step) % len(KINDS)])
    for index, teacher in enumerate(KINDS)
    for step in (1, 2)
]


@pytest.mark.parametrize(("teacher", "student"), PAIRS)
def test_logits_maps_and_embeddings_across_kinds(teacher: str, student: str) -> None:
    losses = dict(
        ce=dict(type=TaskLoss),
        kd=dict(type=KDLoss),
        fitnet=dict(type=FitNetLoss, stage=2),
        at=dict(type=ATLoss, weight=100.0),
        rkd=dict(type=RKDLoss),
    )
    model = tiny.distiller(
        losses,
        student=NETWORKS[student],
        teacher=dict(network=NETWORKS[teacher], weights="random"),
        channels=3,
        size=SIZE,
    )
    logged = tiny.step(model, tiny.data(channels=3, size=SIZE))
    terms = {name: value for name, value in logged.items() if name.endswith("loss")}
    assert all(torch.isfinite(value) for value in terms.values())
    assert {name.partition(".")[0] for name in terms} >= set(losses)
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
