"""Foundation models of timm as teachers: timm's own signals, sizes and normalization."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import huggingface_hub.constants
import pytest
import timm
import torch
import torch.nn.functional as F
from mmpretrain.models import TimmClassifier
from safetensors.torch import save_file
from timm.data import resolve_data_config
from torch import Tensor, nn

from cls_kd import core
from cls_kd.core.terms import build_loss, build_terms
from cls_kd.distillers import Distiller
from cls_kd.distillers.foundation import FoundationTeacher
from cls_kd.errors import UserError
from cls_kd.losses import KDLoss
from cls_kd.signals import Batch
from cls_kd.signals.taps import classifier_path
from tests.distillers import tiny

SMALL = dict(embed_dim=32, num_heads=2)
# Name, prefix tokens, side of a patch, own size; options that make it small.
DINOV2 = "vit_small_patch14_reg4_dinov2.lvd142m"
TEACHERS: dict[str, tuple[str, int, int, int, dict[str, Any]]] = {
    "DINOv2 with registers": (DINOV2, 5, 14, 518, SMALL),
    "DINOv3": ("vit_small_patch16_dinov3.lvd1689m", 5, 16, 256, SMALL),
    "CLIP": ("vit_base_patch16_clip_224.openai", 1, 16, 224, SMALL),
    "SigLIP 2": ("vit_base_patch16_siglip_224.v2_webli", 0, 16, 224, SMALL),
    "RADIO": ("vit_base_patch16_radio_v3.c_radio", 8, 16, 512, SMALL),
}
STUDENTS = {
    "ResNet": dict(model_name="test_resnet"),
    "ConvNeXt": dict(model_name="test_convnext"),
    "ViT": dict(model_name="test_vit", img_size=64),
}
RAW = dict(mean=[120.0, 110.0, 100.0], std=[60.0, 50.0, 70.0], to_rgb=True)
EMBEDDING = dict(type="EmbeddingRegressionLoss")
PATCHES = dict(type="PatchRegressionLoss")
every_teacher = pytest.mark.parametrize("kind", TEACHERS)


def options(kind: str) -> dict[str, Any]:
    return {"depth": 2, **TEACHERS[kind][4]}


def teacher(kind: str, weights: str = "random", **others: Any) -> FoundationTeacher:
    torch.manual_seed(3)
    return FoundationTeacher(f"timm/{TEACHERS[kind][0]}", weights, options=options(kind), **others)


def own(kind: str, **others: Any) -> nn.Module:
    """What timm makes of the name, with random weights."""
    torch.manual_seed(3)
    return timm.create_model(TEACHERS[kind][0], **options(kind), **others).eval()


SIGNALS = ["embedding", "patch_tokens", "feature", "normed_tokens", "tokens", "blocks", "stages"]


def signals(built: core.Teacher, images: Tensor) -> dict[str, Any]:
    """Of images from 0 to 255 that the student sees normalized by RAW."""
    built.match(RAW)
    built.attach({f"teacher_{name}": None for name in SIGNALS})
    mean, std = (torch.tensor(RAW[key]).view(3, 1, 1) for key in ("mean", "std"))
    inputs = (images - mean) / std
    built.measure(inputs[:1], None, 10)
    return built(Batch(inputs, None, 10))


@every_teacher
@pytest.mark.parametrize("own_size", [False, True])
def test_signals_are_those_of_timm(kind: str, own_size: bool) -> None:
    """Normalization, size, class token, registers and patches are as timm states them."""
    name, prefix, patch, stated, _ = TEACHERS[kind]
    size = stated if own_size else 2 * patch
    images = 255 * torch.rand(1 if own_size else 2, 3, 40, 40)
    built = teacher(kind, input_size=None if own_size else size)
    seen = signals(built, images)

    reference = own(kind, num_classes=0)
    config = resolve_data_config({}, model=reference)
    assert config["input_size"] == (3, stated, stated)
    if not own_size:
        reference.set_input_size(img_size=(size, size))
    resized = F.interpolate(
        images / 255, (size, size), mode="bicubic", antialias=True, align_corners=False
    )
    mean, std = (torch.tensor(config[key]).view(3, 1, 1) for key in ("mean", "std"))
    with torch.no_grad():
        tokens = reference.forward_features((resized - mean) / std)
        embedding = reference.forward_head(tokens)
    side = size // patch
    assert reference.num_prefix_tokens == prefix
    assert tokens.shape[1:] == (prefix + side**2, 32)
    assert torch.allclose(seen["teacher_normed_tokens"], tokens, atol=1e-4)
    assert torch.allclose(seen["teacher_embedding"], embedding, atol=1e-4)
    patches = seen["teacher_patch_tokens"]
    assert torch.equal(patches, seen["teacher_normed_tokens"][:, prefix:])
    assert torch.equal(seen["teacher_feature"].flatten(2).transpose(1, 2), patches)
    assert seen["teacher_feature"].shape[1:] == (32, side, side)
    assert [stage.shape[1:] for stage in seen["teacher_stages"]] == [(32, side, side)] * 2
    assert len(seen["teacher_blocks"]) == 2
    assert built.note == f"{name} is UNTRAINED (weights='random')."


@every_teacher
@pytest.mark.parametrize("student", STUDENTS)
def test_a_step(kind: str, student: str) -> None:
    """A convolutional student, or one with tokens, learns embedding and patches."""
    patch = TEACHERS[kind][2]
    config = dict(
        network=f"timm/{TEACHERS[kind][0]}",
        weights="random",
        options=options(kind),
        input_size=4 * patch,
    )
    network = dict(type=TimmClassifier, num_classes=10, **STUDENTS[student])
    torch.manual_seed(0)
    model = tiny.distiller(
        dict(embedding=EMBEDDING, patches=PATCHES),
        student=network,
        teacher=config,
        channels=3,
        size=64,
    )
    values = tiny.step(model, tiny.data(3, channels=3, size=64))
    assert values["loss"].isfinite()
    assert 0 < values["loss"] < 4
    assert not model.teachers[0].has_student_classes
    # The classifier is trained by nothing; DDP would wait for its gradient.
    learned = [name for name, value in model.named_parameters() if value.requires_grad]
    without = [
        name for name, value in model.named_parameters() if name in learned and value.grad is None
    ]
    assert not without
    classifier = model.student.get_submodule(classifier_path(model.student))
    assert not any(value.requires_grad for value in classifier.parameters())
    assert f"{classifier_path(model.student)} is not trained" in " ".join(model.notes)


@every_teacher
def test_weights_from_a_file(kind: str, tmp_path: Path) -> None:
    """Random weights under the keys of timm's file: whole, also where it has a classifier."""
    published = own(kind)
    for value in published.parameters():
        nn.init.normal_(value, std=0.1)
    file = tmp_path / "model.safetensors"
    save_file(published.state_dict(), file)
    built = teacher(kind, str(file))
    expected = {
        key: value for key, value in published.state_dict().items() if not key.startswith("head.")
    }
    actual = built.network.state_dict()
    assert set(actual) == set(expected)
    assert all(torch.equal(actual[key], expected[key]) for key in expected)
    assert f"loaded from {file}" in built.note


