"""ScaleKD: both stages by hand, and the cross-attention of its projectors."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from cls_kd.errors import UserError
from cls_kd.losses import ScaleKDLoss
from cls_kd.modules.attention_projector import AttentionProjector
from cls_kd.signals import SignalShapes
from tests.distillers import tiny

SCALEKD = dict(ce=dict(type="TaskLoss"), scalekd=dict(type="ScaleKDLoss", num_heads=4))
SCALEKD["scalekd"] |= dict(stage_num_heads=2, spatial_weight=0.3, frequency_weight=0.7)


def distance(student: Tensor, teacher: Tensor) -> float:
    """Position by position, one sample after the other."""
    total = 0.0
    for ours, theirs in zip(student, teacher, strict=True):
        for a, b in zip(ours.flatten(1).unbind(1), theirs.flatten(1).unbind(1), strict=True):
            total += (a / a.norm() - b / b.norm()).square().sum().item()
    return total / len(student)


def centered(feature: Tensor) -> Tensor:
    return torch.stack([sample - sample.flatten(1).mean(1)[:, None, None] for sample in feature])


def test_both_stages_by_hand() -> None:
    """The teacher's own last stage continues the projected map; its result makes the queries."""
    model = tiny.distiller(SCALEKD, teacher=tiny.teacher())
    model.train()
    images, labels = tiny.images(4), torch.arange(4)
    loss, teacher = model.losses["scalekd"], model.teachers[0].network.backbone
    terms = model.loss(images, labels)
    body = model.student.backbone
    model.zero_grad()
    first = body.stage1(images)
    before, target = body.stage2(first), teacher(images)[-1].detach()
    last = body.stage3(before)
    continued = [teacher.stage3(project(before)) for project in loss.stage_projectors]
    projected = [
        project(last, queries) for project, queries in zip(loss.projectors, continued, strict=True)
    ]
    expected = {
        "scalekd.loss_stage_spatial": 0.3 * distance(continued[0], target),
        "scalekd.loss_stage_frequency": 0.7 * distance(centered(continued[1]), centered(target)),
        "scalekd.loss_last_spatial": 0.3 * distance(projected[0], target),
        "scalekd.loss_last_frequency": 0.7 * distance(centered(projected[1]), centered(target)),
    }
    for name, value in expected.items():
        assert terms[name].item() == pytest.approx(value, rel=1e-4), name


def test_attention_of_a_projector_by_hand() -> None:
    torch.manual_seed(0)
    projector = AttentionProjector((3, 4, 2), (6, 3, 3), num_heads=2, softmax_scale=5.0).eval()
    feature, queries = torch.randn(2, 3, 4, 2), torch.randn(2, 6, 3, 3)
    result = projector(feature, queries)
    assert result.shape == (2, 6, 3, 3)
    tokens = (projector.convolution(feature) + projector.positions).flatten(2).transpose(1, 2)
    rows = projector.query(projector.embed(queries.flatten(2).transpose(1, 2)))
    keys, values = projector.key(tokens), projector.value(tokens)
    attended = torch.zeros(2, 9, 6)
    for sample in range(2):
        for position in range(9):
            for head in (slice(0, 3), slice(3, 6)):
                scores = torch.stack([rows[sample, position, head] @ k[head] for k in keys[sample]])
                shares = (5 * scores / 3**0.5).softmax(0)
                for share, value in zip(shares, values[sample], strict=True):
                    attended[sample, position, head] += share * value[head]
    normed = projector.norm(projector.project(attended))
    expected = (normed + projector.perceptron(normed)).transpose(1, 2).unflatten(2, (3, 3))
    torch.testing.assert_close(result, expected)


def test_one_stage_is_too_few() -> None:
    shapes = {"student_stages": ((3, 4, 4),), "teacher_stages": ((3, 4, 4), (4, 2, 2))}
    with pytest.raises(UserError, match="the student has 1 and the teacher 2"):
        ScaleKDLoss().build(SignalShapes(shapes, 4))
