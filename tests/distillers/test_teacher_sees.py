"""A teacher sees what its own preprocessor would have made of the images."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from mmpretrain.models import ClsDataPreprocessor, TimmClassifier
from torch import nn

from cls_kd.distillers import Teacher
from cls_kd.errors import UserError
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
    teacher.match(preprocessor)
    return teacher.see(preprocessor(raw())["inputs"])


def raw() -> dict[str, Any]:
    return {"inputs": tiny.data(4, channels=3)["inputs"]}


@pytest.mark.parametrize(("student", "teacher"), CASES)
def test_own_normalisation(student: dict[str, Any], teacher: dict[str, Any]) -> None:
    expected = ClsDataPreprocessor(**teacher)(raw())["inputs"]
    assert torch.allclose(seen(student, data_preprocessor=teacher), expected, atol=1e-5)


def test_the_students_by_default() -> None:
    expected = ClsDataPreprocessor(**CIFAR)(raw())["inputs"]
    assert torch.equal(seen(CIFAR), expected)
    assert torch.equal(seen({}), ClsDataPreprocessor()(raw())["inputs"])


def test_the_same_normalisation_changes_no_bit() -> None:
    expected = ClsDataPreprocessor(**CIFAR, to_rgb=True)(raw())["inputs"]
    own = {**CIFAR, "to_rgb": True}
    assert torch.equal(seen(own, data_preprocessor=own), expected)


def test_a_network_brings_its_own() -> None:
    own = {"type": "mmpretrain.ClsDataPreprocessor", **IMAGENET, "to_rgb": True}
    network = {**tiny.resnet_cifar(), "data_preprocessor": own}
    expected = ClsDataPreprocessor(**IMAGENET, to_rgb=True)(raw())["inputs"]
    assert torch.allclose(seen(CIFAR, network=network), expected, atol=1e-5)


def test_what_timm_says_holds_only_for_timms_own_weights(tmp_path: Any) -> None:
    """A checkpoint of ours was trained with the normalisation of its run."""
    network = dict(type=TimmClassifier, model_name="test_resnet", num_classes=10)
    torch.save(TimmClassifier("test_resnet", num_classes=10).state_dict(), tmp_path / "own.pth")
    preprocessor = ClsDataPreprocessor(**CIFAR)
    teacher = Teacher(network, str(tmp_path / "own.pth"))
    teacher.match(preprocessor)
    inputs = preprocessor(raw())["inputs"]
    assert torch.equal(teacher.see(inputs), inputs)


@pytest.mark.parametrize("given", [{}, {"mean": [1.0]}, {"mean": [1], "std": [1], "bgr": True}])
def test_a_normalisation_is_checked(given: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="takes mean, std and to_rgb"):
        Teacher(Network(), "random", data_preprocessor=given)
