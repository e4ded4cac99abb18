"""One real step of every method in configs/methods, on kinds of networks that it is for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config

from cls_kd.data.mixtures import MIXTURE_ALPHA
from tests.distillers import tiny

FILES = sorted((Path(__file__).parents[2] / "configs" / "methods").glob("[!_]*.py"))
# Views of an image are not mixed; tests/data/test_views.py shows the refusal.
OF_VIEWS = {"crld", "ddgsd", "hsakd", "mixskd", "mlkd", "ntce_kd", "sld", "sskd"}
every_method = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)


def losses_of(file: Path) -> dict[str, Any]:
    losses = Config.fromfile(file).to_dict()["losses"]
    for loss in losses.values():
        if "negatives" in loss:
            loss["negatives"] = 16
        if "autoencoder_channels" in loss:
            loss["autoencoder_channels"] = 8
        if "ScaleKD" in str(loss["type"]):
            loss["num_heads"] = 4
        if "ScaleKDLoss" in str(loss["type"]):
            loss["stage_num_heads"] = 2
    return losses


def networks(kind: str, file: Path) -> dict[str, Any]:
    if kind.startswith("branches of"):
        shape = tiny.resnet_cifar(2) if "ResNet" in kind else tiny.digits_cnn(dropout=0.2)
        changes = Config.fromfile(file).to_dict()["student"]
        student = {**tiny.branches(shape), **changes}
        student["fusion"].pop("_delete_", None)
        return dict(student=student, channels=3 if "ResNet" in kind else 1)
    if kind == "projected DigitsCNN":
        teacher = tiny.teacher()
        width = teacher["network"]["head"]["in_channels"]
        student = tiny.projected(tiny.digits_cnn(), width)
        return dict(student=student, teacher=teacher, student_frozen=("head",))
    teaching = _teaching(kind, _teachers(file))
    if tiny.wants_expansion(losses_of(file)):
        (teacher,) = teaching["teacher"]
        teaching["student"] = tiny.expanded(teaching["student"], teacher["network"])
    return teaching


def _teaching(kind: str, count: int) -> dict[str, Any]:
    if kind == "DigitsCNN":
        teachers = [tiny.teacher(name=str(number)) for number in range(count)]
        return dict(student=tiny.digits_cnn(dropout=0.2), teacher=teachers)
    small, large = {
        "ResNet_CIFAR": (tiny.resnet_cifar(2), tiny.resnet_cifar(4)),
        "VisionTransformer": (tiny.vit(12, blocks=4), tiny.vit(16, blocks=5)),
        "distilled VisionTransformer": (tiny.distilled_vit(12), tiny.vit(16)),
        "VisionTransformer of a CNN": (tiny.vit(12), tiny.resnet_cifar(4)),
    }[kind]
    # Sixteen pixels leave ResNet_CIFAR a last map of more than one position.
    size = 16 if kind == "ResNet_CIFAR" else 8
    teachers = [dict(network=large, weights="random") for _ in range(count)]
    return dict(student=small, teacher=teachers, channels=3, size=size)


def _teachers(file: Path) -> int:
    return 2 if tiny.wants_teachers(losses_of(file)) else 1


def kinds(file: Path) -> list[str]:
    if tiny.wants_tokens(losses_of(file)):
        if "student_class_token_logits" in tiny.signals_of(losses_of(file)):
            return ["distilled VisionTransformer"]
        of_maps = "teacher_feature" in tiny.signals_of(losses_of(file))
        return ["VisionTransformer of a CNN" if of_maps else "VisionTransformer"]
    if tiny.wants_branches(losses_of(file)):
        return ["branches of DigitsCNN", "branches of ResNet_CIFAR"]
    if tiny.wants_projector(losses_of(file)):
        return ["projected DigitsCNN"]
    return ["DigitsCNN", "ResNet_CIFAR"]


def test_there_are_methods_of_all_kinds() -> None:
    known = {"DigitsCNN", "VisionTransformer", "branches of DigitsCNN", "projected DigitsCNN"}
    known |= {"VisionTransformer of a CNN", "distilled VisionTransformer"}
    assert {kinds(file)[0] for file in FILES} == known


@pytest.mark.parametrize(
    ("file", "kind"),
    [pytest.param(file, kind, id=f"{file.stem}-{kind}") for file in FILES for kind in kinds(file)],
)
def test_one_step(file: Path, kind: str) -> None:
    model = tiny.distiller(losses_of(file), **networks(kind, file))
    before = {key: value.clone() for key, value in model.state_dict().items()}
    digests = [one.digest() for one in model.teachers]
    # Early in training some weights are still zero; a gradient of zero is one, too.
    chosen = networks(kind, file)
    raw = tiny.data(6, channels=chosen.get("channels", 1), size=chosen.get("size", 8))
    raw = tiny.paired(raw)
    mixes = "mix" in tiny.signals_of(losses_of(file))
    raw = {**raw, MIXTURE_ALPHA: 0.4} if mixes else tiny.viewed(raw)
    values = tiny.step(model, raw)

    assert all(torch.isfinite(value) for value in values.values())
    summed = sum(value for key, value in values.items() if "loss" in key and key != "loss")
    assert torch.isclose(values["loss"], summed)
    assert {key.partition(".")[0] for key in values} == {*model.losses, "loss"}

    # DDP runs with find_unused_parameters=False.
    without = [n for n, one in model.named_parameters() if one.requires_grad and one.grad is None]
    assert not without
    assert any(not torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert all(torch.isfinite(value).all() for value in model.state_dict().values())

    assert not any("teacher" in key for key in model.state_dict() if key.startswith("student"))
    assert all(key.startswith(("student.", "losses.")) for key in model.state_dict())
    assert [one.digest() for one in model.teachers] == digests
    for one in model.teachers:
        assert not any(parameter.requires_grad for parameter in one.parameters())
        assert all(parameter.grad is None for parameter in one.parameters())


@pytest.mark.parametrize(
    "file", [file for file in FILES if file.stem not in OF_VIEWS], ids=lambda file: file.stem
)
def test_mixed_labels_are_no_problem(file: Path) -> None:
    preprocessor = dict(
        mean=[128.0],
        std=[60.0],
        num_classes=tiny.CLASSES,
        batch_augments=dict(augments=dict(type="CutMix", alpha=1.0)),
    )
    chosen = networks(kinds(file)[0], file)
    model = tiny.distiller(losses_of(file), **chosen, data_preprocessor=preprocessor)
    raw = tiny.data(6, channels=chosen.get("channels", 1))
    assert torch.isfinite(tiny.step(model, tiny.paired(raw))["loss"])
