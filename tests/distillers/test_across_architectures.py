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

from cls_kd.core.terms import build_loss, build_terms
from cls_kd.errors import UserError
from cls_kd.losses import ATLoss, DistillLoss, FitNetLoss, KDLoss, RKDLoss, TaskLoss
from tests.distillers import tiny
from tests.distillers.test_every_method import FILES, losses_of

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


# What both networks have, whatever their kind.
COMMON = ("logits", "embedding", "feature", "stages", "block_maps", "classify", "forward_from")
# A class token is classified alone, not a map of patches.
OF_CLASSIFIED_MAPS = ("CATLoss", "SDDLoss")
OF_THE_TEACHERS_CLASSIFIER = ("SRRLLoss", "WKDLogitLoss")
# Its bridges lead between maps of equal size, or of half or twice the size.
OF_NEIGHBORING_SIZES = ("FCFDLoss",)


def loss_of(config: dict[str, Any]) -> DistillLoss:
    return build_terms({"map": config}, build_loss)["map"].loss


def losses_of_maps() -> dict[str, dict[str, Any]]:
    """Class to config of every loss that compares maps or embeddings of any two networks."""
    losses: dict[str, dict[str, Any]] = {}
    for loss in (loss for file in FILES for loss in losses_of(file).values()):
        parts = [signal.partition("_") for signal in loss_of(loss).signals]
        shown = {name for network, _, name in parts if network in ("student", "teacher")}
        providers = {network for network, _, _ in parts}
        of_maps = shown & {"embedding", "feature", "stages", "block_maps"}
        alone = "teacher" in providers and not providers & {"view", "pair", "peer", "all"}
        if alone and of_maps and shown <= set(COMMON):
            losses[type(loss_of(loss)).__name__] = loss
    return losses


LOSSES_OF_MAPS = losses_of_maps()


def trained(losses: dict[str, Any], teacher: str, student: str) -> torch.nn.Module:
    model = tiny.distiller(
        {"ce": dict(type=TaskLoss), **losses},
        student=NETWORKS[student],
        teacher=dict(network=NETWORKS[teacher], weights="random"),
        channels=3,
        size=SIZE,
    )
    values = tiny.step(model, tiny.data(channels=3, size=SIZE))
    assert all(torch.isfinite(value) for value in values.values()), values
    return model


@pytest.mark.parametrize(
    ("teacher", "student", "refused"),
    [
        ("ResNet", "ViT", OF_CLASSIFIED_MAPS + OF_NEIGHBORING_SIZES),
        ("ViT", "ResNet", OF_CLASSIFIED_MAPS + OF_THE_TEACHERS_CLASSIFIER + OF_NEIGHBORING_SIZES),
        ("Swin", "Mixer", OF_NEIGHBORING_SIZES),
    ],
)
def test_every_loss_of_maps_across_kinds(
    teacher: str, student: str, refused: tuple[str, ...]
) -> None:
    """All at once, each with its own connectors."""
    assert len(LOSSES_OF_MAPS) >= 33
    losses = {name: loss for name, loss in LOSSES_OF_MAPS.items() if name not in refused}
    model = trained(losses, teacher, student)
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
    for name in refused:
        with pytest.raises(UserError, match=r"classifies its class token|bridge leads between"):
            trained({name: LOSSES_OF_MAPS[name]}, teacher, student)
