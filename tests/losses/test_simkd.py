"""SimKD: projector, classifier and loss against the authors' values, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from mmpretrain.models import LinearClsHead
from torch import Tensor, nn

from cls_kd.distillers import TeacherClassifier
from cls_kd.errors import UserError
from cls_kd.losses import SimKDLoss
from cls_kd.models import ProjectedBackbone
from cls_kd.registry import MODELS
from cls_kd.signals import NetworkSource
from cls_kd.signals.shapes import SignalShapes
from tests.distillers import tiny

from . import reference
from .reference import FOLDER, TOLERANCE, assert_close


class Map(nn.Module):
    """A backbone whose last map is its input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 1)
        nn.init.dirac_(self.first.weight)
        nn.init.zeros_(self.first.bias)

    def forward(self, feature: Tensor) -> tuple[Tensor]:
        return (self.first(feature),)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("name", ["simkd_projector-1", "simkd_projector-2"])
def test_the_student_is_that_of_the_authors(name: str, dtype: torch.dtype) -> None:
    read = reference.read(FOLDER / f"{name}.npz")
    leaves = read.leaves(dtype)
    student, teacher = leaves["student_feature"], leaves["teacher_feature"]
    backbone = ProjectedBackbone(
        dict(type=Map, channels=student.shape[1]),
        teacher.shape[1],
        size=teacher.shape[2] if student.shape[2] > teacher.shape[2] else None,
        **read.meta["args"],
    ).to(torch.float64)
    parameters = dict(backbone.projector.named_parameters())
    for key, array in read.group("param").items():
        parameters[key.removeprefix("transfer.")].data.copy_(torch.as_tensor(array))
    (projected,) = backbone.to(dtype)(student)
    written = {f"transfer.{key}": parameter for key, parameter in parameters.items()}
    loss = SimKDLoss()(projected, teacher)
    reference.assert_reproduced(loss, read, leaves, dtype, written)
    classify = read.classifiers(dtype, ["classifier_classify"])["classifier_classify"]
    assert_close(classify(projected), read.arrays["out.logits"], TOLERANCE[dtype], "logits")


def student(width: int = 12, **options: Any) -> dict[str, Any]:
    return tiny.projected(tiny.digits_cnn(), width, **options)


def test_the_projected_map_and_the_backbone_s_stages_are_signals() -> None:
    network = MODELS.build(student())
    names = ["student_projected", "student_feature", "student_stages", "student_preacts"]
    source = NetworkSource("student", network, names)
    shapes = source.measure(torch.zeros(1, 1, 8, 8))
    assert shapes["student_projected"] == shapes["student_feature"] == (12, 2, 2)
    assert (
        shapes["student_stages"] == shapes["student_preacts"] == ((4, 8, 8), (4, 4, 4), (8, 2, 2))
    )
    seen = source.run(torch.rand(3, 1, 8, 8))
    torch.testing.assert_close(
        seen["student_logits"], network.head.fc(seen["student_projected"].mean((2, 3)))
    )


def test_the_head_starts_as_the_teacher_s(tmp_path: Path) -> None:
    teacher = MODELS.build(tiny.digits_cnn((4, 4, 12)))
    file = tmp_path / "teacher.pth"
    torch.save({"state_dict": teacher.state_dict()}, file)
    config = student()
    config["head"]["init_cfg"] = dict(type=TeacherClassifier, checkpoint=str(file))
    network = MODELS.build(config)
    network.init_weights()
    assert torch.equal(network.head.fc.weight, teacher.head.fc.weight)
    assert torch.equal(network.head.fc.bias, teacher.head.fc.bias)
    with pytest.raises(UserError, match=r"fc.weight \(10, 12\) instead of \(10, 9\)"):
        TeacherClassifier(str(file))(LinearClsHead(num_classes=10, in_channels=9))


def test_other_students_are_refused() -> None:
    with pytest.raises(UserError, match=r"has no projector: SimKD needs .*ProjectedBackbone"):
        NetworkSource("student", MODELS.build(tiny.digits_cnn()), ["student_projected"])
    with pytest.raises(UserError, match="must be a multiple of factor; 12 is none of 5"):
        MODELS.build(student(factor=5))
    for projected, advice in (((8, 2, 2), "out_channels=12"), ((12, 4, 4), "size=2")):
        shapes = {"student_projected": projected, "teacher_feature": (12, 2, 2)}
        with pytest.raises(UserError, match=f"give ProjectedBackbone {advice}"):
            SimKDLoss().build(SignalShapes(shapes, num_classes=10))
