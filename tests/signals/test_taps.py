"""Every place that a network is said to have shows what an independent pass computes there."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from mmpretrain.models import ImageClassifier, TimmClassifier
from timm.models.deit import VisionTransformerDistilled
from timm.models.mlp_mixer import MlpMixer
from torch import Tensor, nn

from cls_kd.errors import UserError
from cls_kd.signals import NetworkSource, Tap, find_taps
from cls_kd.signals.heads import classify_with
from tests.distillers import tiny

MIXER = dict(embed_dims=12, num_layers=3, tokens_mlp_dims=8, channels_mlp_dims=24)
VIT = dict(embed_dims=12, num_layers=3, num_heads=2, feedforward_channels=24)

RESNETS: dict[str, dict[str, Any]] = {
    "ResNet": dict(type="ResNet", depth=18, stem_channels=8, base_channels=4),
    "ResNet-50": dict(type="ResNet", depth=50, stem_channels=8, base_channels=4),
    "ResNet_CIFAR": dict(type="ResNet_CIFAR", depth=18, stem_channels=4, base_channels=4),
    "SEResNet": dict(type="SEResNet", depth=50, se_ratio=2, stem_channels=4, base_channels=4),
    "ResNeXt": dict(
        type="ResNeXt", depth=50, groups=2, width_per_group=4, stem_channels=4, base_channels=4
    ),
}


def classifier(backbone: dict[str, Any], neck: str | None = "GlobalAveragePooling") -> nn.Module:
    torch.manual_seed(0)
    width = {"ResNet": 32, "ResNet_CIFAR": 32, "MobileNetV2": 1280, "DigitsCNN": 8}
    wide = 128 if backbone.get("depth") == 50 else width.get(backbone["type"], 12)
    head = dict(type="LinearClsHead", num_classes=5, in_channels=wide)
    if backbone["type"] == "VisionTransformer":
        head = dict(type="VisionTransformerClsHead", num_classes=5, in_channels=12)
    from cls_kd.models import DigitsCNN

    if backbone["type"] == "DigitsCNN":
        backbone = {**backbone, "type": DigitsCNN}
    network = ImageClassifier(backbone, neck=dict(type=neck) if neck else None, head=head)
    network.init_weights()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):  # also those that start at zero
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
    return network.eval()


def every_signal(
    network: nn.Module, inputs: Tensor, taps: dict[str, Any] | None = None
) -> dict[str, Any]:
    """All that the network declares, asked for at once; shapes are those that were measured."""
    names = [f"student_{name}" for name in find_taps(network, taps)] + ["student_logits"]
    source = NetworkSource("student", network, names, taps)
    measured = source.measure(inputs[:1])
    with torch.no_grad():
        seen = source.run(inputs)
    assert set(seen) == set(measured) == set(names)
    for name, value in seen.items():
        shapes = (
            tuple(tuple(one.shape[1:]) for one in value)
            if isinstance(value, tuple)
            else tuple(value.shape[1:])
        )
        assert shapes == measured[name], name
    return {name.removeprefix("student_"): value for name, value in seen.items()}


@pytest.fixture
def inputs() -> Tensor:
    return tiny.images(2, channels=3, size=32)


@pytest.mark.parametrize("kind", RESNETS)
def test_stages_of_resnets_are_those_of_the_backbone(kind: str, inputs: Tensor) -> None:
    network = classifier(RESNETS[kind])
    network.backbone.out_indices = (0, 1, 2, 3)
    with torch.no_grad():
        expected = network.backbone(inputs)
        logits = network.head.fc(expected[-1].mean((2, 3)))
    network.backbone.out_indices = (3,)
    seen = every_signal(network, inputs)
    assert len(seen["stages"]) == 4
    for stage, preact, wanted in zip(seen["stages"], seen["preacts"], expected, strict=True):
        assert torch.equal(stage, wanted)
        assert torch.equal(preact.relu(), stage)
        assert (preact < 0).any()
    assert torch.equal(seen["feature"], expected[-1])
    assert torch.allclose(seen["embedding"], expected[-1].mean((2, 3)), atol=1e-6)
    assert torch.allclose(seen["logits"], logits, atol=1e-6)


def test_stages_of_mobilenet_v2_are_those_of_the_backbone(inputs: Tensor) -> None:
    network = classifier(dict(type="MobileNetV2", widen_factor=0.25))
    places = len(network.backbone.layers)
    network.backbone.out_indices = tuple(range(places))
    with torch.no_grad():
        expected = network.backbone(inputs)
    network.backbone.out_indices = (places - 1,)
    seen = every_signal(network, inputs)
    assert len(seen["stages"]) == places
    assert all(torch.equal(*pair) for pair in zip(seen["stages"], expected, strict=True))
    assert torch.equal(seen["feature"], expected[-1])
    assert seen["embedding"].shape == (2, 1280)


def test_tokens_of_a_vision_transformer(inputs: Tensor) -> None:
    options = dict(arch=VIT, img_size=32, patch_size=8, final_norm=False)
    network = classifier(dict(type="VisionTransformer", **options), neck=None)
    network.backbone.out_indices, network.backbone.out_type = (0, 1, 2), "raw"
    with torch.no_grad():
        expected = network.backbone(inputs)
    network.backbone.out_indices, network.backbone.out_type = (2,), "cls_token"
    taps = find_taps(network)
    assert {"tokens", "blocks", "embedding"} <= set(taps)
    names = ["student_tokens", "student_blocks", "student_embedding"]
    source = NetworkSource("student", network, names)
    assert source.measure(inputs)["student_tokens"] == (17, 12)
    with torch.no_grad():
        seen = source.run(inputs)
    blocks = seen["student_blocks"]
    assert len(blocks) == 3
    assert all(torch.equal(*pair) for pair in zip(blocks, expected, strict=True))
    assert torch.equal(seen["student_tokens"], expected[-1])
    assert torch.equal(seen["student_embedding"], expected[-1][:, 0])


@pytest.mark.parametrize("final_norm", [True, False])
def test_normed_tokens_are_what_the_head_gets(final_norm: bool, inputs: Tensor) -> None:
    options = dict(arch=VIT, img_size=32, patch_size=8, final_norm=final_norm)
    network = classifier(dict(type="VisionTransformer", **options), neck=None)
    names = ["student_normed_tokens", "student_tokens", "student_embedding"]
    source = NetworkSource("student", network, names)
    source.measure(inputs[:1])
    with torch.no_grad():
        seen = source.run(inputs)
        network.backbone.out_type = "raw"
        (expected,) = network.backbone(inputs)
    assert torch.equal(seen["student_normed_tokens"], expected)
    assert torch.equal(seen["student_embedding"], expected[:, 0])
    assert torch.equal(seen["student_tokens"], expected) != final_norm


def test_maps_of_a_vision_transformer_are_the_squares_of_its_patches(inputs: Tensor) -> None:
    arch = {**VIT, "num_layers": 6}
    network = classifier(dict(type="VisionTransformer", arch=arch, img_size=32, patch_size=8), None)
    seen = every_signal(network, inputs)
    assert [stage.shape for stage in seen["stages"]] == [(2, 12, 4, 4)] * 4
    for stage, block in zip(seen["stages"], (0, 1, 4, 5), strict=True):
        patches = stage.flatten(2).transpose(1, 2)
        assert torch.equal(patches, seen["blocks"][block][:, 1:])
    patches = seen["feature"].flatten(2).transpose(1, 2)
    assert torch.equal(patches, seen["normed_tokens"][:, 1:])
    with pytest.raises(UserError, match=r"VisionTransformer classifies its class token"):
        classify_with(network)(seen["feature"])


def test_an_image_that_is_no_square_has_no_map() -> None:
    options = dict(arch=VIT, img_size=(32, 16), patch_size=8)
    network = classifier(dict(type="VisionTransformer", **options), neck=None)
    source = NetworkSource("student", network, ["student_feature"])
    with pytest.raises(UserError, match=r"'backbone.ln1' has 8 patches, which are no square"):
        source.measure(torch.zeros(1, 3, 32, 16))


@pytest.mark.parametrize("name", ["VisionTransformer", "Swin"])
def test_a_pass_from_a_stage_that_is_kept_as_tokens(name: str) -> None:
    network = mmpretrain_network("DeiT3" if name == "VisionTransformer" else name)
    images = tiny.images(2, channels=3, size=64)
    names = ["teacher_stages", "teacher_feature", "teacher_forward_from", "teacher_logits"]
    source = NetworkSource("teacher", network, names)
    with torch.no_grad():
        seen = source.run(images)
        maps, feature, logits = source.forward_from(images)(1, seen["teacher_stages"][1])
        others = source.forward_from(images)(1, 2 * seen["teacher_stages"][1]).logits
    assert torch.equal(logits, seen["teacher_logits"])
    assert maps[:2] == (None, None)
    for continued, stage in zip(maps[2:], seen["teacher_stages"][2:], strict=True):
        assert torch.equal(continued, stage)
    assert torch.equal(feature, seen["teacher_feature"]), "after the final norm"
    assert not torch.equal(others, logits)


def test_taps_of_digits_cnn() -> None:
    network = tiny.build(tiny.digits_cnn((3, 4, 8))).eval()
    images = tiny.images(2)
    seen = every_signal(network, images)
    body = network.backbone
    x = images
    for stage, preact, seen_stage in zip(
        (body.stage1, body.stage2, body.stage3), seen["preacts"], seen["stages"], strict=True
    ):
        x = stage.norm(stage.conv(x))
        assert torch.equal(preact, x)
        x = x.relu()
        assert torch.equal(seen_stage, x)
    assert torch.equal(seen["embedding"], seen["feature"].mean((2, 3)))


@pytest.mark.parametrize(
    "name",
    [
        "resnet10t",
        "mobilenetv3_small_050",
        "convnext_atto",
        "test_nfnet",
        "test_efficientnet",
        "vgg11",
    ],
)
def test_stages_of_timm_networks_are_timms_own(name: str) -> None:
    torch.manual_seed(0)
    options = {"mlp_ratio": 0.05} if name == "vgg11" else {}
    network = TimmClassifier(model_name=name, num_classes=5, **options).eval()
    images = tiny.images(2, channels=3, size=64)
    seen = every_signal(network, images)
    with torch.no_grad():
        final, maps = network.model.forward_intermediates(images)
        logits = network.model(images)
    expected = [one for one in maps if one.shape[-1] < 32]
    assert len(seen["stages"]) == len(expected) >= 4
    assert all(torch.equal(*pair) for pair in zip(seen["stages"], expected, strict=True))
    assert torch.equal(seen["logits"], logits)
    assert torch.equal(seen["feature"], final)
    with torch.no_grad():
        assert torch.equal(classify_with(network)(seen["feature"]), logits)
        assert torch.equal(network.model.get_classifier()(seen["embedding"]), logits)


def test_tokens_of_a_timm_vision_transformer() -> None:
    torch.manual_seed(0)
    network = TimmClassifier(model_name="test_vit", num_classes=5, img_size=32, patch_size=8).eval()
    images = tiny.images(2, channels=3, size=32)
    seen = every_signal(network, images)
    with torch.no_grad():
        _, maps = network.model.forward_intermediates(
            images, output_fmt="NLC", return_prefix_tokens=True
        )
    for block, (patches, prefix) in zip(seen["blocks"], maps, strict=True):
        assert torch.equal(block, torch.cat([prefix, patches], dim=1))
    assert torch.equal(seen["tokens"], seen["blocks"][-1])
    with torch.no_grad():
        assert torch.equal(seen["normed_tokens"], network.model.forward_features(images))


def test_a_distillation_token_of_timms() -> None:
    torch.manual_seed(0)
    model = VisionTransformerDistilled(
        img_size=32, patch_size=8, embed_dim=12, depth=2, num_heads=2, num_classes=5
    )
    model.feature_info = [dict(module=f"blocks.{i}", num_chs=12, reduction=8) for i in range(2)]
    seen = every_signal(model.eval(), tiny.images(2, channels=3, size=32))
    assert seen["tokens"].shape == (2, 18, 12)
    assert seen["feature"].shape == (2, 12, 4, 4)
    classes, distillation = (seen["normed_tokens"][:, index] for index in (0, 1))
    assert torch.equal(seen["class_token_logits"], model.head(classes))
    assert torch.equal(seen["distillation_token_logits"], model.head_dist(distillation))
    assert torch.equal(seen["embedding"], classes)
    both = (seen["class_token_logits"] + seen["distillation_token_logits"]) / 2
    assert torch.equal(seen["logits"], both)


CHANNELS_LAST = {
    "test_mambaout": {},
    "swin_tiny_patch4_window7_224": dict(
        img_size=64, window_size=2, embed_dim=8, depths=(1, 1, 1, 1), num_heads=(1, 1, 1, 1)
    ),
}


@pytest.mark.parametrize("name", CHANNELS_LAST)
def test_maps_of_timm_networks_with_channels_last(name: str) -> None:
    torch.manual_seed(0)
    network = TimmClassifier(model_name=name, num_classes=5, **CHANNELS_LAST[name]).eval()
    images = tiny.images(2, channels=3, size=64)
    seen = every_signal(network, images)
    with torch.no_grad():
        final, maps = network.model.forward_intermediates(images)
    expected = [map for map in maps if map.shape[-1] < 32]
    assert all(torch.equal(*pair) for pair in zip(seen["stages"], expected, strict=True))
    assert torch.equal(seen["feature"], final.permute(0, 3, 1, 2))
    with torch.no_grad():
        assert torch.equal(classify_with(network)(seen["feature"]), seen["logits"])


def test_maps_of_a_timm_mixer() -> None:
    torch.manual_seed(0)
    model = MlpMixer(num_classes=5, img_size=32, patch_size=8, num_blocks=6, embed_dim=8).eval()
    images = tiny.images(2, channels=3, size=32)
    seen = every_signal(model, images)
    with torch.no_grad():
        final, maps = model.forward_intermediates(images, indices=[0, 1, 4, 5])
        assert torch.equal(classify_with(model)(seen["feature"]), seen["logits"])
    assert all(torch.equal(*pair) for pair in zip(seen["stages"], maps, strict=True))
    assert torch.equal(seen["normed_tokens"], final)


def test_maps_that_are_no_modules_are_not_offered() -> None:
    network = TimmClassifier(model_name="hrnet_w18_small", num_classes=5)
    assert set(find_taps(network)) == {"embedding"}
    with pytest.raises(UserError, match="has no tap for 'student_stages'"):
        NetworkSource("student", network, ["student_stages"])


class Selfmade(nn.Module):
    """Knows where its features are."""

    def __init__(self) -> None:
        super().__init__()
        self.taps = {"stages": ("a", "b"), "preacts": ("a", "act:input"), "feature": "b[1]"}
        self.a = nn.Conv2d(1, 3, 3)
        self.act = nn.ReLU()
        self.b = Pair()
        self.fc = nn.Linear(4, 10)

    def forward(self, images: Tensor) -> Tensor:
        return self.fc(self.b(self.act(self.a(images)))[1].mean((2, 3)))


class Pair(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x, self.conv(x)


def test_a_network_declares_its_own_places() -> None:
    network = Selfmade()
    taps = {"stages": ("a", "b[0]"), "preacts": ("a", "b.conv")}
    seen = every_signal(network, tiny.images(2), taps)
    a = network.a(tiny.images(2))
    assert torch.equal(seen["stages"][0], a)
    assert torch.equal(seen["stages"][1], a.relu())
    assert torch.equal(seen["feature"], network.b.conv(a.relu()))
    assert torch.equal(seen["embedding"], seen["feature"].mean((2, 3)))


def test_the_config_overrides_what_the_network_declares() -> None:
    found = find_taps(Selfmade(), {"feature": "act", "embedding": "fc:input"})
    assert found["feature"] == Tap("act")
    assert found["stages"] == (Tap("a"), Tap("b"))
    assert found["preacts"][1] == Tap("act", "input")


def test_the_last_of_overridden_stages_is_the_feature_where_nobody_says() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Conv2d(2, 3, 3), nn.Flatten(), nn.Linear(48, 10))
    assert find_taps(network, {"stages": ("0", "1")})["feature"] == Tap("1")


def test_an_item_of_a_tuple_must_be_named() -> None:
    source = NetworkSource("student", Selfmade(), ["student_stages"])
    with pytest.raises(UserError, match=r"'b'.*tuple.*'b\[-1\]'"):
        source.measure(tiny.images(1))


def test_a_path_to_nowhere_is_answered_with_near_ones() -> None:
    network = tiny.build(tiny.digits_cnn())
    with pytest.raises(UserError, match=r"'backbone.stage9'.*'backbone.stage"):
        find_taps(network, {"stages": ("backbone.stage9",)})


def test_a_path_that_is_none_is_refused() -> None:
    with pytest.raises(UserError, match="not a path"):
        Tap.parse("layer1 -> relu")


def test_a_missing_place_is_answered_with_those_there_are() -> None:
    network = tiny.build(tiny.digits_cnn())
    with pytest.raises(UserError, match=r"ImageClassifier\(DigitsCNN\).*'student_tokens'.*stages"):
        NetworkSource("student", network, ["student_tokens"])


# A backbone of mmpretrain, its last width, and what its taps show of an image of 64 pixels:
# (channels, pixels) of each stage, whether there are preacts, (tokens, width) of the last block.
BACKBONES: dict[str, tuple[dict[str, Any], int, dict[str, Any]]] = {
    "ResNeXt": (
        dict(type="ResNeXt", depth=50, groups=2, stem_channels=4, base_channels=4),
        128,
        dict(stages=[(16, 16), (32, 8), (64, 4), (128, 2)], preacts=True),
    ),
    "RegNet": (
        dict(type="RegNet", arch="regnetx_400mf"),
        384,
        dict(stages=[(32, 16), (64, 8), (160, 4), (384, 2)], preacts=True),
    ),
    "MobileNetV3 small": (
        dict(type="MobileNetV3", arch="small_075"),
        432,
        dict(stages=[(16, 16), (24, 8), (40, 4), (72, 2)]),
    ),
    "MobileNetV3 large": (
        dict(type="MobileNetV3", arch="large"),
        960,
        dict(stages=[(24, 16), (40, 8), (112, 4), (160, 2)]),
    ),
    "ShuffleNetV2": (
        dict(type="ShuffleNetV2", widen_factor=0.5),
        1024,
        dict(stages=[(48, 8), (96, 4), (192, 2)]),
    ),
    "VGG": (
        dict(type="VGG", depth=11, norm_cfg=dict(type="BN")),
        512,
        dict(stages=[(128, 16), (256, 8), (512, 4), (512, 2)]),
    ),
    "DenseNet": (
        dict(type="DenseNet", arch=dict(growth_rate=4, depths=[1, 2, 1, 1], init_channels=8)),
        9,
        dict(stages=[(12, 16), (14, 8), (11, 4), (9, 2)], preacts=True),
    ),
    "ConvNeXt": (
        dict(type="ConvNeXt", arch=dict(depths=[1, 1, 1, 1], channels=[4, 6, 8, 10])),
        10,
        dict(stages=[(4, 16), (6, 8), (8, 4), (10, 2)]),
    ),
    "EfficientNet": (
        dict(type="EfficientNet", arch="b0"),
        1280,
        dict(stages=[(24, 16), (40, 8), (112, 4), (320, 2)]),
    ),
    "EfficientNet edge": (
        dict(type="EfficientNet", arch="es"),
        1280,
        dict(stages=[(32, 16), (48, 8), (144, 4), (192, 2)]),
    ),
    "Swin": (
        dict(
            type="SwinTransformer",
            arch=dict(embed_dims=6, depths=[1, 2, 1, 1], num_heads=[1, 1, 1, 1]),
            img_size=64,
            window_size=2,
        ),
        48,
        dict(
            tokens=(4, 48),
            blocks=[(256, 6), (64, 12), (64, 12), (16, 24), (4, 48)],
            stages=[(6, 16), (12, 8), (24, 4), (48, 2)],
        ),
    ),
    "DeiT": (
        dict(type="DistilledVisionTransformer", arch=VIT, img_size=64, patch_size=16),
        12,
        dict(tokens=(18, 12), blocks=[(18, 12)] * 3, stages=[(12, 4)] * 3),
    ),
    "DeiT3": (
        dict(type="DeiT3", arch=VIT, img_size=64, patch_size=16),
        12,
        dict(tokens=(17, 12), blocks=[(17, 12)] * 3, stages=[(12, 4)] * 3),
    ),
    "Mixer": (
        dict(type="MlpMixer", arch=MIXER, img_size=64, patch_size=16),
        12,
        dict(tokens=(16, 12), blocks=[(16, 12)] * 3, stages=[(12, 4)] * 3),
    ),
}


def mmpretrain_network(name: str) -> nn.Module:
    torch.manual_seed(0)
    backbone, width, _ = BACKBONES[name]
    neck: Any = dict(type="GlobalAveragePooling", dim=1 if name == "Mixer" else 2)
    head = dict(type="LinearClsHead", num_classes=5, in_channels=width)
    if name == "DeiT":
        head = dict(type="DeiTClsHead", num_classes=5, in_channels=width)
    elif name == "DeiT3":
        head = dict(type="VisionTransformerClsHead", num_classes=5, in_channels=width)
    if name in ("DeiT", "DeiT3", "ConvNeXt"):
        neck = None
    return ImageClassifier(backbone, neck=neck, head=head).eval()


@pytest.mark.parametrize("name", BACKBONES)
def test_every_signal_of_mmpretrains_backbones(name: str) -> None:
    _, width, expected = BACKBONES[name]
    network = mmpretrain_network(name)
    images = tiny.images(2, channels=3, size=64)
    source = NetworkSource("student", network, every_name(network))
    measured = source.measure(images[:1])
    with torch.no_grad():
        seen = source.run(images)
    shapes = {key.removeprefix("student_"): shape for key, shape in measured.items()}
    assert shapes.pop("logits") == (5,)
    assert shapes.pop("embedding") == (width,)
    stages = tuple((channels, size, size) for channels, size in expected["stages"])
    assert shapes.pop("stages") == stages
    blocks = shapes.pop("block_maps")
    assert len(blocks) >= len(stages)
    assert blocks[-1] == stages[-1], "the last block ends the last stage"
    assert set(stages) <= set(blocks)
    if expected.get("preacts"):
        assert shapes.pop("preacts") == stages
    if "blocks" in expected:
        assert shapes.pop("blocks") == tuple(expected["blocks"])
        assert shapes.pop("tokens") == shapes.pop("normed_tokens") == expected["tokens"]
    if name in ("DeiT", "DeiT3", "VisionTransformer", "Mixer"):
        assert shapes.pop("patch_tokens") == (16, width)
    side = stages[-1][-1]
    assert shapes.pop("feature") == (width, side, side)
    if name == "DeiT":
        assert shapes.pop("class_token_logits") == shapes.pop("distillation_token_logits") == (5,)
    if not name.startswith("DeiT"):  # which classify a class token
        pooled = seen["student_feature"].mean((2, 3))
        if name == "ConvNeXt":
            pooled = network.backbone.norm3(pooled[:, :, None, None]).flatten(1)
        assert torch.allclose(seen["student_embedding"], pooled, atol=1e-5)
        with torch.no_grad():
            assert torch.equal(
                classify_with(network)(seen["student_feature"]), seen["student_logits"]
            )
    assert not shapes


def every_name(network: nn.Module) -> list[str]:
    """All that a network declares."""
    return [f"student_{name}" for name in (*find_taps(network), "logits")]


@pytest.mark.parametrize("name", ["ResNeXt", "RegNet"])
def test_preacts_of_residual_backbones(name: str) -> None:
    network = mmpretrain_network(name)
    seen = every_signal(network, tiny.images(2, channels=3, size=64))
    for stage, preact in zip(seen["stages"], seen["preacts"], strict=True):
        assert torch.equal(preact.relu(), stage)
        assert (preact < 0).any()


def test_preacts_of_a_densenet_are_the_batch_norm_that_follows() -> None:
    network = mmpretrain_network("DenseNet")
    seen = every_signal(network, tiny.images(2, channels=3, size=64))
    body = network.backbone
    norms = [*(one.norm for one in body.transitions[:-1]), body.transitions[-1][0]]
    for stage, preact, norm in zip(seen["stages"], seen["preacts"], norms, strict=True):
        assert torch.allclose(norm(stage), preact, atol=1e-6)
    assert torch.equal(seen["preacts"][-1].relu(), seen["feature"])


@pytest.mark.parametrize("name", ["MobileNetV3 small", "EfficientNet", "ShuffleNetV2", "VGG"])
def test_stages_of_plain_backbones_are_their_own_outputs(name: str) -> None:
    network = mmpretrain_network(name)
    body, images = network.backbone, tiny.images(2, channels=3, size=64)
    kept = body.out_indices
    count = {"VGG": 5, "ShuffleNetV2": 4}.get(name) or len(body.layers)
    body.out_indices = tuple(range(count))
    with torch.no_grad():
        outputs = body(images)
    body.out_indices = kept
    for stage in every_signal(network, images)["stages"]:
        assert any(torch.equal(stage, one) for one in outputs if one.shape == stage.shape)


def test_a_vgg_with_its_own_classifier() -> None:
    with torch.device("meta"):
        body = dict(type="VGG", depth=11, num_classes=5)
        network = ImageClassifier(body, head=dict(type="ClsHead")).eval()
        images = torch.zeros(1, 3, 224, 224)
        source = NetworkSource(
            "student", network, ["student_feature", "student_embedding", "student_logits"]
        )
        assert source.measure(images) == {
            "student_feature": (512, 7, 7),
            "student_embedding": (4096,),
            "student_logits": (5,),
        }
        assert classify_with(network)(torch.zeros(2, 512, 7, 7)).shape == (2, 5)
