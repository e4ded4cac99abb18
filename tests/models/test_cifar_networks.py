"""Networks for 32x32 images against what was measured on the public code, and their taps."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cls_kd.errors import UserError
from cls_kd.models import (
    CIFARVGG,
    CIFARDenseNet,
    CIFARMobileNetV2,
    CIFARPreActResNet,
    CIFARResNet,
    CIFARShuffleNetV2,
    CIFARWideResNet,
    MobileNetV1,
)
from cls_kd.models.plain_backbone import shuffle
from cls_kd.models.split_backbone import find_cut
from cls_kd.registry import MODELS
from cls_kd.runs.compose import read_config
from cls_kd.signals import NetworkSource, find_taps
from cls_kd.signals.heads import classify_with

CONFIGS = Path(__file__).parents[2] / "configs" / "networks"
PUBLISHED = json.loads(Path(__file__).with_name("published_networks.json").read_text())
PUBLISHED.pop("about")
SIGNALS = ("stages", "preacts", "feature", "embedding")
# One of each class, the smallest.
SMALLEST = (
    "cifar_resnet8",
    "cifar_wrn16_1",
    "cifar_vgg8",
    "cifar_mobilenet_v2",
    "cifar_shufflenet_v1",
    "cifar_shufflenet_v2",
    "cifar_densenet40_12",
    "cifar_preact_resnet18",
    "cifar_resnet110_bottleneck",
    "MobileNetV1",
)
LINEAR_STAGES = ("cifar_mobilenet_v2",)
PREACTIVATION = ("cifar_wrn16_1", "cifar_densenet40_12", "cifar_preact_resnet18")


def config(name: str) -> dict[str, Any]:
    if name == "MobileNetV1":
        return dict(
            type="mmpretrain.ImageClassifier",
            backbone=dict(type=MobileNetV1),
            neck=dict(type="GlobalAveragePooling"),
            head=dict(type="LinearClsHead", num_classes=1000, in_channels=1024),
        )
    return read_config(CONFIGS / f"{name}.py").to_dict()[name]


def build(name: str) -> nn.Module:
    torch.manual_seed(0)
    network = MODELS.build(config(name))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
    return network.eval()


def parameters(network: nn.Module) -> int:
    return sum(one.numel() for one in network.parameters())


def seen(network: nn.Module, images: Tensor) -> dict[str, Any]:
    """Every signal at once, after the dry passes that a distiller makes."""
    source = NetworkSource("student", network, [f"student_{name}" for name in SIGNALS])
    source.measure(images[:1])
    with torch.no_grad():
        return {key.removeprefix("student_"): value for key, value in source.run(images).items()}


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_and_shapes_are_those_of_the_public_code(name: str) -> None:
    facts = PUBLISHED[name]
    size = 224 if name == "MobileNetV1" else 32
    network = MODELS.build(config(name)).to("meta").eval()
    found = seen(network, torch.zeros(1, 3, size, size, device="meta"))
    assert parameters(network) == facts["parameters"]
    stages = [list(stage.shape[1:]) for stage in found["stages"]]
    assert stages == facts["stages"]
    assert [list(preact.shape[1:]) for preact in found["preacts"]] == stages
    assert found["embedding"].shape == (1, facts["embedding"])


def test_every_config_of_a_network_for_small_images_is_counted() -> None:
    counted = {
        "cifar_densenet100_12": 800_032,  # 769,162 with 10 classes, as its paper's 0.8 million
        "cifar_densenet190_40": 25_821_620,
        "cifar_densenet40_12": 188_092,
        "cifar_preact_resnet18": 11_218_340,
        "cifar_resnet110_bottleneck": 1_170_868,
        "cifar_resnet34": 21_328_292,
        "cifar_wrn20_8_bottleneck": 6_871_220,
    }
    files = {file.stem: file.read_text() for file in CONFIGS.glob("cifar_*.py")}
    assert set(files) == set(counted) | set(PUBLISHED) - {"MobileNetV1"}
    for name, expected in counted.items():
        assert parameters(MODELS.build(config(name))) == expected, name
    known = counted | {name: facts["parameters"] for name, facts in PUBLISHED.items()}
    for name, text in files.items():
        assert len(text.splitlines()) <= 15, name
        if "parameters" in text:
            assert f"{known[name]:,} parameters" in text, name


@pytest.mark.parametrize("name", SMALLEST)
def test_preacts_are_the_stages_before_the_relu(name: str) -> None:
    network = build(name)
    found = seen(network, torch.randn(2, 3, 32, 32))
    for stage, preact in zip(found["stages"], found["preacts"], strict=True):
        assert (preact < 0).any()
        if name in LINEAR_STAGES:
            assert torch.equal(preact, stage)
        elif name in PREACTIVATION:
            assert (stage < 0).any()
        else:
            assert torch.equal(preact.relu(), stage)


@pytest.mark.parametrize("name", SMALLEST)
def test_the_feature_is_what_is_pooled_and_classified(name: str) -> None:
    network = build(name)
    images = torch.randn(2, 3, 32, 32)
    found = seen(network, images)
    with torch.no_grad():
        assert torch.equal(network.backbone(images)[-1], found["feature"])
        assert torch.allclose(found["feature"].mean((2, 3)), found["embedding"], atol=1e-5)
        assert torch.equal(classify_with(network)(found["feature"]), found["logits"])


@pytest.mark.parametrize("name", PREACTIVATION)
def test_preacts_of_preactivation_networks_are_the_batch_norm_that_follows(name: str) -> None:
    network = build(name)
    found = seen(network, torch.randn(2, 3, 32, 32))
    body = network.backbone
    norms = [body.get_submodule(path) for path in body.taps["preacts"]]
    for stage, preact, norm in zip(found["stages"], found["preacts"], norms, strict=True):
        assert torch.allclose(norm(stage), preact)
    assert torch.equal(found["preacts"][-1].relu(), found["feature"])


@pytest.mark.parametrize("name", SMALLEST[:-1])
def test_branches_may_leave_after_every_stage(name: str) -> None:
    body = build(name).backbone
    for stage in body.taps["stages"][:-1]:
        find_cut(body, stage)  # refuses what its halves do not give again


@pytest.mark.parametrize("name", SMALLEST)
def test_every_parameter_learns(name: str) -> None:
    network = build(name).train()
    size = 64 if name == "MobileNetV1" else 32
    network(torch.randn(2, 3, size, size)).logsumexp(1).sum().backward()
    assert not [key for key, one in network.named_parameters() if one.grad is None]


@pytest.mark.parametrize("name", SMALLEST)
def test_weights_start_as_in_the_public_code(name: str) -> None:
    torch.manual_seed(0)
    network = MODELS.build(config(name))
    network.init_weights()
    kaiming = not any(kind in name for kind in ("shufflenet", "MobileNetV1"))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert (module.weight == 1).all()
            assert (module.bias == 0).all()
        if isinstance(module, nn.Conv2d) and module.weight.numel() > 5000:
            receptive = math.prod(module.kernel_size)
            fan_in = module.in_channels // module.groups * receptive
            expected = (
                math.sqrt(2 / (receptive * module.out_channels))
                if kaiming
                else 1 / math.sqrt(3 * fan_in)
            )
            assert module.weight.std().item() == pytest.approx(expected, rel=0.08)
            if module.bias is not None:
                assert (module.bias == 0).all()
    linear = network.head.fc
    assert (linear.bias == 0).all() == ("wrn" in name or linear.weight.std().item() < 0.0105)
    if name in ("cifar_vgg8", "cifar_mobilenet_v2", "MobileNetV1"):
        assert linear.weight.std().item() == pytest.approx(0.01, rel=0.05)
        assert (linear.bias == 0).all()
    else:
        bound = 1 / math.sqrt(linear.in_features)
        assert linear.weight.abs().max().item() == pytest.approx(bound, rel=0.01)


def test_two_channels_of_a_shuffle_come_from_two_groups() -> None:
    channels = torch.arange(6.0)[None, :, None, None]
    assert shuffle(channels, 2).flatten().tolist() == [0, 3, 1, 4, 2, 5]
    assert shuffle(channels, 3).flatten().tolist() == [0, 2, 4, 1, 3, 5]
    assert torch.equal(shuffle(channels, 1), channels)


@pytest.mark.parametrize(
    ("backbone", "width", "expected"),
    [
        (lambda: CIFARResNet(38, widths=(16, 32, 64, 128)), 128, 2_255_604),
        (lambda: CIFARResNet(116), 64, 1_833_780),
        (lambda: CIFARMobileNetV2(1.0), 1280, 2_353_060),
        (lambda: CIFARShuffleNetV2(widths=(176, 352, 704, 1024)), 1024, 2_580_548),
    ],
)
def test_other_widths_of_the_literature(backbone: Any, width: int, expected: int) -> None:
    """SimKD (arXiv:2203.14001) and its code use these."""
    with torch.device("meta"):
        assert parameters(backbone()) + (width + 1) * 100 == expected


def test_vgg_pools_an_image_of_64_once_more() -> None:
    network = CIFARVGG(8).eval()
    with torch.no_grad():
        assert network(torch.zeros(1, 3, 32, 32))[0].shape == (1, 512, 4, 4)
        assert network(torch.zeros(1, 3, 64, 64))[0].shape == (1, 512, 4, 4)


def test_a_wide_resnet_stands_at_its_paper_s_size() -> None:
    """36.5 million parameters with 10 classes (arXiv:1605.07146, Table 4)."""
    with torch.device("meta"):
        assert parameters(CIFARWideResNet(28, 10)) + 641 * 10 == 36_479_194


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: CIFARResNet(18), "6n \\+ 2"),
        (lambda: CIFARResNet(32, block="bottleneck"), "9n \\+ 2"),
        (lambda: CIFARResNet(20, inner_widen=8), "block='bottleneck'"),
        (lambda: CIFARWideResNet(20, 2), "6n \\+ 4"),
        (lambda: CIFARDenseNet(20, 12), "6n \\+ 4"),
        (lambda: CIFARVGG(12), "11, 13"),
    ],
)
def test_depths_that_do_not_exist_are_refused(make: Any, words: str) -> None:
    with pytest.raises(UserError, match=words):
        make()


def test_taps_of_a_backbone_of_another_form_follow_it() -> None:
    network = CIFARPreActResNet(blocks=(1, 1), widths=(8, 16), stem_channels=4)
    assert find_taps(network)["stages"][-1].module == "block2"
    assert network.eval()(torch.zeros(1, 3, 8, 8))[0].shape == (1, 16, 4, 4)
    assert isinstance(MobileNetV1().eval(), MobileNetV1)
