"""Published checkpoints in our names: every key used, every key filled, the same logits."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
import torchvision
from mmpretrain.models import ImageClassifier
from safetensors import safe_open
from torch import Tensor, nn
from torchvision.models.convnext import CNBlockConfig

from cls_kd.distillers.convert import convert, convert_file, read_foreign
from cls_kd.distillers.layouts import LAYOUTS
from cls_kd.distillers.weights import load_weights
from cls_kd.errors import UserError
from cls_kd.models import MobileNetV1
from cls_kd.registry import MODELS
from cls_kd.runs.compose import read_config
from tests.distillers import published

ROOT = Path(__file__).parents[2]
OURS = {
    facts["published"]: name
    for name, facts in json.loads(
        (ROOT / "tests" / "models" / "published_networks.json").read_text()
    ).items()
    if name.startswith("cifar_")
}
GAP = dict(type="GlobalAveragePooling")
# Of the families whose depths differ in nothing else, the logits of one depth each.
SAME_LOGITS = (
    "resnet20",
    "resnet8x4",
    "ResNet18",
    "ResNet50",
    "wrn_16_1",
    "wrn_16_2",
    "vgg8",
    "vgg13",
    "MobileNetV2",
    "ShuffleV1",
    "ShuffleV2",
    "imagenet_ResNet18",
    "imagenet_MobileNetV1",
)


def linear(classes: int, width: int) -> dict[str, Any]:
    return dict(type="LinearClsHead", num_classes=classes, in_channels=width)


def network_of(name: str) -> nn.Module:
    """Ours, for a published name."""
    if name in OURS:
        config = read_config(ROOT / "configs" / "networks" / f"{OURS[name]}.py")
        return MODELS.build(config.to_dict()[OURS[name]]).eval()
    if name == "imagenet_MobileNetV1":
        body, width = dict(type=MobileNetV1), 1024
    else:
        depth = int(name.removeprefix("imagenet_ResNet"))
        body, width = dict(type="ResNet", depth=depth), 2048 if depth == 50 else 512
    return ImageClassifier(body, GAP, linear(1000, width)).eval()


def images(size: int, count: int = 2) -> Tensor:
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(1))


def relative(one: Tensor, other: Tensor) -> float:
    return float((one - other).abs().max() / other.abs().max())


@pytest.mark.parametrize("name", published.modules())
def test_every_key_is_used_and_every_key_is_filled(name: str) -> None:
    weights = published.state(name)
    network = network_of(name)
    converted, layout = convert(weights, network, name)
    assert layout == "RepDistiller, mdistiller, ResNets"
    assert list(converted) == list(network.state_dict())
    assert len(converted) == len(weights)
    pointers = {value.data_ptr() for value in converted.values()}
    assert pointers == {value.data_ptr() for value in weights.values()}


@pytest.mark.parametrize("name", SAME_LOGITS)
def test_logits_are_those_of_the_published_network(name: str) -> None:
    weights = published.state(name)
    network = network_of(name)
    network.load_state_dict(convert(weights, network, name)[0], strict=True)
    shown = images(64 if name.startswith("imagenet") else 32)
    with torch.no_grad():
        found, expected = network(shown), published.logits(name, weights, shown)
    assert expected.std() > 1e-3
    assert not torch.allclose(expected[0], expected[1], rtol=1e-2)
    assert relative(found, expected) < 1e-4


def test_old_files_without_counters_of_batch_norm() -> None:
    weights = published.state("resnet8", counters=False)
    network = network_of("resnet8")
    converted, _ = convert(weights, network, "old.pth")
    assert set(converted) == set(network.state_dict())
    assert converted["backbone.bn1.num_batches_tracked"] == 0


# Containers: what the files of each repository hold around the weights.
STATE = published.state("wrn_16_1")
OTHER = {key: value + 1 for key, value in published.state("wrn_16_1").items()}
RESUMED = {
    **{f"module.student.{key}": value for key, value in STATE.items()},
    **{f"module.teacher.{key}": value for key, value in OTHER.items()},
    "module.feat_t.weight": torch.zeros(3),
}
CONTAINERS: dict[str, Any] = {
    "student_best": {"model": STATE},
    "ckpt_epoch_240.pth": {
        "epoch": 240,
        "model": OrderedDict(STATE),
        "accuracy": torch.tensor([72.3]),
        "optimizer": {"state": {}, "param_groups": [{"lr": 0.05, "params": [0, 1]}]},
    },
    "wrn_16_1_best.pth": {"epoch": 3, "model": STATE, "best_acc": torch.tensor([71.0])},
    "latest": {"epoch": 240, "model": RESUMED, "optimizer": {}, "best_acc": 72.0},
    "parallel.pth": {"model": {f"module.{key}": value for key, value in STATE.items()}},
    "flat.pth": STATE,
}


@pytest.mark.parametrize("name", CONTAINERS)
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_files_of_every_layout(name: str, suffix: str, tmp_path: Path) -> None:
    torch.save(CONTAINERS[name], tmp_path / name)
    out = tmp_path / "made" / f"ours{suffix}"
    network = network_of("wrn_16_1")
    note = convert_file(tmp_path / name, network, out)
    assert "180,916 parameters" in note
    assert [file.name for file in out.parent.iterdir()] == [out.name]
    again = network_of("wrn_16_1")
    load_weights(again, str(out))
    with torch.no_grad():
        expected = published.logits("wrn_16_1", STATE, images(32))
        assert relative(again(images(32)), expected) < 1e-4
    if suffix == ".safetensors":
        with safe_open(out, "pt") as file:
            assert file.metadata()["converted_from"] == name


def test_files_of_the_time_before_zip(tmp_path: Path) -> None:
    path = tmp_path / "ckpt_epoch_240.pth"
    content = CONTAINERS[path.name]
    torch.save(content, path, _use_new_zipfile_serialization=False)
    assert torch.equal(read_foreign(path)["fc.bias"], STATE["fc.bias"])


def test_the_teacher_of_a_resume_file(tmp_path: Path) -> None:
    torch.save(CONTAINERS["latest"], tmp_path / "latest")
    found = read_foreign(tmp_path / "latest", "teacher")
    assert set(found) == set(OTHER)
    assert torch.equal(found["fc.bias"], OTHER["fc.bias"])
    torch.save({"model": {f"student.{key}": v for key, v in STATE.items()}}, tmp_path / "one")
    with pytest.raises(UserError, match="holds no teacher: it holds a student"):
        read_foreign(tmp_path / "one", "teacher")


def _without(key: str) -> dict[str, Tensor]:
    return {name: value for name, value in STATE.items() if name != key}


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        (_without("block2.layer.0.convShortcut.weight"), r"not in the checkpoint: .*convShortcut"),
        ({**STATE, "extra.weight": torch.zeros(1)}, r"only in the checkpoint: .*extra\.weight"),
        # Two keys that would become one.
        ({**STATE, "linear.weight": STATE["fc.weight"]}, r"only in the checkpoint: linear\.weight"),
        ({**STATE, "fc.weight": torch.zeros(10, 64)}, r"head\.fc\.weight \(10, 64\) instead of"),
        (published.state("wrn_16_2"), "of another shape"),
        (published.state("resnet20"), "not in the checkpoint"),
    ],
)
def test_what_does_not_fit_is_refused(
    weights: dict[str, Tensor], words: str, tmp_path: Path
) -> None:
    torch.save({"model": weights}, tmp_path / "theirs.pth")
    with pytest.raises(UserError, match=words):
        convert_file(tmp_path / "theirs.pth", network_of("wrn_16_1"), tmp_path / "ours.pth")
    assert [file.name for file in tmp_path.iterdir()] == ["theirs.pth"]


def test_our_own_checkpoints_need_no_conversion() -> None:
    network = network_of("wrn_16_1")
    with pytest.raises(UserError, match="our names already"):
        convert(network.state_dict(), network, "ours.pth")


def test_a_file_of_another_ending_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"\.pth or \.safetensors"):
        convert_file(tmp_path / "none", network_of("wrn_16_1"), tmp_path / "ours.bin")


class Foreign:
    """What a pickle may hold beside weights; argparse's namespaces are such."""


