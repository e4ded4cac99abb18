"""Options of the optimizer for parts of a network, where that network is a distiller's student."""

from __future__ import annotations

from typing import Any

import pytest
from mmengine.optim import OptimWrapper
from mmpretrain.engine import LearningRateDecayOptimWrapperConstructor

from cls_kd.distillers import Distiller
from cls_kd.engine.train import build_optimizer
from cls_kd.errors import UserError
from cls_kd.losses import FitNetLoss, TaskLoss
from tests.distillers import tiny

VIT = dict(embed_dims=16, num_layers=3, num_heads=2, feedforward_channels=32)
BACKBONES: dict[str, tuple[dict[str, Any], int]] = {
    "ViT": (dict(type="VisionTransformer", arch=VIT, img_size=32, patch_size=8), 16),
    "DeiT": (dict(type="DistilledVisionTransformer", arch=VIT, img_size=32, patch_size=8), 16),
    "Swin": (
        dict(
            type="SwinTransformer",
            arch=dict(embed_dims=8, depths=[1, 1, 2, 1], num_heads=[1, 1, 1, 1]),
            img_size=32,
            patch_size=2,
            window_size=2,
        ),
        64,
    ),
    "ConvNeXt": (
        dict(type="ConvNeXt", arch=dict(depths=[1, 1, 2, 1], channels=[8, 8, 16, 16])),
        16,
    ),
    "ResNet": (dict(type="ResNet", depth=50, base_channels=4, stem_channels=4), 128),
}
DECAY = dict(
    type=OptimWrapper,
    optimizer=dict(type="AdamW", lr=1e-3, weight_decay=0.05),
    constructor=LearningRateDecayOptimWrapperConstructor,
    paramwise_cfg=dict(layer_decay_rate=0.5, flat_decay_mult=0.0),
)


def student(name: str) -> dict[str, Any]:
    backbone, channels = BACKBONES[name]
    neck = {"neck": dict(type="GlobalAveragePooling")} if name in ("Swin", "ResNet") else {}
    kind = {"ViT": "VisionTransformerClsHead", "DeiT": "DeiTClsHead"}.get(name, "LinearClsHead")
    head = dict(type=kind, num_classes=10, in_channels=channels)
    return dict(type="ImageClassifier", backbone=backbone, head=head, **neck)


def groups(model: Distiller, config: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Name of a parameter to its group."""
    wrapper = build_optimizer(model, config)
    names = {id(value): name for name, value in model.named_parameters()}
    return {
        names[id(value)]: group
        for group in wrapper.optimizer.param_groups
        for value in group["params"]
    }


@pytest.mark.parametrize("name", BACKBONES)
def test_early_layers_of_a_student_learn_more_slowly(name: str) -> None:
    """Each parameter as where mmpretrain trains the classifier by itself."""
    model = Distiller(student(name), {"ce": TaskLoss()}, input_shape=(3, 32, 32))
    found = groups(model, DECAY)
    assert set(found) == {key for key, _ in model.named_parameters()}
    rates = [found[key]["lr"] for key in found]
    head = [found[key]["lr"] for key in found if key.startswith("student.head")]
    assert set(head) == {1e-3}
    assert len(set(rates)) >= 4
    first = next(key for key in found if "patch_embed" in key or "conv1" in key or "down" in key)
    assert found[first]["lr"] == min(rates) < 1e-3
    bare = tiny.build(student(name))
    own = build_optimizer(bare, DECAY)
    names = {id(value): key for key, value in bare.named_parameters()}
    expected = {
        names[id(g["params"][0])]: (g["lr"], g["weight_decay"]) for g in own.optimizer.param_groups
    }
    assert expected == {
        key.removeprefix("student."): (group["lr"], group["weight_decay"])
        for key, group in found.items()
    }


def test_connectors_of_losses_learn_at_the_full_rate() -> None:
    teacher = dict(network=student("ResNet"), weights="random")
    losses = dict(ce=TaskLoss(), fitnet=FitNetLoss(stage=1))
    model = Distiller(student("ResNet"), losses, teacher, input_shape=(3, 32, 32))
    found = groups(model, DECAY)
    connectors = {key: group["lr"] for key, group in found.items() if key.startswith("losses.")}
    assert connectors
    assert set(connectors.values()) == {1e-3}


def test_a_student_of_unknown_depths_is_refused() -> None:
    network = tiny.digits_cnn(widths=(8, 8, 16))
    model = Distiller(tiny.build(network), {"ce": TaskLoss()}, input_shape=(1, 8, 8))
    with pytest.raises(UserError, match="layer-wise decay needs a student that knows the depth"):
        build_optimizer(model, DECAY)


def test_custom_keys_reach_the_student() -> None:
    config = dict(
        type=OptimWrapper,
        optimizer=dict(type="SGD", lr=0.1, weight_decay=0.01),
        paramwise_cfg=dict(
            norm_decay_mult=0.0, custom_keys={"backbone": dict(lr_mult=0.1, decay_mult=0.5)}
        ),
    )
    network = tiny.digits_cnn(widths=(8, 8, 16))
    model = Distiller(tiny.build(network), {"ce": TaskLoss()}, input_shape=(1, 8, 8))
    found = groups(model, config)
    for key, group in found.items():
        inner = key.startswith("student.backbone")
        assert group["lr"] == pytest.approx(0.01 if inner else 0.1)
        assert group["weight_decay"] == pytest.approx(0.005 if inner else 0.01)