def test_the_authors_file_of_dinov2(tmp_path: Path) -> None:
    """timm renames its registers and separates the class token's position."""
    network = own("DINOv2 with registers", num_classes=0)
    state = {key: value.clone() for key, value in network.state_dict().items()}
    state["register_tokens"] = state.pop("reg_token")
    of_class = torch.zeros(1, 1, 32)
    state["pos_embed"] = torch.cat([of_class, state["pos_embed"]], dim=1)
    state["mask_token"] = torch.zeros(1, 32)
    file = tmp_path / "dinov2_vits14_reg4_pretrain.safetensors"
    save_file(state, file)
    built = teacher("DINOv2 with registers", str(file), input_size=28)
    assert torch.equal(built.network.reg_token, state["register_tokens"])


def test_published_weights_by_the_hubs_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """timm's own way to published weights, as it is where the file was downloaded before."""
    network = own("DINOv2 with registers")
    repository = tmp_path / f"models--timm--{DINOV2}"
    snapshot = repository / "snapshots" / "0"
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0")
    save_file(network.state_dict(), snapshot / "model.safetensors")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    torch.manual_seed(9)
    built = FoundationTeacher(f"timm/{DINOV2}", options=options("DINOv2 with registers"))
    assert torch.equal(built.network.reg_token, network.reg_token)
    assert built.note == f"{DINOV2} with its published weights."