def test_files_that_hold_objects_are_refused(tmp_path: Path) -> None:
    torch.save({"opt": Foreign(), "model": STATE}, tmp_path / "last.pth")
    with pytest.raises(UserError, match="was refused"):
        read_foreign(tmp_path / "last.pth")


VIT = dict(embed_dims=12, num_layers=2, num_heads=2, feedforward_channels=24)
TIMM_VIT = dict(img_size=32, patch_size=8, embed_dim=12, depth=2, num_heads=2, mlp_ratio=2)
CONVNEXT = dict(depths=[1, 2, 1, 1], channels=[4, 6, 8, 10])


def _convnext() -> nn.Module:
    widths = (*CONVNEXT["channels"], None)
    settings = [
        CNBlockConfig(width, after, count)
        for width, after, count in zip(widths, widths[1:], CONVNEXT["depths"], strict=False)
    ]
    return torchvision.models.ConvNeXt(settings, num_classes=5)


def _timm(name: str, **options: Any) -> Callable[[], nn.Module]:
    return lambda: timm.create_model(name, num_classes=5, **options)


def _vit_head(kind: str = "VisionTransformerClsHead") -> dict[str, Any]:
    return dict(type=kind, num_classes=5, in_channels=12)


# Layout, the original, and our config of the same network.
FOREIGN: dict[str, tuple[str, Callable[[], nn.Module], dict[str, Any]]] = {
    "torchvision resnet18": (
        "RepDistiller, mdistiller, ResNets",
        lambda: torchvision.models.resnet18(num_classes=5),
        dict(backbone=dict(type="ResNet", depth=18), neck=GAP, head=linear(5, 512)),
    ),
    "torchvision resnext50": (
        "RepDistiller, mdistiller, ResNets",
        lambda: torchvision.models.resnext50_32x4d(num_classes=5),
        dict(
            backbone=dict(type="ResNeXt", depth=50, groups=32, width_per_group=4),
            neck=GAP,
            head=linear(5, 2048),
        ),
    ),
    "timm resnet18": (
        "RepDistiller, mdistiller, ResNets",
        _timm("resnet18"),
        dict(backbone=dict(type="ResNet", depth=18), neck=GAP, head=linear(5, 512)),
    ),
    "torchvision mobilenet_v2": (
        "torchvision MobileNetV2",
        lambda: torchvision.models.mobilenet_v2(num_classes=5),
        dict(backbone=dict(type="MobileNetV2"), neck=GAP, head=linear(5, 1280)),
    ),
    "torchvision shufflenet_v2": (
        "torchvision ShuffleNetV2",
        lambda: torchvision.models.shufflenet_v2_x0_5(num_classes=5),
        dict(backbone=dict(type="ShuffleNetV2", widen_factor=0.5), neck=GAP, head=linear(5, 1024)),
    ),
    "torchvision densenet": (
        "torchvision DenseNet",
        lambda: torchvision.models.DenseNet(4, (1, 12, 1, 1), 8, num_classes=5),
        dict(
            backbone=dict(
                type="DenseNet", arch=dict(growth_rate=4, depths=[1, 12, 1, 1], init_channels=8)
            ),
            neck=GAP,
            head=linear(5, 19),
        ),
    ),
    "torchvision convnext": (
        "torchvision ConvNeXt",
        _convnext,
        dict(backbone=dict(type="ConvNeXt", arch=CONVNEXT), head=linear(5, 10)),
    ),
    "timm convnext": (
        "timm ConvNeXt",
        _timm("convnext_tiny", depths=CONVNEXT["depths"], dims=CONVNEXT["channels"]),
        dict(backbone=dict(type="ConvNeXt", arch=CONVNEXT), head=linear(5, 10)),
    ),
    "timm regnet": (
        "timm RegNet",
        _timm("regnetx_004"),
        dict(backbone=dict(type="RegNet", arch="regnetx_400mf"), neck=GAP, head=linear(5, 384)),
    ),
    "torchvision vit": (
        "torchvision ViT",
        lambda: torchvision.models.VisionTransformer(32, 8, 2, 2, 12, 24, num_classes=5),
        dict(
            backbone=dict(type="VisionTransformer", arch=VIT, img_size=32, patch_size=8),
            head=_vit_head(),
        ),
    ),
    "timm vit": (
        "timm ViT, DeiT",
        _timm("vit_tiny_patch16_224", **TIMM_VIT),
        dict(
            backbone=dict(type="VisionTransformer", arch=VIT, img_size=32, patch_size=8),
            head=_vit_head(),
        ),
    ),
    "timm deit": (
        "timm ViT, DeiT",
        _timm("deit_tiny_distilled_patch16_224", **TIMM_VIT),
        dict(
            backbone=dict(type="DistilledVisionTransformer", arch=VIT, img_size=32, patch_size=8),
            head=_vit_head("DeiTClsHead"),
        ),
    ),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_logits_are_those_of_torchvision_and_timm(name: str) -> None:
    layout, make, config = FOREIGN[name]
    torch.manual_seed(0)
    original = make().eval()
    for key, value in original.state_dict().items():  # nothing may stay at zero or one
        if value.is_floating_point():
            low, high = (0.5, 1.5) if key.endswith(("weight", "var", "scale", "gamma")) else (-1, 1)
            if value.ndim == 1 or key.endswith("layer_scale"):
                value.uniform_(low, high)
    network = ImageClassifier(**config).eval()
    weights = original.state_dict()
    converted, found = convert(weights, network, name)
    assert found == layout
    assert len(converted) == len(weights)
    network.load_state_dict(converted, strict=True)
    shown = images(32)
    with torch.no_grad():
        assert relative(network(shown), original(shown)) < 1e-4


VGGS = [(depth, norm) for depth in (11, 13, 16, 19) for norm in ("", " with batch norm")]


@pytest.mark.parametrize(("depth", "norm"), VGGS)
def test_vgg_of_torchvision(depth: int, norm: str) -> None:
    """Its convolutions are compared; the linear layers are copied under their numbers."""
    name = f"vgg{depth}_bn" if norm else f"vgg{depth}"
    body: dict[str, Any] = dict(type="VGG", depth=depth, num_classes=5)
    if norm:
        body["norm_cfg"] = dict(type="BN")
    with torch.device("meta"):
        original = torchvision.models.get_model(name, num_classes=5, init_weights=False).eval()
        network = ImageClassifier(body, head=dict(type="ClsHead")).eval()
    original.features.to_empty(device="cpu")
    for value in original.features.state_dict().values():
        if value.is_floating_point():
            value.uniform_(0.5, 1.5) if value.ndim == 1 else value.normal_(std=0.02)
    weights = original.state_dict()
    converted, layout = convert(weights, network, name)
    assert layout == f"torchvision VGG-{depth}{norm}"
    network.load_state_dict(converted, strict=True, assign=True)
    with torch.no_grad():
        found = network.backbone.features(images(32, count=1))
        assert relative(found, original.features(images(32, count=1))) < 1e-4
    for key in ("0.weight", "3.bias", "6.weight"):
        assert converted[f"backbone.classifier.{key}"] is weights[f"classifier.{key}"]


def test_every_layout_is_tested() -> None:
    shown = {layout for layout, _, _ in FOREIGN.values()}
    shown |= {f"torchvision VGG-{depth}{norm}" for depth, norm in VGGS}
    assert shown == set(LAYOUTS)
