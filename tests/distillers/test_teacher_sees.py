"""A teacher sees what its own preprocessor would have made of the images, at its own size."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from mmpretrain.models import ClsDataPreprocessor, TimmClassifier
from torch import nn
from torchvision.transforms import InterpolationMode
from torchvision.transforms.functional import resize

from cls_kd.distillers import Teacher
from cls_kd.distillers.images import read_normalization
from cls_kd.errors import UserError
from cls_kd.losses import DistillLoss, KDLoss
from tests.distillers import tiny

IMAGENET = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375])
CIFAR = dict(mean=[129.304, 124.070, 112.434], std=[68.170, 65.392, 70.418])
KINDS = [{}, IMAGENET, CIFAR]
CASES = [
    ({**student, "to_rgb": s}, {**teacher, "to_rgb": t})
    for student, teacher in itertools.product(KINDS, [IMAGENET, CIFAR])
    for s, t in itertools.product((False, True), repeat=2)
]


class Network(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.mean((2, 3))


def seen(student: dict[str, Any], **options: Any) -> torch.Tensor:
    preprocessor = ClsDataPreprocessor(**student)
    teacher = Teacher(options.pop("network", Network()), "random", **options)
    teacher.match(read_normalization(preprocessor))
    return teacher.normalize_inputs(preprocessor(raw())["inputs"])


def raw() -> dict[str, Any]:
    return {"inputs": tiny.data(4, channels=3)["inputs"]}


@pytest.mark.parametrize(("student", "teacher"), CASES)
def test_own_normalization(student: dict[str, Any], teacher: dict[str, Any]) -> None:
    expected = ClsDataPreprocessor(**teacher)(raw())["inputs"]
    assert torch.allclose(seen(student, data_preprocessor=teacher), expected, atol=1e-5)


def test_the_students_by_default() -> None:
    expected = ClsDataPreprocessor(**CIFAR)(raw())["inputs"]
    assert torch.equal(seen(CIFAR), expected)
    assert torch.equal(seen({}), ClsDataPreprocessor()(raw())["inputs"])


def test_the_same_normalization_changes_no_bit() -> None:
    expected = ClsDataPreprocessor(**CIFAR, to_rgb=True)(raw())["inputs"]
    own = {**CIFAR, "to_rgb": True}
    assert torch.equal(seen(own, data_preprocessor=own), expected)


def test_a_network_brings_its_own() -> None:
    own = {"type": "mmpretrain.ClsDataPreprocessor", **IMAGENET, "to_rgb": True}
    network = {**tiny.resnet_cifar(), "data_preprocessor": own}
    expected = ClsDataPreprocessor(**IMAGENET, to_rgb=True)(raw())["inputs"]
    assert torch.allclose(seen(CIFAR, network=network), expected, atol=1e-5)


def test_what_timm_says_holds_only_for_timms_own_weights(tmp_path: Any) -> None:
    """A checkpoint of ours was trained with the normalization of its run."""
    network = dict(type=TimmClassifier, model_name="test_resnet", num_classes=10)
    torch.save(TimmClassifier("test_resnet", num_classes=10).state_dict(), tmp_path / "own.pth")
    preprocessor = ClsDataPreprocessor(**CIFAR)
    teacher = Teacher(network, str(tmp_path / "own.pth"))
    teacher.match(read_normalization(preprocessor))
    inputs = preprocessor(raw())["inputs"]
    assert torch.equal(teacher.normalize_inputs(inputs), inputs)


@pytest.mark.parametrize("given", [{}, {"mean": [1.0]}, {"mean": [1], "std": [1], "bgr": True}])
def test_a_normalization_is_checked(given: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="takes mean, std and to_rgb"):
        Teacher(Network(), "random", data_preprocessor=given)


# --- at another resolution ---


@pytest.mark.parametrize(
    ("size", "options", "mode"),
    [
        (20, {}, InterpolationMode.BICUBIC),
        ((5, 12), {"interpolation": "bilinear"}, InterpolationMode.BILINEAR),
        (8, {}, InterpolationMode.BICUBIC),
    ],
)
def test_images_are_resized_as_torchvision_does(
    size: Any, options: dict[str, Any], mode: InterpolationMode
) -> None:
    own = ClsDataPreprocessor(**IMAGENET, to_rgb=True)(raw())["inputs"]
    sides = [size, size] if isinstance(size, int) else list(size)
    given = {**IMAGENET, "to_rgb": True}
    found = seen(CIFAR, data_preprocessor=given, input_size=size, **options)
    assert found.shape == (4, 3, *sides)
    assert torch.allclose(found, resize(own, sides, mode, antialias=True), atol=1e-5)


@pytest.mark.parametrize("size", [0, -4, True, 22.4, (8,), (8, 8, 3), ("8", 8), "large"])
def test_a_size_is_checked(size: Any) -> None:
    with pytest.raises(UserError, match="input_size"):
        Teacher(Network(), "random", input_size=size)


def test_an_interpolation_is_checked() -> None:
    with pytest.raises(UserError, match=r"interpolation.*Did you mean 'bicubic'"):
        Teacher(Network(), "random", input_size=8, interpolation="bicubc")


class Looks(DistillLoss):
    """Asks for a map and a function of the teacher."""

    def __init__(self) -> None:
        super().__init__()
        self.shapes: Any = None

    def build(self, shapes: Any) -> None:
        self.shapes = shapes.tensor("teacher_tokens")

    def forward(
        self,
        inputs: torch.Tensor,
        student_logits: torch.Tensor,
        teacher_logits: torch.Tensor,
        teacher_tokens: torch.Tensor,
        teacher_forward: Any,
    ) -> torch.Tensor:
        self.tokens = tuple(teacher_tokens.shape[1:])
        self.apart = (teacher_forward(inputs) - teacher_logits).abs().max()
        return student_logits.mean()


def test_a_vision_transformer_teaches_a_student_on_smaller_images() -> None:
    """Measured, trained with and evaluated at its own size; it fits no other."""
    network = tiny.vit()
    network["backbone"] = {**network["backbone"], "img_size": 12}
    teacher = dict(
        network=tiny.build(network), weights="random", input_size=12, data_preprocessor=IMAGENET
    )
    looks = Looks()
    model = tiny.distiller(
        {"kd": dict(type=KDLoss), "looks": looks},
        student=tiny.resnet_cifar(),
        teacher=teacher,
        channels=3,
        data_preprocessor=CIFAR,
    )
    terms = tiny.step(model, tiny.data(channels=3))
    assert terms["kd.loss"] > 0
    assert looks.shapes == looks.tokens == (37, 12)
    assert looks.apart == 0
    images = ClsDataPreprocessor(**IMAGENET)(tiny.data(channels=3))["inputs"]
    logits = teacher["network"](resize(images, [12, 12], InterpolationMode.BICUBIC))
    predicted = torch.stack([one.pred_score for one in model.teacher_step(tiny.data(channels=3))])
    assert torch.allclose(predicted, logits.softmax(1), atol=1e-5)