@pytest.mark.parametrize("name", [f"timm/{DINOV2}", "hf-hub:timm/some_network"])
def test_no_network(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(UserError) as refused:
        FoundationTeacher(name)
    message = str(refused.value)
    assert "could not be loaded from https://huggingface.co/timm/" in message
    if "dinov2" in name:
        assert "download the file by hand (model.safetensors) and give its path" in message
        assert "data_preprocessor" not in message, "it is known from the name"


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (dict(network="timm/vit_smal_patch14_dinov2"), "Did you mean 'vit_small_patch14_dinov2'"),
        (dict(network=f"timm/{DINOV2}x"), f"publishes no weights '{DINOV2}x'"),
        (dict(network="vit_small"), "'timm/NAME', 'hf-hub:OWNER/NAME' or 'local-dir:PATH'"),
        (
            dict(network=f"timm/{DINOV2}", weights="random", input_size=256),
            "patches of 14x14 pixels, and images of 256x256 do not divide into them: give it "
            "input_size=252 or input_size=266.",
        ),
        (
            dict(network=f"timm/{DINOV2}", weights="random", options=dict(widht=3)),
            "timm cannot make",
        ),
        (dict(network=f"timm/{DINOV2}", weights="random", dtype="int8"), "not 'int8'"),
    ],
    ids=["name", "tag", "prefix", "grid", "option", "dtype"],
)
def test_what_is_refused(config: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=None) as refused:
        FoundationTeacher(**config)
    assert words in str(refused.value)


def test_a_file_that_does_not_fit(tmp_path: Path) -> None:
    state = own("DINOv3", num_classes=0).state_dict()
    state["something"] = state.pop("norm.weight")
    save_file(state, tmp_path / "model.safetensors")
    with pytest.raises(UserError) as refused:
        teacher("DINOv3", str(tmp_path / "model.safetensors"))
    assert "not in the checkpoint: norm.weight" in str(refused.value)
    assert "only in the checkpoint: something" in str(refused.value)


def test_logits_of_a_teacher_without_classes() -> None:
    with pytest.raises(UserError) as refused:
        core.Distiller(
            tiny.build(tiny.vit()),
            dict(kd=KDLoss()),
            teacher("DINOv3", input_size=32),
            input_shape=(3, 8, 8),
        )
    message = str(refused.value)
    assert "asks for 'teacher_logits', and the teacher Eva has no classes" in message
    assert "EmbeddingRegressionLoss" in message


def test_images_as_they_are() -> None:
    """The grid follows from the student's images, which have to divide into patches."""
    built = teacher("DINOv3", input_size="images")
    seen = signals(built, 255 * torch.rand(2, 3, 48, 48))
    assert seen["teacher_feature"].shape == (2, 32, 3, 3)
    with pytest.raises(UserError, match="images of 40x40 do not divide"):
        signals(teacher("DINOv3", input_size="images"), 255 * torch.rand(2, 3, 40, 40))


def test_half_precision() -> None:
    images = 255 * torch.rand(2, 3, 32, 32)
    whole = signals(teacher("DINOv3", input_size=32), images)["teacher_embedding"]
    half = signals(teacher("DINOv3", input_size=32, dtype="bfloat16"), images)["teacher_embedding"]
    assert half.dtype == torch.bfloat16
    assert 0 < (half - whole).abs().max() < 0.1


def test_any_teacher_in_half_precision() -> None:
    config = dict(network=tiny.resnet_cifar(2), weights="random", parameter_dtype="bfloat16")
    losses = dict(kd=dict(type="KDLoss"), embedding=EMBEDDING)
    networks = dict(student=tiny.resnet_cifar(2), teacher=config)
    model = tiny.distiller(losses, **networks, channels=3, size=16)
    assert {value.dtype for value in model.teachers[0].parameters()} == {torch.bfloat16}
    assert tiny.step(model, tiny.data(3, channels=3, size=16))["loss"].isfinite()


def test_several_teachers_of_different_kinds() -> None:
    """Each with its own size, patches, normalization and head."""
    teachers = [teacher("DINOv3", input_size=32), teacher("SigLIP 2", input_size=48)]
    losses = dict(unic=dict(type="UNICLoss", steps=1), patches=dict(type="UNICPatchLoss", steps=1))
    model = core.Distiller(
        TimmClassifier("test_resnet", num_classes=10),
        build_terms(losses, build_loss),
        teachers,
        input_shape=(3, 64, 64),
        normalization=RAW,
    )
    values = model.loss(torch.randn(4, 3, 64, 64))
    assert values["unic.loss"] > 0
    assert values["patches.loss"] > 0
    widths = [head[-1].out_features for head in model.losses["unic"].projections]
    assert widths == [32, 32]


def test_a_teacher_of_other_classes_teaches_without_them() -> None:
    """Where nothing compares logits, the number of classes does not matter."""
    model = Distiller(
        tiny.digits_cnn(),
        dict(embedding=EMBEDDING),
        dict(network=tiny.digits_cnn(classes=7), weights="random"),
        input_shape=(1, 8, 8),
    )
    assert not model.teachers[0].has_student_classes
